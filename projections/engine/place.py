"""Where a generation of a projection stands in the log, and moving it by compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg import Connection, sql

from projections.engine.projection import Projection

_LIVE = "SELECT name, generation, live, position, parked FROM projection.position WHERE name = %s AND live"
_LOCK = f"{_LIVE} FOR UPDATE"
_ADVANCE = """
UPDATE projection.position SET position = %s, updated_at = clock_timestamp()
WHERE name = %s AND generation = %s AND live = %s AND position = %s
RETURNING parked, set_config('search_path', %s, true)
"""
_MAKE = "INSERT INTO projection.position (name, generation, live, tables) VALUES (%s, %s, %s, %s)"


class Moved(Exception):
    """Somebody else moved the position, or a rebuild put another generation in place: read it again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A generation of a projection and the last position it has taken in. `parked`: streams that wait."""

    name: str
    generation: int
    live: bool
    position: int
    parked: int

    @property
    def schema(self) -> str:
        return schema_of(self.name, live=self.live)


def schema_of(name: str, *, live: bool = True) -> str:
    """The PostgreSQL schema of a projection's tables."""
    return f"read_{name}" if live else f"read_{name}_next"


def live_place(connection: Connection, name: str) -> Place | None:
    """Where the live generation stands; None when the projection is not installed."""
    row = connection.execute(_LIVE, (name,)).fetchone()
    return Place(*row) if row else None


def lock_live(connection: Connection, name: str) -> Place:
    """As `live_place`, and nobody moves it until the caller's transaction ends. Raises Moved when not installed."""
    row = connection.execute(_LOCK, (name,)).fetchone()
    if row is None:
        message = f"projection {name} is not installed"
        raise Moved(message)
    return Place(*row)


def advance(connection: Connection, place: Place, to: int) -> Place:
    """The first statement of every batch: moves the position only from the value that was read.

    A batch that lost its race (an advisory lock lost with its connection, a rebuild's swap) changes nothing and must
    roll back. Also sets the search path to the generation's schema until the transaction ends. Raises Moved.
    """
    values = (to, place.name, place.generation, place.live, place.position, place.schema)
    row = connection.execute(_ADVANCE, values, prepare=True).fetchone()
    if row is None:
        raise Moved(place.name)
    return replace(place, position=to, parked=row[0])


def enter(connection: Connection, place: Place) -> None:
    """Sets the search path to the generation's schema until the transaction ends."""
    connection.execute("SELECT set_config('search_path', %s, true)", (place.schema,))


def create(connection: Connection, projection: Projection, generation: int, *, live: bool) -> Place:
    """Makes the tables of a new generation, at position 0, in the caller's transaction, whose search path it sets."""
    place = Place(projection.name, generation, live, 0, 0)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(place.schema)))
    enter(connection, place)
    connection.execute(projection.sql.encode())
    connection.execute(_MAKE, (projection.name, generation, live, projection.digest))
    return place
