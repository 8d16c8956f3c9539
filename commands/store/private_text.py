"""Text from or about people, kept beside the log so that it can be erased (architecture 5)."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any
from uuid import UUID, uuid4

import orjson

from commands.store.guards import Guard
from domain.event import TextRef

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def private_text(environment_id: int | None, subject: str | None, body: dict[str, Any]) -> tuple[TextRef, Guard]:
    """Prepares a text: the reference for the event, and the row to write in the event's transaction.

    `subject` is whom erasing must find it by (a distinct id); `body` is a JSON object. The digest is salted with a
    random salt that is erased with the body, so that a digest left behind cannot be guessed back to its text. NUL
    characters and lone surrogates, which pages and models do send and PostgreSQL cannot hold, become U+FFFD.
    """
    subject, body = storable(subject), storable(body)
    reference_id = uuid4()
    salt = secrets.token_bytes(16)
    reference = TextRef(id=reference_id, digest=text_digest(salt, body))
    return reference, _row(reference_id, environment_id, subject, salt, body)


def text_digest(salt: bytes, body: dict[str, Any]) -> str:
    """SHA-256 over the salt and the canonical JSON of the body, as hexadecimal digits."""
    return hashlib.sha256(salt + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def storable(value: Any) -> Any:
    """The JSON value with U+FFFD for each character that neither `jsonb` nor UTF-8 can hold."""
    match value:
        case str():
            return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case dict():
            return {storable(key): storable(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [storable(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def _row(reference_id: UUID, environment_id: int | None, subject: str | None, salt: bytes, body: Any) -> Guard:
    return {
        "op": "text",
        "id": str(reference_id),
        "environment_id": environment_id,
        "subject": subject,
        "salt": salt.hex(),
        "body": body,
    }
