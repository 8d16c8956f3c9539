"""One worker of a group on the PostgreSQL log.

Any worker takes any partition that has something to do and that nobody has locked: no heartbeats, no rebalancing, no
zombies (see ``handling``).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from threading import Event

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from consumers.transports.connections import work_connection
from consumers.transports.handling import DatabaseAway, Handling, Place, Position
from consumers.transports.headers import unpack
from consumers.transports.housekeeping import Housekeeping, trim_log
from consumers.transports.port import Record

logger = logging.getLogger(__name__)

STOP_SECONDS = 0.25
"""How often an idle worker looks at its stop event."""

_REGISTER = """
INSERT INTO log.position (grp, topic_id, part)
SELECT %s, topic_id, part FROM log.partition WHERE topic_id = ANY (%s)
ON CONFLICT (grp, topic_id, part) DO NOTHING
"""

# The last column says whether dead letters of the partition are to be handled again.
_READY = """
WITH replays AS (
    SELECT DISTINCT t.id AS topic_id, d.part FROM log.dead_letter d
    JOIN log.topic t ON t.id = ANY (%(topics)s) AND t.name = %(prefix)s || d.topic
    WHERE d.transport = 'postgres' AND d.grp = %(group)s AND d.replay_at <= clock_timestamp()
)
SELECT p.topic_id, p.part, r.part IS NOT NULL FROM log.position p LEFT JOIN replays r USING (topic_id, part)
WHERE p.grp = %(group)s AND p.topic_id = ANY (%(topics)s)
  AND (r.part IS NOT NULL
       OR p.stopped_at IS NULL AND (p.resume_at IS NULL OR p.resume_at <= now())
       AND EXISTS (SELECT FROM log.record r WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off))
ORDER BY p.topic_id, p.part
"""

# The window sees sizes only, so values beyond the limit are never fetched from their side table.
_READ = """
SELECT off, key, value, headers::text, at FROM (
    SELECT *, sum(size) OVER (ORDER BY off) - size AS before FROM (
        SELECT off, key, value, headers, at, size FROM log.record
        WHERE topic_id = %s AND part = %s AND off > %s ORDER BY off LIMIT %s
    ) few
) few WHERE before = 0 OR before + size <= %s ORDER BY off
"""


class Worker:
    """``names`` maps stored topic names to the ones that the handler knows."""

    def __init__(
        self, database_url: str, handling: Handling, names: Mapping[str, str], *, stop: Event, max_records: int
    ) -> None:
        self._database_url = database_url
        self._settings = handling.settings
        self._group = handling.group
        self._handling = handling
        self._names = names
        self._stop = stop
        self._max_records = max_records
        self._topics: dict[int, str] = {}
        self._housekeeping = Housekeeping(self._settings, [lambda conn: trim_log(conn, names, self._settings)], stop)

    def run(self) -> None:
        """Returns when the stop is set, never for a trouble of the database."""
        failures = 0
        while not self._stop.is_set():
            try:
                with closing(self._connect()) as work, closing(self._connect()) as ears:
                    self._register(work, ears)
                    failures = 0
                    self._serve(work, ears)
            except (psycopg.Error, DatabaseAway) as error:
                failures += 1
                pause = self._settings.away.seconds(failures)
                logger.warning("%s: database away, connecting again in %.1f s: %s", self._group, pause, error)
                self._stop.wait(pause)

    def _connect(self) -> psycopg.Connection[TupleRow]:
        return work_connection(self._database_url, self._group, self._settings)

    def _register(self, work: psycopg.Connection[TupleRow], ears: psycopg.Connection[TupleRow]) -> None:
        """Listens before it looks, so nothing falls between the two."""
        for name, topic in self._names.items():
            ears.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"log.{name}")))
            wanted = (name, self._settings.partition_count(topic))
            ((topic_id,),) = work.execute("SELECT id FROM log.make_topic(%s, %s)", wanted)
            self._topics[topic_id] = topic
        work.execute(_REGISTER, (self._group, list(self._topics)))

    def _serve(self, work: psycopg.Connection[TupleRow], ears: psycopg.Connection[TupleRow]) -> None:
        while not self._stop.is_set():
            moved = False
            for place, replays in self._ready(work):
                if self._stop.is_set():
                    return
                if replays:
                    moved |= self._handling.replay(work, place) > 0
                moved |= self._handling.step(work, place, partial(self._read, work, place))
            self._housekeeping.look(work)
            self._wait(ears, 0.0 if moved else self._settings.poll_seconds)

    def _wait(self, ears: psycopg.Connection[TupleRow], seconds: float) -> None:
        """Until something is published, the time is over, or the stop is set.

        A busy worker listens too, for no time: what is not fetched piles up here and in the server.
        """
        until = time.monotonic() + seconds
        while not self._stop.is_set():
            left = until - time.monotonic()
            heard = list(ears.notifies(timeout=max(0.0, min(left, STOP_SECONDS)), stop_after=1))
            if heard or left <= 0:
                return

    def _ready(self, work: psycopg.Connection[TupleRow]) -> Sequence[tuple[Place, bool]]:
        """Partitions with something to do, each once, so that none is drained while another waits.

        With each: whether dead letters are to be handled again.

        Where to begin is drawn each time, so that workers do not run after each other from lock to lock.
        """
        wanted = {"group": self._group, "topics": list(self._topics), "prefix": self._settings.prefix}
        ready = [
            (Place(self._topics[topic_id], topic_id, part), replays)
            for topic_id, part, replays in work.execute(_READY, wanted)
        ]
        start = random.randrange(len(ready)) if ready else 0  # noqa: S311 - a place, not a secret
        return ready[start:] + ready[:start]

    def _read(self, work: psycopg.Connection[TupleRow], place: Place, position: Position) -> Sequence[Record]:
        limits = (self._max_records, self._settings.handle_batch_bytes)
        return [
            Record(place.topic, place.part, off, key, value, unpack(headers), at)
            for off, key, value, headers, at in work.execute(
                _READ, (place.topic_id, place.part, position.off, *limits), binary=True
            )
        ]
