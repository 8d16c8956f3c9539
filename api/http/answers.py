"""What leaves the server as JSON: times in the contract's form, UUIDs in lower case, never NaN."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from starlette.responses import Response

STALE = "Replay-Vision-Stale"
"""Header of an answer to a write that the read tables have not passed yet (architecture 6)."""


def moment(at: datetime) -> str:
    """ISO-8601 in UTC with `Z`, microseconds only when they are not zero (contract 1)."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _plain(value: object) -> Any:
    match value:
        case datetime():
            return moment(value)
        case UUID():
            return str(value)
        case Decimal():
            return float(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")


def encode(document: object) -> bytes:
    """UTF-8 JSON. The standard library and not a faster one: a stored integer of any size must come back unchanged."""
    text = json.dumps(document, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


class Answer(Response):
    """A JSON response built from plain documents; times and UUIDs may still be objects."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)
