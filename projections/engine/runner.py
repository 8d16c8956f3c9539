"""Runs projections: one thread reads each page of the log once and feeds it to every projection it holds.

Woken by the store's NOTIFY; a poll every second makes sure. Each projection is held by a session advisory lock, so that
one runner is active and others stand by. A lock that was lost unnoticed does no harm: every batch moves the position by
compare-and-set.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql

from projections.engine.feeding import Page, TooManyParked, feed
from projections.engine.place import Moved, Place, enter, live_place, lock_live
from projections.engine.projection import BATCH, Log, Projection, Tidy

POLL_SECONDS = 1.0
"""The log is looked at this often even when no notice came; also how often a standby tries for its turn."""

RECONNECT_SECONDS = 0.5
TROUBLE_SECONDS = 2.0
"""How long a projection rests after an error that no event is to blame for. The others go on."""

LOOK_SECONDS = 0.2
"""How quickly a waiting runner notices that it is to stop."""

TIDY_ROWS = 1000
"""Rows that one transaction drops for good."""

TIDY_SECONDS = 5.0
"""How often an idle runner looks for rows to drop."""

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended('projection:' || %s, 0))"

# Read tables can be made again from the log, so a commit need not wait for the disk. Position and tables are written by
# the same transaction: what a crash takes back, it takes back from both.
_OPTIONS = "-c synchronous_commit=off -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"

log = logging.getLogger("replay_vision.projections")


@dataclass(slots=True)
class _Held:
    projection: Projection
    place: Place
    rests_until: float = 0.0


class Runner:
    """Feeds projections until stopped. `channel`: the store's channel to LISTEN on. One thread calls `run`."""

    def __init__(self, conninfo: str, projections: Sequence[Projection], source: Log, channel: str) -> None:
        self._conninfo = conninfo
        self._projections = projections
        self._source = source
        self._channel = channel
        self._stopping = threading.Event()
        self._held: dict[str, _Held] = {}
        self._tidy_at = 0.0

    def run(self) -> None:
        """Returns after `stop`, when the batch in hand is done. Survives lost connections and a restarted database."""
        while not self._stopping.is_set():
            try:
                with self._connect(_OPTIONS) as work, self._connect("") as ears:
                    # Before the first read, so that no append falls between the two.
                    ears.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    self._serve(work, ears)
            except psycopg.OperationalError as error:
                log.warning("projections lost the database and connect again: %s", error)
            except Exception:
                log.exception("projections failed and start again")
            self._held.clear()
            self._stopping.wait(RECONNECT_SECONDS)

    def stop(self) -> None:
        """Thread-safe; `run` returns soon after."""
        self._stopping.set()

    def _connect(self, options: str) -> Connection:
        return psycopg.connect(
            self._conninfo, autocommit=True, options=options, application_name="replay-vision projections"
        )

    def _serve(self, work: Connection, ears: Connection) -> None:
        while not self._stopping.is_set():
            self._take_turns(work)
            while self._round(work) and not self._stopping.is_set():
                pass
            if not self._stopping.is_set() and not self._tidy(work):
                self._wait(ears)

    def _take_turns(self, work: Connection) -> None:
        for projection in self._projections:
            if projection.name in self._held:
                continue
            row = work.execute(_TAKE, (projection.name,)).fetchone()
            place = live_place(work, projection.name) if row and row[0] else None
            if place is not None:
                self._held[projection.name] = _Held(projection, place)
                log.info("projection %s is fed here from position %s", projection.name, place.position)

    def _round(self, work: Connection) -> bool:
        """One page for every projection that is behind; those furthest ahead first, for they serve waiting writers."""
        now = time.monotonic()
        awake = [held for held in self._held.values() if held.rests_until <= now]
        moved = False
        for position in sorted({held.place.position for held in awake}, reverse=True):
            page = Page(self._source, self._source.read_raw(work, position, BATCH))
            for held in awake:
                if page.rows and held.place.position == position and not self._stopping.is_set():
                    self._feed(work, held, page)
                    moved = True
        return moved

    def _feed(self, work: Connection, held: _Held, page: Page) -> None:
        try:
            held.place = feed(work, held.projection, held.place, page.rows, page.decode)
        except Moved:
            self._find_again(work, held)
        except (TooManyParked, psycopg.Error, OSError, MemoryError) as error:
            if work.broken or work.closed:
                raise
            log.exception("projection %s rests for %s s", held.projection.name, TROUBLE_SECONDS, exc_info=error)
            held.rests_until = time.monotonic() + TROUBLE_SECONDS
            self._find_again(work, held)

    def _find_again(self, work: Connection, held: _Held) -> None:
        place = live_place(work, held.projection.name)
        if place is None:
            message = f"projection {held.projection.name} is no longer installed"
            raise RuntimeError(message)
        held.place = place

    def _tidy(self, work: Connection) -> bool:
        """Drops one bounded chunk of hidden rows, when it is time; whether there is more."""
        if time.monotonic() < self._tidy_at:
            return False
        more = False
        for held in self._held.values():
            if held.projection.tidy is not None:
                more |= self._tidy_one(work, held.projection.name, held.projection.tidy)
        if not more:
            self._tidy_at = time.monotonic() + TIDY_SECONDS
        return more

    def _tidy_one(self, work: Connection, name: str, tidy: Tidy) -> bool:
        """Under the position's lock, so that a rebuild compares tables that stand still."""
        try:
            with work.transaction():
                enter(work, lock_live(work, name))
                return tidy(work, TIDY_ROWS)
        except psycopg.errors.LockNotAvailable:
            log.info("projection %s is being rebuilt; its hidden rows are dropped later", name)
            return False

    def _wait(self, ears: Connection) -> None:
        until = time.monotonic() + POLL_SECONDS
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            for _ in ears.notifies(timeout=min(left, LOOK_SECONDS), stop_after=1):
                return
