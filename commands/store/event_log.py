"""Reading the log in order of commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection

from commands.store.mapper import EventMapper
from domain.event import Event

PAGE = 500
"""Events a read returns at most unless told otherwise; larger pages are not faster."""

_READ = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM store.events "
    "WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
)
_READ_STREAM = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM store.events "
    "WHERE originator_id = %s AND notification_id > %s AND notification_id <= %s ORDER BY originator_version LIMIT %s"
)
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM store.events"


class StoredRow(NamedTuple):
    """An event as it lies in the store. `state` is JSON."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decoded event and its place in the log."""

    position: int
    event: Event


class EventLog:
    """The log of one database. Every read goes through a connection of the caller's, inside its transaction if any."""

    def __init__(self, mapper: EventMapper | None = None) -> None:
        self._mapper = mapper or EventMapper()

    def read_raw(self, connection: Connection, after: int, limit: int = PAGE) -> list[StoredRow]:
        """Rows with positions above `after`, in order, at most `limit`. Positions grow but have gaps."""
        cursor = connection.execute(_READ, (after, limit), prepare=True, binary=True)
        return [StoredRow(*row) for row in cursor]

    def read_stream_raw(
        self, connection: Connection, stream_id: UUID, after: int, until: int, limit: int = PAGE
    ) -> list[StoredRow]:
        """Rows of one stream with positions in (after, until], in order, at most `limit`."""
        cursor = connection.execute(_READ_STREAM, (stream_id, after, until, limit), prepare=True, binary=True)
        return [StoredRow(*row) for row in cursor]

    def decode(self, row: StoredRow) -> Recorded:
        """Raises KeyError for an unknown topic, ValueError for a state that does not fit (EventMapper.decode)."""
        return Recorded(row.position, self._mapper.decode(row.stream_id, row.version, row.topic, row.state))

    def read(self, connection: Connection, after: int, limit: int = PAGE) -> list[Recorded]:
        return [self.decode(row) for row in self.read_raw(connection, after, limit)]

    def head(self, connection: Connection) -> int:
        """The highest position, 0 for an empty log."""
        row = connection.execute(_HEAD, prepare=True).fetchone()
        return row[0] if row else 0
