"""What a projection is, and what it needs of the event log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from domain.event import Event

BATCH = 500
"""Events of one transaction (architecture 6)."""

TABLES = Path(__file__).resolve().parent.parent / "tables"


class StoredRow(Protocol):
    """An event as it lies in the log, not yet decoded."""

    @property
    def position(self) -> int: ...
    @property
    def stream_id(self) -> UUID: ...
    @property
    def topic(self) -> str: ...


class Recorded(Protocol):
    """A decoded event and its place in the log."""

    @property
    def position(self) -> int: ...
    @property
    def event(self) -> Event: ...


class Log(Protocol):
    """The event log, read over a connection of the caller's. `commands.store.event_log.EventLog` is one."""

    def read_raw(self, connection: Connection, after: int, limit: int = BATCH) -> Sequence[StoredRow]:
        """Rows with positions above `after`, in order of commit, at most `limit`."""
        ...

    def read_stream_raw(
        self, connection: Connection, stream_id: UUID, after: int, until: int, limit: int = BATCH
    ) -> Sequence[StoredRow]:
        """Rows of one stream with positions in (after, until], in order, at most `limit`."""
        ...

    def decode(self, row: Any) -> Recorded:
        """A row that this log gave. Raises any exception for one that cannot be decoded."""
        ...

    def head(self, connection: Connection) -> int:
        """The highest position, 0 for an empty log."""
        ...


Apply = Callable[[Connection, Sequence[Recorded]], None]
Tidy = Callable[[Connection, int], bool]


@dataclass(frozen=True, slots=True)
class Projection:
    """Tables that answer one question, and how events change them.

    `handles`: the event classes it wants, None for all. `apply` writes up to BATCH events, in order; tables are named
    without a schema, the engine sets the search path. An exception about one event parks that event's stream, so apply
    must depend on nothing but the tables and the events. `tidy(connection, limit)` drops at most `limit` rows that no
    query shows any more and says whether there is more to do. `hidden`: conditions, by table, of rows that no query
    shows and that a comparison leaves out; `{schema}` stands for the schema.
    """

    name: str
    handles: frozenset[type[Event]] | None
    apply: Apply
    tidy: Tidy | None = None
    hidden: Mapping[str, str] = field(default_factory=dict[str, str])
    sql: str = ""
    """The statements that make its tables; empty: read from `tables/<name>.sql`."""

    topics: frozenset[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.sql:
            object.__setattr__(self, "sql", (TABLES / f"{self.name}.sql").read_text(encoding="utf-8"))
        if self.handles is not None:
            object.__setattr__(self, "topics", frozenset(event.TOPIC for event in self.handles))

    def wants(self, topic: str) -> bool:
        return self.topics is None or topic in self.topics

    @property
    def digest(self) -> str:
        """Tells whether tables were made by the same statements."""
        return hashlib.sha256(self.sql.encode()).hexdigest()
