"""The audit history: who changed what, oldest first, by opaque cursors (extensions, Audit)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from domain.errors import Invalid
from domain.tenant import Tenant
from projections.queries.users import USER_COLUMNS, USER_JOIN, Document, user_document

LARGEST_PAGE = 1000

_SELECT = f"""
SELECT e.position, e.type, e.stream_type, e.stream_id, e.version, e.recorded_at, e.actor_type, e.key_prefix, e.role,
       e.changes, e.correlation_id, e.causation_id, {USER_COLUMNS}
FROM read_history.entry e {USER_JOIN.format(column="e.user_id")}
WHERE e.environment_id = %(environment_id)s
"""  # noqa: S608 - columns of our own
_CURSOR = re.compile(r"(after|before):([0-9]{1,18})")
_ACTOR_TYPES = ("user", "key", "system")


@dataclass(frozen=True, slots=True)
class HistoryFilters:
    """Empty values and None mean no filter.

    `actor`: a user's id, a key's prefix, a role of the system, or one of `user`, `key`, `system`. `stream`: an object's
    id, or a kind (`scanner`, `observation`, ...). `after` and `before` bound recorded_at: after <= it < before.
    """

    types: Sequence[str] = ()
    actor: str = ""
    stream: str = ""
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries as documents, and cursors of the pages around; None where there is no further page."""

    entries: list[Document]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class _Cursor:
    direction: Literal["after", "before"]
    position: int

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.direction}:{self.position}".encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _Cursor:
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            plain = ""
        match = _CURSOR.fullmatch(plain)
        if match is None:
            raise Invalid("cursor", "invalid_input", "The cursor is invalid.")
        return cls("after" if match[1] == "after" else "before", int(match[2]))


def page(
    connection: Connection, tenant: Tenant, filters: HistoryFilters, cursor: str | None = None, limit: int = 100
) -> HistoryPage:
    """A page of at most `limit` (1 to LARGEST_PAGE) entries, oldest first. Works for deleted objects.

    Raises Invalid on `cursor` for a cursor that this function did not give.
    """
    at = _Cursor.read(cursor) if cursor else _Cursor("after", 0)
    size = min(max(limit, 1), LARGEST_PAGE)
    conditions, values = _conditions(filters)
    values |= {"environment_id": tenant.environment_id, "position": at.position, "limit": size + 1}
    compare, direction = (">", "ASC") if at.direction == "after" else ("<", "DESC")
    tail = f"{conditions} AND e.position {compare} %(position)s ORDER BY e.position {direction} LIMIT %(limit)s"
    rows = connection.execute((_SELECT + tail).encode(), values).fetchall()
    more, rows = len(rows) > size, rows[:size]
    entries = [_entry(row) for row in (rows if at.direction == "after" else reversed(rows))]
    return _around(at, entries, more=more)


def _around(at: _Cursor, entries: list[Document], *, more: bool) -> HistoryPage:
    first = entries[0]["position"] if entries else at.position
    last = entries[-1]["position"] if entries else at.position
    if at.direction == "after":
        return HistoryPage(
            entries,
            next=str(_Cursor("after", last)) if more else None,
            previous=str(_Cursor("before", first if entries else first + 1)) if at.position else None,
        )
    return HistoryPage(
        entries,
        next=str(_Cursor("after", last if entries else last - 1)),
        previous=str(_Cursor("before", first)) if more else None,
    )


def _conditions(filters: HistoryFilters) -> tuple[str, dict[str, Any]]:
    used: dict[str, tuple[str, Any]] = {}
    if filters.types:
        used["types"] = ("e.type = ANY(%(types)s)", list(filters.types))
    if filters.actor:
        used["actor"] = _actor(filters.actor)
    if filters.stream:
        used["stream"] = _stream(filters.stream)
    if filters.after is not None:
        used["after"] = ("e.recorded_at >= %(after)s", filters.after)
    if filters.before is not None:
        used["before"] = ("e.recorded_at < %(before)s", filters.before)
    return "".join(f" AND {condition}" for condition, _ in used.values()), {n: value for n, (_, value) in used.items()}


def _actor(actor: str) -> tuple[str, Any]:
    if actor in _ACTOR_TYPES:
        return "e.actor_type = %(actor)s", actor
    if actor.isascii() and actor.isdigit():
        return "e.user_id = %(actor)s::numeric", actor
    return "%(actor)s IN (e.key_prefix, e.role)", actor


def _stream(stream: str) -> tuple[str, Any]:
    try:
        return "e.stream_id = %(stream)s", UUID(stream)
    except ValueError:
        return "e.stream_type = %(stream)s", stream


def _entry(row: tuple[Any, ...]) -> Document:
    (
        position, kind, stream_type, stream_id, version, recorded_at, actor_type, key_prefix, role, changes,
        correlation_id, causation_id, *user,
    ) = row  # fmt: skip
    return {
        "position": position,
        "id": f"{stream_id}:{version}",
        "type": kind,
        "stream": {"type": stream_type, "id": stream_id},
        "version": version,
        "recorded_at": recorded_at,
        "actor": {"type": actor_type, "user": user_document(*user), "key_prefix": key_prefix, "role": role},
        "changes": changes,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
    }
