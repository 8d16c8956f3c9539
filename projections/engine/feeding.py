"""Taking a page of the log into one projection, and parking what cannot be taken in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import psycopg
from psycopg import Connection

from projections.engine.place import Moved, Place, advance
from projections.engine.projection import Log, Projection, Recorded, StoredRow

PARKED_LIMIT = 1000
"""Streams that may be parked. With more, something other than single events is wrong, and the projection stops."""

ERROR_LENGTH = 2000

_PARKED = "SELECT stream_id FROM projection.parked WHERE name = %s AND generation = %s"
_PARK = """
WITH stream AS (
    INSERT INTO projection.parked (name, generation, stream_id, from_position, error) VALUES (%s, %s, %s, %s, %s)
    RETURNING name, generation)
UPDATE projection.position p SET parked = p.parked + 1 FROM stream s
WHERE p.name = s.name AND p.generation = s.generation
"""

log = logging.getLogger("replay_vision.projections")

Decode = Callable[[StoredRow], Recorded]


class TooManyParked(Exception):
    """A projection has PARKED_LIMIT parked streams; it goes on after a replay."""


class Page:
    """Rows of the log, decoded at most once however many projections take them in."""

    def __init__(self, source: Log, rows: Sequence[StoredRow]) -> None:
        self.rows = rows
        self._source = source
        self._decoded: dict[int, Recorded] = {}

    def decode(self, row: StoredRow) -> Recorded:
        """Raises whatever the log raises for a row that cannot be decoded."""
        found = self._decoded.get(row.position)
        if found is None:
            found = self._decoded[row.position] = self._source.decode(row)
        return found


def feed(
    connection: Connection, projection: Projection, place: Place, rows: Sequence[StoredRow], decode: Decode
) -> Place:
    """Takes rows that follow `place` into the projection and returns its new place; needs at least one row.

    One transaction; when an event fails, the rows are halved until it is alone, then its stream is parked and the rest
    goes on. Raises Moved, TooManyParked, and any error that no single event is to blame for.
    """
    if not any(projection.wants(row.topic) for row in rows):
        return advance(connection, place, rows[-1].position)
    try:
        with connection.transaction():
            moved = advance(connection, place, rows[-1].position)
            events = _events(connection, projection, moved, rows, decode)
            if events:
                projection.apply(connection, events)
    except Exception as error:
        if not is_poison(error):
            raise
        if len(rows) == 1:
            return _park(connection, place, rows[0], error)
    else:
        return moved
    half = len(rows) // 2
    place = feed(connection, projection, place, rows[:half], decode)
    return feed(connection, projection, place, rows[half:], decode)


def is_poison(error: BaseException) -> bool:
    """Whether an event can be to blame: bad data, not a missing table, a lost connection or a full disk.

    Of PostgreSQL's errors: data exceptions, broken constraints, program limits, and RAISE.
    """
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.DataError | psycopg.IntegrityError) or (error.sqlstate or "")[:2] in {
            "54",
            "P0",
        }
    return isinstance(error, Exception) and not isinstance(error, Moved | TooManyParked | OSError | MemoryError)


def _events(
    connection: Connection, projection: Projection, place: Place, rows: Sequence[StoredRow], decode: Decode
) -> list[Recorded]:
    wanted = [row for row in rows if projection.wants(row.topic)]
    if wanted and place.parked:
        waiting = parked_streams(connection, place)
        wanted = [row for row in wanted if row.stream_id not in waiting]
    return [decode(row) for row in wanted]


def parked_streams(connection: Connection, place: Place) -> set[UUID]:
    return {row[0] for row in connection.execute(_PARKED, (place.name, place.generation))}


def _park(connection: Connection, place: Place, row: StoredRow, error: Exception) -> Place:
    if place.parked >= PARKED_LIMIT:
        message = f"projection {place.name} has {place.parked} parked streams and stops"
        raise TooManyParked(message) from error
    with connection.transaction():
        moved = advance(connection, place, row.position)
        values = (place.name, place.generation, row.stream_id, row.position, describe(error))
        connection.execute(_PARK, values)
    log.error(
        "projection %s parked stream %s at position %s: %s", place.name, row.stream_id, row.position, describe(error)
    )
    return replace(moved, parked=moved.parked + 1)


def describe(error: Exception) -> str:
    """What an operator is shown. Events hold no private text, so their values may appear in it."""
    if isinstance(error, psycopg.Error):
        text = f"{error.sqlstate or ''} {error.diag.message_primary or ''}".strip() or str(error)
    else:
        text = str(error)
    return f"{type(error).__name__}: {text}".replace("\x00", "\ufffd")[:ERROR_LENGTH]
