"""The library's application recorder over `store.append`: one round trip a save, ids in order of commit.

The stock recorder needs a pipelined transaction of six statements, and its function mode leaves out the lock that
keeps ids in order of commit, so that a tailing reader loses events. Here one function takes the lock, runs the guard
statements and inserts; nothing is pipelined, so a large save cannot hang.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, LiteralString, NamedTuple

import orjson
import psycopg
from eventsourcing.persistence import OperationalError, StoredEvent
from eventsourcing.postgres import ConnectionPool, PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection
from psycopg.rows import DictRow, dict_row, tuple_row

from commands.store.guards import Guard
from commands.store.once import REPEATED, Once, find

CHANNEL = "store_events"
"""LISTEN on this channel to learn of an append; it carries no payload and may be missed, so poll as well."""

_REFUSED = "RV001"
_STREAM_VERSION = "events_pkey"
_LOCK_TIMEOUT_SECONDS = 10
_APPEND = "SELECT * FROM store.append(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %s::jsonb)"
_APPEND_ONCE = (
    "SELECT * FROM store.append_once(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %s::jsonb, %s::jsonb)"
)
_APPEND_GROUPS = (
    "SELECT at, refusal FROM store.append_groups"
    "(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::integer[], %s::jsonb[]) ORDER BY group_number"
)
_APPEND_GROUPS_ONCE = (
    "SELECT at, refusal FROM store.append_groups_once"
    "(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::integer[], %s::jsonb[], %s::jsonb) ORDER BY group_number"
)
_STORED = (
    "SELECT e.notification_id, e.state FROM unnest(%b::uuid[], %b::bigint[]) WITH ORDINALITY AS u(id, version, n) "
    "LEFT JOIN store.events e ON e.originator_id = u.id AND e.originator_version = u.version ORDER BY u.n"
)


class Refused(Exception):
    """A guard does not hold, or the stream has moved on.

    `refusal` is `exists`, `no_quota`, `capped`, `day_full`, `taken:<scope>`, `missing:<scope>`, `full:<scope>`,
    `version` or `repeated`.
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

    def __init__(self, conninfo: str, pool_size: int = 4, lock_timeout: int = _LOCK_TIMEOUT_SECONDS) -> None:
        """`lock_timeout` is in seconds: how long an append waits for its turn."""
        super().__init__("", "", "", "", "", schema="store", lock_timeout=lock_timeout)
        self.pool = ConnectionPool(
            conninfo,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row, "options": f"-c lock_timeout={lock_timeout}s"},
            min_size=1,
            max_size=pool_size,
            open=False,
            configure=self.after_connect_func(),
            timeout=10,
            reconnect_timeout=5,
        )


class EventRecorder(PostgresApplicationRecorder):
    """Appends through the locked functions; reads are the library's own. Tables come from the migrations."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, events_table_name="events")
        self.channel_name = CHANNEL

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        guards: Sequence[Guard] = (),
        once: Once | None = None,
        **_: Any,
    ) -> Sequence[int]:
        """Stores the events of one save, all or none. Raises Refused, IntegrityError or OperationalError."""
        parameters = (*_columns(stored_events), orjson.dumps(guards).decode() if guards else None)
        statement = _APPEND
        if once is not None:
            statement, parameters = _APPEND_ONCE, (*parameters, once.document())
        try:
            return self._append(statement, parameters)
        except OperationalError as error:
            self._check_broken(error)
        if (before := self._stored(stored_events)) is not None:
            return before
        try:
            return self._append(statement, parameters)
        except Refused:
            if (meanwhile := self._stored(stored_events)) is not None:
                return meanwhile
            raise

    def insert_groups(self, groups: Sequence[Group], once: Once | None = None) -> list[tuple[int | None, str | None]]:
        """Stores many independent saves in one transaction. One (last position, refusal) a group, in order.

        With `once`, Refused `repeated` when the key was used before; then nothing of any group is stored.
        """
        try:
            return self._append_groups(groups, once)
        except OperationalError as error:
            self._check_broken(error)
        last = [group.events[-1] for group in groups]
        before = self._positions(last)
        missing = [number for number, position in enumerate(before) if position is None]
        if once is not None and len(missing) < len(groups):
            # The first attempt was stored, as a whole: what is missing of it was refused.
            return self._outcomes(groups, once)
        try:
            answers = self._append_groups([groups[number] for number in missing], once) if missing else []
        except Refused as refused:
            if once is None or refused.refusal != REPEATED or self._positions(last) == before:
                raise
            return self._outcomes(groups, once)
        again = dict(zip(missing, answers, strict=True))
        return [
            again[number] if position is None else (position, None)
            for number, position in enumerate(self._positions(last))
        ]

    def _append_groups(self, groups: Sequence[Group], once: Once | None) -> list[tuple[int | None, str | None]]:
        events = [event for group in groups for event in group.events]
        ends = list(accumulate(len(group.events) for group in groups))
        guards = [orjson.dumps(group.guards).decode() if group.guards else None for group in groups]
        parameters = (*_columns(events), ends, guards)
        if once is None:
            return self._fetched(_APPEND_GROUPS, parameters)
        return self._fetched(_APPEND_GROUPS_ONCE, (*parameters, once.document()))

    def _append(self, statement: LiteralString, parameters: tuple[Any, ...]) -> list[int]:
        return [row[0] for row in self._fetched(statement, parameters, binary=True)]

    def _fetched(
        self, statement: LiteralString, parameters: tuple[Any, ...], *, binary: bool | None = None
    ) -> list[Any]:
        """The rows of an append. Raises Refused for what the store refuses as a whole."""
        try:
            with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
                cursor.execute(statement, parameters, prepare=True, binary=binary)
                return cursor.fetchall()
        except Exception as error:
            cause: BaseException | None = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.sqlstate == _REFUSED:
                raise Refused(cause.diag.message_primary or "") from error
            if isinstance(cause, psycopg.errors.UniqueViolation) and cause.diag.constraint_name == _STREAM_VERSION:
                raise Refused("version") from error
            raise

    def _outcomes(self, groups: Sequence[Group], once: Once) -> list[tuple[int | None, str | None]]:
        """What became of groups whose append was stored although its connection broke."""
        with self.datastore.get_connection() as connection:
            kept = find(connection, once)
        if kept is None or kept.request != once.request:
            raise Refused(REPEATED)
        by_stream = {str(one.stream): (one.position, one.refusal) for one in kept.outcomes}
        return [by_stream[str(group.events[-1].originator_id)] for group in groups]

    def _check_broken(self, error: OperationalError) -> None:
        """Prepares for another attempt after a connection broke; raises `error` again when that was not it.

        A broken connection leaves open whether the commit happened, or still will: its backend may be waiting for the
        lock. So what is stored is looked at before another attempt and, when that is refused, after it too. An event
        carries its save's own time and ids: equal bytes at the same place can only be this save.
        """
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise error
        self.datastore.pool.check()

    def _stored(self, events: Sequence[StoredEvent]) -> list[int] | None:
        first = self._positions(events[:1])[0]
        return None if first is None else list(range(first, first + len(events)))

    def _positions(self, events: Sequence[StoredEvent]) -> list[int | None]:
        """Where these very events are stored, None for those that are not."""
        ids, versions, _, _ = _columns(events)
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_STORED, (ids, versions)).fetchall()
        return [
            position if state is not None and bytes(state) == event.state else None
            for event, (position, state) in zip(events, rows, strict=True)
        ]


def _columns(events: Sequence[StoredEvent]) -> tuple[list[Any], list[int], list[str], list[bytes]]:
    return (
        [event.originator_id for event in events],
        [event.originator_version for event in events],
        [event.topic for event in events],
        [event.state for event in events],
    )
