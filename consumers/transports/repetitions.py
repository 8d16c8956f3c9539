"""Leaves out records that a group has seen before: repeated by a relay, or published twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

import psycopg

from consumers.transports.port import Record

_REMEMBER = """
INSERT INTO log.seen (grp, topic_id, id) SELECT %s, %s, unnest(%s::uuid[]) ON CONFLICT DO NOTHING RETURNING id
"""

_TAKE_BACK = "DELETE FROM log.seen WHERE grp = %s AND topic_id = %s AND id = ANY (%s::uuid[])"

# now(), and not the clock, which would keep the index from being used.
_FORGET = """
DELETE FROM log.seen WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM log.seen WHERE at < now() - %s ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED))
"""


def without_repetitions(records: Sequence[Record], highest: int | None) -> Sequence[Record]:
    """Leaves out relayed records at or below the highest source id seen before them."""
    fresh: list[Record] = []
    for record in records:
        source_id = record.source_id
        if source_id is not None:
            if highest is not None and source_id <= highest:
                continue
            highest = source_id
        fresh.append(record)
    return fresh


def unseen(conn: psycopg.Connection, group: str, topic_id: int, records: Sequence[Record]) -> Sequence[Record]:
    """Leaves out records whose event id the group has handled, and remembers the others in this transaction.

    Relayed records stay: their source ids tell.
    """
    first: dict[UUID, Record] = {}
    for record in records:
        if record.source_id is None:
            first.setdefault(_short(record.event_id), record)
    if not first:
        return records
    fresh = {row[0] for row in conn.execute(_REMEMBER, (group, topic_id, list(first)))}
    kept = {id(record) for short, record in first.items() if short in fresh}
    return [record for record in records if record.source_id is not None or id(record) in kept]


def forget_ids(conn: psycopg.Connection, group: str, topic_id: int, records: Sequence[Record]) -> None:
    """Takes back that these were remembered: they are not handled after all."""
    ids = [_short(record.event_id) for record in records if record.source_id is None]
    if ids:
        conn.execute(_TAKE_BACK, (group, topic_id, ids))


def forget_seen(conn: psycopg.Connection, older_than: timedelta, limit: int) -> int:
    """Forgets up to ``limit`` ids that are older; answers how many there were."""
    return conn.execute(_FORGET, (older_than, limit)).rowcount


def _short(event_id: str) -> UUID:
    """16 bytes in an index instead of up to 255 characters."""
    return UUID(bytes=blake2b(event_id.encode(), digest_size=16).digest())
