"""The library's application recorder over `store.append`: one round trip a save, ids in order of commit.

The stock recorder needs a pipelined transaction of six statements, and its function mode leaves out the lock that
keeps ids in order of commit, so that a tailing reader loses events. Here one function takes the lock, runs the guard
statements and inserts; nothing is pipelined, so a large save cannot hang.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import psycopg
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent
from eventsourcing.postgres import ConnectionPool, PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.rows import DictRow, dict_row, tuple_row

from commands.store.guards import Guard

CHANNEL = "store_events"
"""LISTEN on this channel to learn of an append; it carries no payload and may be missed, so poll as well."""

_REFUSED = "RV001"
_LOCK_TIMEOUT_SECONDS = 10
_APPEND = "SELECT * FROM store.append(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %s::jsonb)"
_APPEND_GROUPS = (
    "SELECT at, refusal FROM store.append_groups"
    "(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::integer[], %s::jsonb[]) ORDER BY group_number"
)
_STORED = "SELECT notification_id, state FROM store.events WHERE originator_id = %s AND originator_version = %s"


class Refused(Exception):
    """A guard does not hold, or the stream has moved on.

    `refusal` is `exists`, `no_quota`, `capped`, `taken:<scope>`, `missing:<scope>` or `version`.
    """

    def __init__(self, refusal: str) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Group(NamedTuple):
    """One caller's part of a bulk save."""

    events: Sequence[StoredEvent]
    guards: Sequence[Guard]


class Datastore(PostgresDatastore):
    """The library's datastore on a connection string, so that every option of libpq works."""

    def __init__(self, conninfo: str, pool_size: int = 4) -> None:
        super().__init__("", "", "", "", "", schema="store", lock_timeout=_LOCK_TIMEOUT_SECONDS)
        self.pool = ConnectionPool(
            conninfo,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row, "options": f"-c lock_timeout={_LOCK_TIMEOUT_SECONDS}s"},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=self.after_connect_func(),
            timeout=10,
        )


class EventRecorder(PostgresApplicationRecorder):
    """Appends through the locked functions; reads are the library's own. Tables come from the migrations."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, events_table_name="events")
        self.channel_name = CHANNEL

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, guards: Sequence[Guard] = (), **_: Any
    ) -> Sequence[int]:
        """Stores the events of one save, all or none. Raises Refused, IntegrityError or OperationalError.

        A connection that breaks leaves it open whether the commit happened. The state of the first event tells: it
        carries this save's own time and ids, so equal bytes at the same place can only be this save.
        """
        parameters = (*_columns(stored_events), orjson.dumps(guards).decode() if guards else None)
        try:
            return self._append(parameters)
        except OperationalError:
            first = self._position_of(stored_events[0])
            if first is not None:
                return list(range(first, first + len(stored_events)))
            return self._append(parameters)

    def insert_groups(self, groups: Sequence[Group]) -> list[tuple[int | None, str | None]]:
        """Stores many independent saves in one transaction. One (last position, refusal) a group, in order."""
        events = [event for group in groups for event in group.events]
        ends: list[int] = []
        for group in groups:
            ends.append((ends[-1] if ends else 0) + len(group.events))
        guards = [orjson.dumps(group.guards).decode() if group.guards else None for group in groups]
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_APPEND_GROUPS, (*_columns(events), ends, guards), prepare=True)
            return cursor.fetchall()

    def _append(self, parameters: tuple[Any, ...]) -> list[int]:
        try:
            with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
                cursor.execute(_APPEND, parameters, prepare=True, binary=True)
                return [row[0] for row in cursor.fetchall()]
        except Exception as error:
            cause: BaseException | None = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.sqlstate == _REFUSED:
                raise Refused(cause.diag.message_primary or "") from error
            if isinstance(error, IntegrityError):
                raise Refused("version") from error
            raise

    def _position_of(self, event: StoredEvent) -> int | None:
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_STORED, (event.originator_id, event.originator_version)).fetchone()
        return row[0] if row is not None and bytes(row[1]) == event.state else None


def _columns(events: Sequence[StoredEvent]) -> tuple[list[Any], list[int], list[str], list[bytes]]:
    return (
        [event.originator_id for event in events],
        [event.originator_version for event in events],
        [event.topic for event in events],
        [event.state for event in events],
    )
