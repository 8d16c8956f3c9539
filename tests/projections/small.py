"""A projection of its own for tests of the engine: how often each scanner was named, and how last."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection

from domain.scanner import ScannerCreated, ScannerRenamed
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table

POISON = "poison"
"""A scanner with this name cannot be taken in."""


@dataclass(slots=True)
class Row:
    id: UUID
    name: str
    seen: int
    tags: list[str]


_SEEN = Table("seen", Row, ("id",), {"id": "uuid", "name": "text", "seen": "bigint", "tags": "text[]"})


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    rows = {row.id: row for row in _SEEN.load(connection, "id", {item.event.originator_id for item in recorded})}
    for item in recorded:
        event = item.event
        if not isinstance(event, ScannerCreated | ScannerRenamed):
            raise TypeError(event.TOPIC)
        if event.name == POISON:
            raise ValueError(POISON)
        row = rows.setdefault(event.originator_id, Row(event.originator_id, "", 0, []))
        row.name, row.seen, row.tags = event.name, row.seen + 1, [*row.tags, event.name]
    _SEEN.put(connection, list(rows.values()))


SEEN = Projection(
    name="seen",
    handles=frozenset({ScannerCreated, ScannerRenamed}),
    apply=_apply,
    sql="CREATE TABLE seen (id uuid PRIMARY KEY, name text NOT NULL, seen bigint NOT NULL, tags text[] NOT NULL)",
)


def named(connection: Connection) -> list[str]:
    rows = connection.execute('SELECT name FROM read_seen.seen ORDER BY name COLLATE "C"')
    return [row[0] for row in rows]
