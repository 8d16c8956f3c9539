"""Text from or about people, kept beside the log so that it can be erased (architecture 5)."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from uuid import UUID, uuid4

import orjson

from commands.store.guards import Guard
from domain.event import TextRef


def private_text(environment_id: int | None, subject: str | None, body: dict[str, Any]) -> tuple[TextRef, Guard]:
    """Prepares a text: the reference for the event, and the row to write in the event's transaction.

    `subject` is whom erasing must find it by (a distinct id); `body` is a JSON object. The digest is salted with a
    random salt that is erased with the body, so that a digest left behind cannot be guessed back to its text.
    """
    reference_id = uuid4()
    salt = secrets.token_bytes(16)
    reference = TextRef(id=reference_id, digest=text_digest(salt, body))
    return reference, _row(reference_id, environment_id, subject, salt, body)


def text_digest(salt: bytes, body: dict[str, Any]) -> str:
    """SHA-256 over the salt and the canonical JSON of the body, as hexadecimal digits."""
    return hashlib.sha256(salt + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _row(reference_id: UUID, environment_id: int | None, subject: str | None, salt: bytes, body: Any) -> Guard:
    return {
        "op": "text",
        "id": str(reference_id),
        "environment_id": environment_id,
        "subject": subject,
        "salt": salt.hex(),
        "body": body,
    }
