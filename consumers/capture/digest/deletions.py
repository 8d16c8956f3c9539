"""Deleted sessions, as capture knows them: what it takes nothing in for, and what has to be erased.

A row is made before anything is erased, and both sides hold the session's row while they look and write. So whoever
stores a batch either sees the deletion, or is seen by whoever erases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from threading import Event

import psycopg

from consumers.relayed import relayed
from consumers.transports.port import Poison, Record

GROUP = "eraser"
EVENT = "SessionDeleted"

_ADD = """
INSERT INTO capture.deleted_session (environment_id, session_id, deleted_at) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING
"""

_DELETED = """
SELECT environment_id, session_id FROM capture.deleted_session
JOIN unnest(%s::integer[], %s::text[]) AS wanted (environment_id, session_id) USING (environment_id, session_id)
"""

# There may be a blob of what was dropped, so the session is looked through once more.
_DROPPED = """
UPDATE capture.deleted_session SET dropped = dropped + %s, erased_at = NULL
WHERE environment_id = %s AND session_id = %s
"""

Session = tuple[int, str]


def deleted(conn: psycopg.Connection, wanted: Collection[Session]) -> set[Session]:
    """Which of these sessions were deleted, as of now."""
    columns = [[one for one, _ in wanted], [other for _, other in wanted]]
    return {(row[0], row[1]) for row in conn.execute(_DELETED, columns)}


def note_dropped(conn: psycopg.Connection, counts: Mapping[Session, int]) -> None:
    """Counts batches that came too late, and has the sessions looked through again.

    Comes last in a transaction: it waits for whoever is erasing, who may wait for the sessions that the caller holds.
    """
    for (environment_id, session_id), count in sorted(counts.items()):
        conn.execute(_DROPPED, (count, environment_id, session_id))


def dropped_batches(conn: psycopg.Connection) -> int:
    """How many batches of deleted sessions were passed over, ever; for metrics."""
    row = conn.execute("SELECT coalesce(sum(dropped), 0)::bigint FROM capture.deleted_session").fetchone()
    return row[0] if row else 0


class DeletionHandler:
    """The transport handler of the topic `events`: takes deletions in. Hearing of one again changes nothing."""

    def __init__(self) -> None:
        self.due = Event()
        """Set when there may be something to erase."""

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            event = relayed(record)
            if event.type != EVENT:
                continue
            try:
                values = (int(event.data["environment_id"]), str(event.data["session_id"]), event.recorded_at)
            except (KeyError, TypeError, ValueError) as error:
                raise Poison(record, f"no {EVENT}") from error
            conn.execute(_ADD, values)
            self.due.set()
