"""`credentials.json`: how a person or a script reaches a freshly set up installation (operator interface)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from api.failures import Failure


@dataclass(frozen=True, slots=True)
class Credentials:
    """The fields of credentials.json. `api_key` holds every scope: the file is readable by its owner only."""

    url: str
    environment_id: int
    api_key: str
    project_token: str
    organization_id: str
    user_email: str

    @property
    def organization(self) -> UUID:
        return UUID(self.organization_id)


def path_in(home: Path) -> Path:
    return home / "credentials.json"


def read(path: Path) -> Credentials | None:
    """None when there is no such file. Raises Failure when it is not of this form."""
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, json.JSONDecodeError) as error:
        message = f"{path} is damaged: {error}"
        raise Failure(message) from error


def write(path: Path, credentials: Credentials) -> None:
    """Replaces the file whole, mode 0600, durable before it appears."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(credentials), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
