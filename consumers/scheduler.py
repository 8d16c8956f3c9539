"""APScheduler as a ticker only: at a tick it publishes a record, and whoever consumes the topic does the work.

Ticks are numbered by time: the n-th bucket of a tick's length since 1970 has one tick, whose event id names the bucket.
So several schedulers, restarts and repetitions make one tick of it, and a scheduler that slept makes one up, not all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Event

import orjson
import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from psycopg.rows import TupleRow

from consumers.standby import while_active
from consumers.transports.port import Outgoing, Transport, Unavailable

logger = logging.getLogger(__name__)

TOPIC = "ticks"
CHECK_SECONDS = 1.0
"""How often the active scheduler asks whether its lock's connection still lives."""
RETRY_SECONDS = 1.0


class BucketStarts(BaseTrigger):
    """Fires when a bucket begins. The library's interval trigger counts from its own start instead."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_next_fire_time(  # pyright: ignore[reportIncompatibleMethodOverride] - the library's base has no types
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime:
        """The start of the first bucket after both times: buckets missed in between are not made up."""
        after = max(now, previous_fire_time or now).timestamp()
        return datetime.fromtimestamp((after // self._seconds + 1) * self._seconds, UTC)


class Ticker:
    """``ticks`` maps a tick's name to its length in seconds, 1 or more. Any number may run: one is active.

    A record has the name as key and ``{"tick": name, "at": ISO time}`` as value. The first tick comes when a scheduler
    becomes active, unless the bucket has one already; the next at the start of each bucket.
    ``ValueError`` below a second.
    """

    def __init__(self, database_url: str, transport: Transport, ticks: Mapping[str, float]) -> None:
        if any(seconds < 1 for seconds in ticks.values()):
            raise ValueError("a tick takes a second or more")
        self._database_url = database_url
        self._transport = transport
        self._ticks = dict(ticks)

    def run(self, stop: Event) -> None:
        """Ticks until the stop is set, through outages of database and transport. Returns within 2 s of the stop."""
        while_active(self._database_url, "scheduler", lambda conn: self._work(conn, stop), stop=stop)

    def tick(self, name: str, at: datetime) -> None:
        """Publishes the tick of the bucket that the time is in. Raises ``Unavailable``."""
        bucket = int(at.timestamp() // self._ticks[name])
        value = orjson.dumps({"tick": name, "at": at.isoformat()})
        self._transport.publish(TOPIC, [Outgoing(name.encode(), value, f"{name}:{self._ticks[name]:g}:{bucket}")])

    def _work(self, conn: psycopg.Connection[TupleRow], stop: Event) -> None:
        over = Event()
        scheduler = self._scheduler(over)
        scheduler.start()
        try:
            while not stop.wait(CHECK_SECONDS):
                conn.execute("SELECT 1")
        finally:
            # A tick in hand finds its bucket taken if the next scheduler is quicker, so nothing waits for it.
            over.set()
            scheduler.shutdown(wait=False)

    def _scheduler(self, over: Event) -> BackgroundScheduler:
        """Threads enough that a tick which waits for the transport delays no other."""
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2 * len(self._ticks) + 1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for name, seconds in self._ticks.items():
            scheduler.add_job(self._fire, args=(name, over), id=f"{name} now")
            scheduler.add_job(self._fire, BucketStarts(seconds), args=(name, over), id=name)
        return scheduler

    def _fire(self, name: str, over: Event) -> None:
        """Tries until there is a tick in the present bucket; ticks missed meanwhile are made up by that one."""
        while not over.is_set():
            try:
                self.tick(name, datetime.now(UTC))
            except Unavailable as error:
                logger.warning("tick %s waits for the transport: %s", name, error)
            else:
                return
            over.wait(RETRY_SECONDS)
