"""The rows of sessions and their parts, as the consumer writes them, all in the handler's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from consumers.capture.digest.active_time import New, added, to_json
from consumers.capture.digest.activity import Activity
from consumers.capture.digest.facts import COUNTS, Facts, earliest, from_state, in_order, to_state
from consumers.capture.digest.parts import Part

_COUNTED = ("first_timestamp", "last_timestamp", *COUNTS)

_MAKE = """
    INSERT INTO capture.session (environment_id, session_id)
    SELECT * FROM unnest(%s::integer[], %s::text[])
    ON CONFLICT DO NOTHING
"""

_LOCK = f"""
    SELECT environment_id, session_id, state, active_milliseconds, last_received_at, {", ".join(_COUNTED)}
    FROM capture.session
    JOIN unnest(%s::integer[], %s::text[]) AS wanted (environment_id, session_id) USING (environment_id, session_id)
    ORDER BY environment_id, session_id
    FOR UPDATE OF session
"""  # noqa: S608 - columns of our own

_UNMAKE = """
    DELETE FROM capture.session
    USING unnest(%s::integer[], %s::text[]) AS made (environment_id, session_id)
    WHERE session.environment_id = made.environment_id AND session.session_id = made.session_id AND state IS NULL
"""

_KNOWN = """
    SELECT environment_id, session_id, uuid
    FROM capture.part
    JOIN unnest(%s::integer[], %s::text[], %s::uuid[]) AS given (environment_id, session_id, uuid)
        USING (environment_id, session_id, uuid)
"""

_PART_COLUMNS = {
    "environment_id": "integer",
    "session_id": "text",
    "uuid": "uuid",
    "window_id": "text",
    "blob": "text",
    "blob_offset": "bigint",
    "blob_length": "bigint",
    "size": "bigint",
    "event_count": "integer",
    "unreadable_count": "integer",
    "first_timestamp": "bigint",
    "last_timestamp": "bigint",
    "sent_at": "timestamptz",
    "received_at": "timestamptz",
    "arrived_at": "timestamptz",
    "activity": "jsonb",
}

_INSERT_PARTS = f"""
    INSERT INTO capture.part ({", ".join(_PART_COLUMNS)})
    SELECT {", ".join(_PART_COLUMNS)}
    FROM jsonb_to_recordset(%s) AS new (place integer, {", ".join(f"{n} {t}" for n, t in _PART_COLUMNS.items())})
    ORDER BY place
"""  # noqa: S608 - columns of our own

_SAVED = {
    **dict.fromkeys((*_COUNTED, "active_milliseconds"), "bigint"),
    "distinct_id": "text",
    "distinct_ids": "text[]",
    "start_url": "text",
    "urls": "text[]",
    "windows": "text[]",
    "snapshot_source": "text",
    "snapshot_library": "text",
    "state": "jsonb",
}

_NEW_FACTS = {
    "environment_id": "integer",
    "session_id": "text",
    **_SAVED,
    "first_received_at": "timestamptz",
    "last_received_at": "timestamptz",
}

_SAVE = f"""
    UPDATE capture.session SET
        {", ".join(f"{name} = new.{name}" for name in _SAVED)},
        first_received_at = least(session.first_received_at, new.first_received_at),
        last_received_at = greatest(session.last_received_at, new.last_received_at),
        last_arrived_at = greatest(session.last_arrived_at, %(arrived_at)s),
        reopened = session.reopened + (session.settle_number IS NOT NULL)::integer,
        settle_number = NULL,
        settled_at = NULL
    FROM jsonb_to_recordset(%(new)s) AS new ({", ".join(f"{n} {t}" for n, t in _NEW_FACTS.items())})
    WHERE session.environment_id = new.environment_id AND session.session_id = new.session_id
"""  # noqa: S608 - columns of our own

Session = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A session so far. The facts' activity is only what the rows of its parts do not tell (schema 0035)."""

    facts: Facts
    active_milliseconds: int
    last_received_at: datetime


State = Known | None
"""None for a session that this transaction has just made."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A part and where its bytes lie."""

    part: Part
    blob: str
    offset: int
    length: int


def lock(conn: psycopg.Connection, wanted: Sequence[Session]) -> dict[Session, State]:
    """The sessions' facts so far, their rows made where missing and locked until the transaction ends.

    `wanted` must be sorted and without repeats: everybody locks in the same order.
    """
    environment_ids, session_ids = [one for one, _ in wanted], [other for _, other in wanted]
    rows: list[dict[str, Any]] = []
    # A row that is there may be removed between the two statements: by its deletion, or at the end of its retention.
    while len(rows) < len(wanted):
        conn.execute(_MAKE, (environment_ids, session_ids))
        with conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(_LOCK, (environment_ids, session_ids)).fetchall()
    return {
        (row["environment_id"], row["session_id"]): None
        if row["state"] is None
        else Known(
            from_state(
                row["first_timestamp"], row["last_timestamp"], {name: row[name] for name in COUNTS}, row["state"]
            ),
            row["active_milliseconds"],
            row["last_received_at"],
        )
        for row in rows
    }


def unmake(conn: psycopg.Connection, made: Sequence[Session]) -> None:
    """Removes rows that `lock` has just made and nothing was merged into."""
    conn.execute(_UNMAKE, ([one for one, _ in made], [other for _, other in made]))


def known_parts(conn: psycopg.Connection, names: Sequence[tuple[int, str, UUID]]) -> set[tuple[int, str, UUID]]:
    """Which of (environment, session, uuid) are stored already. True until the end only under `lock`."""
    columns = [list(column) for column in zip(*names, strict=True)]
    return {(row[0], row[1], row[2]) for row in conn.execute(_KNOWN, columns)}


def insert_parts(conn: psycopg.Connection, placed: Sequence[Placed], arrived_at: datetime) -> None:
    """New parts, those of each session in the order in which they arrived."""
    rows = [
        {
            "place": place,
            "environment_id": part.environment_id,
            "session_id": part.session_id,
            "uuid": part.uuid,
            "window_id": part.window_id,
            "blob": where.blob,
            "blob_offset": where.offset,
            "blob_length": where.length,
            "size": part.facts.counts["size"],
            "event_count": part.facts.counts["event_count"],
            "unreadable_count": part.unreadable_count,
            "first_timestamp": part.facts.first_timestamp,
            "last_timestamp": part.facts.last_timestamp,
            "sent_at": part.sent_at,
            "received_at": part.received_at,
            "arrived_at": arrived_at,
            "activity": to_json(part.facts.activity),
        }
        for place, where in enumerate(placed)
        for part in [where.part]
    ]
    conn.execute(_INSERT_PARTS.encode(), (Jsonb(rows, orjson.dumps),))


def save(
    conn: psycopg.Connection, new: Mapping[Session, Sequence[Part]], states: Mapping[Session, State], now: datetime
) -> None:
    """Merges new parts (at least one a session, not inserted yet) into sessions. A settled one is open again."""
    found = {session: parts[0].facts.merge(*(part.facts for part in parts[1:])) for session, parts in new.items()}
    told = {session: before.facts.activity if (before := states[session]) else Activity() for session in new}
    gained = added(
        conn,
        [New(session, facts.activity, told[session], states[session] is not None) for session, facts in found.items()],
    )
    rows: list[dict[str, object]] = []
    for (session, facts), active in zip(found.items(), gained, strict=True):
        before = states[session]
        merged = before.facts.merge(facts) if before else facts
        total = (before.active_milliseconds if before else 0) + active
        rows.append(_row(session, replace(merged, activity=told[session]), total, new[session]))
    conn.execute(_SAVE.encode(), {"new": Jsonb(rows, orjson.dumps), "arrived_at": now})


def _row(session: Session, facts: Facts, active: int, new: Sequence[Part]) -> dict[str, object]:
    return {
        **facts.counts,
        "first_timestamp": facts.first_timestamp,
        "last_timestamp": facts.last_timestamp,
        "environment_id": session[0],
        "session_id": session[1],
        "active_milliseconds": active,
        "distinct_id": earliest(facts.seen["distinct_ids"]),
        "distinct_ids": in_order(facts.seen["distinct_ids"]),
        "start_url": earliest(facts.seen["urls"]),
        "urls": in_order(facts.seen["urls"]),
        "windows": in_order(facts.seen["windows"]),
        "snapshot_source": earliest(facts.seen["sources"]),
        "snapshot_library": earliest(facts.seen["libraries"]),
        "state": to_state(facts),
        "first_received_at": min(part.received_at for part in new),
        "last_received_at": max(part.received_at for part in new),
    }
