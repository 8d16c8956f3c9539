"""Rebuild beside live: a new generation is fed from the start of the log, compared with the live one, and swapped in.

Readers and the runner go on meanwhile. The live position row is locked twice, each time for less than a batch of work:
to bring both generations to one position for the comparison, and to swap.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql

from projections.engine.comparing import Difference, compare
from projections.engine.feeding import Page, feed
from projections.engine.place import Moved, Place, create, live_place, lock_live, schema_of
from projections.engine.projection import BATCH, Log, Projection

NEAR = BATCH
"""Positions that the new generation may be behind when the live one is held up for it."""

LOCK_SECONDS = 5

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_TURN = "SELECT pg_try_advisory_lock(hashtextextended('projection:rebuild:' || %s, 0))"
_FORGET = "DELETE FROM projection.position WHERE name = %s AND NOT live"
_SWAP = "UPDATE projection.position SET live = true WHERE name = %s AND generation = %s"
_DROP_LIVE = "DELETE FROM projection.position WHERE name = %s AND live"

log = logging.getLogger("replay_vision.projections")


class RebuildBusy(Exception):
    """Another process is rebuilding this projection."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did. `generation` is the new one; `position` is where the two were compared."""

    name: str
    generation: int
    position: int
    seconds: float
    differences: list[Difference]
    parked: int
    swapped: bool


def rebuild(conninfo: str, projection: Projection, source: Log, *, swap: bool = True) -> RebuildReport:
    """Builds the projection anew beside the live one, compares the two at one position, and puts the new one in place.

    Differences are reported and do not stop the swap: a rebuild is how a wrong table is put right. With `swap` False
    the new generation is dropped after the comparison. Raises RebuildBusy, Moved when the projection is not installed,
    and psycopg's LockNotAvailable when the live one could not be held up within LOCK_SECONDS; then the live one is as
    it was.
    """
    began = time.monotonic()
    with _connect(conninfo) as keeper, _connect(conninfo) as builder:
        if keeper.execute(_TURN, (projection.name,)).fetchone() != (True,):
            raise RebuildBusy(projection.name)
        _discard(builder, projection.name)
        place = _begin(builder, projection)
        place, differences = _compared(keeper, builder, projection, source, place)
        at = place.position
        if swap:
            place = _swapped(builder, projection, source, place)
        _discard(builder, projection.name)
    seconds = time.monotonic() - began
    report = RebuildReport(projection.name, place.generation, at, seconds, differences, place.parked, swap)
    log.info("rebuilt %s", report)
    return report


def _connect(conninfo: str) -> Connection:
    options = f"-c lock_timeout={LOCK_SECONDS}s -c synchronous_commit=off"
    return psycopg.connect(conninfo, autocommit=True, options=options, application_name="replay-vision rebuild")


def _begin(builder: Connection, projection: Projection) -> Place:
    with builder.transaction():
        live = _live(builder, projection)
        return create(builder, projection, live.generation + 1, live=False)


def _live(connection: Connection, projection: Projection) -> Place:
    live = live_place(connection, projection.name)
    if live is None:
        message = f"projection {projection.name} is not installed"
        raise Moved(message)
    return live


def _discard(connection: Connection, name: str) -> None:
    """Drops what this rebuild, or one that was interrupted, leaves behind.

    What a long read still holds stays for the next rebuild.
    """
    try:
        with connection.transaction():
            for leftover in (schema_of(name, live=False), _retired(name)):
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(leftover)))
            connection.execute(_FORGET, (name,))
    except psycopg.errors.LockNotAvailable:
        if _exists(connection, schema_of(name, live=False)):
            raise
        log.warning("the old tables of projection %s are still being read; the next rebuild drops them", name)


def _exists(connection: Connection, schema: str) -> bool:
    return connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (schema,)).fetchone() == (True,)


def _retired(name: str) -> str:
    return f"read_{name}_retired"


def _compared(
    keeper: Connection, builder: Connection, projection: Projection, source: Log, place: Place
) -> tuple[Place, list[Difference]]:
    """Brings the new generation to the live one's position, takes a snapshot of both there, and compares in it."""
    while True:
        place = _near(builder, projection, source, place)
        with ExitStack() as held_up:
            held_up.enter_context(keeper.transaction())
            live = lock_live(keeper, projection.name)
            if live.position - place.position > NEAR:
                continue
            place = _catch_up(builder, projection, source, place, live.position)
            with builder.transaction():
                builder.execute(_SNAPSHOT)
                builder.execute("SELECT 1")
                held_up.close()
                return place, compare(builder, projection)


def _swapped(builder: Connection, projection: Projection, source: Log, place: Place) -> Place:
    name = projection.name
    while True:
        place = _near(builder, projection, source, place)
        with builder.transaction():
            live = lock_live(builder, name)
            if live.position - place.position > NEAR:
                continue
            place = _catch_up(builder, projection, source, place, live.position)
            _rename(builder, schema_of(name), _retired(name))
            _rename(builder, schema_of(name, live=False), schema_of(name))
            builder.execute(_DROP_LIVE, (name,))
            builder.execute(_SWAP, (name, place.generation))
        return place


def _near(builder: Connection, projection: Projection, source: Log, place: Place) -> Place:
    """Feeds the new generation until the live one is almost reached."""
    while (until := _live(builder, projection).position) - place.position > NEAR:
        place = _catch_up(builder, projection, source, place, until)
    return place


def _catch_up(builder: Connection, projection: Projection, source: Log, place: Place, until: int) -> Place:
    """Feeds the new generation up to `until`, or to the last event before it."""
    while place.position < until:
        page = Page(source, [row for row in source.read_raw(builder, place.position, BATCH) if row.position <= until])
        if not page.rows:
            break
        place = feed(builder, projection, place, page.rows, page.decode)
    return place


def _rename(connection: Connection, old: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))
