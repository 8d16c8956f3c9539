"""Parked streams: what waits, how far behind everything is, and feeding parked streams again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from projections.engine.feeding import PARKED_LIMIT, describe, is_poison
from projections.engine.place import Place, enter, live_place, lock_live
from projections.engine.projection import BATCH, Log, Projection

_PARKED = """
SELECT p.name, p.stream_id, p.from_position, p.error, p.parked_at
FROM projection.parked p JOIN projection.position l USING (name, generation)
WHERE l.live AND (%(name)s::text IS NULL OR p.name = %(name)s)
ORDER BY p.name, p.from_position LIMIT %(limit)s
"""
_FROM = "SELECT from_position FROM projection.parked WHERE name = %s AND generation = %s AND stream_id = %s"
_RELEASE = """
WITH stream AS (DELETE FROM projection.parked WHERE name = %s AND generation = %s AND stream_id = %s
                RETURNING name, generation)
UPDATE projection.position p SET parked = p.parked - 1 FROM stream s
WHERE p.name = s.name AND p.generation = s.generation
"""
_ERROR = "UPDATE projection.parked SET error = %s WHERE name = %s AND generation = %s AND stream_id = %s"
_LAG = """
SELECT p.name, p.generation, p.position, greatest(%(head)s - p.position, 0) AS behind, p.parked,
       CASE WHEN p.position < %(head)s THEN extract(epoch FROM clock_timestamp() - p.updated_at)::float8 ELSE 0 END
           AS still_seconds
FROM projection.position p WHERE p.live ORDER BY p.name
"""


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """A stream that a projection could not take in, from the position of the event that failed."""

    name: str
    stream_id: UUID
    from_position: int
    error: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a projection is behind: `behind` in log positions.

    `still_seconds` is how long it has been behind without moving, 0 when it is not behind.
    """

    name: str
    generation: int
    position: int
    behind: int
    parked: int
    still_seconds: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """Streams that were taken in, and those that failed again and stay parked."""

    released: list[UUID]
    failed: list[UUID]


def parked(connection: Connection, name: str | None = None) -> list[ParkedStream]:
    """Parked streams of one projection or of all, oldest first, at most PARKED_LIMIT."""
    with connection.cursor(row_factory=class_row(ParkedStream)) as cursor:
        return cursor.execute(_PARKED, {"name": name, "limit": PARKED_LIMIT}).fetchall()


def lag(connection: Connection, source: Log) -> list[Lag]:
    """Every installed projection, by name; for readiness and metrics."""
    with connection.cursor(row_factory=class_row(Lag)) as cursor:
        return cursor.execute(_LAG, {"head": source.head(connection)}).fetchall()


def replay(connection: Connection, projection: Projection, source: Log, stream_id: UUID | None = None) -> Replayed:
    """Feeds parked streams (or one) again, in order, each in its own transaction; works while the runner runs.

    A stream that fails again stays parked with its new error. A stream that is not parked is no error.
    """
    outcome = Replayed([], [])
    waiting = [stream_id] if stream_id else [stream.stream_id for stream in parked(connection, projection.name)]
    for stream in waiting:
        try:
            if _release(connection, projection, source, stream):
                outcome.released.append(stream)
        except Exception as error:
            if not is_poison(error):
                raise
            _note(connection, projection.name, stream, describe(error))
            outcome.failed.append(stream)
    return outcome


def _release(connection: Connection, projection: Projection, source: Log, stream_id: UUID) -> bool:
    with connection.transaction():
        place = lock_live(connection, projection.name)
        row = connection.execute(_FROM, (place.name, place.generation, stream_id)).fetchone()
        if row is None:
            return False
        enter(connection, place)
        _take_in(connection, projection, source, place, stream_id, row[0] - 1)
        connection.execute(_RELEASE, (place.name, place.generation, stream_id))
    return True


def _take_in(
    connection: Connection, projection: Projection, source: Log, place: Place, stream_id: UUID, after: int
) -> None:
    while rows := source.read_stream_raw(connection, stream_id, after, place.position, BATCH):
        events = [source.decode(row) for row in rows if projection.wants(row.topic)]
        if events:
            projection.apply(connection, events)
        after = rows[-1].position


def _note(connection: Connection, name: str, stream_id: UUID, error: str) -> None:
    place = live_place(connection, name)
    if place is not None:
        connection.execute(_ERROR, (error, place.name, place.generation, stream_id))
