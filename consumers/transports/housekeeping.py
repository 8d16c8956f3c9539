"""What a worker drops beside its work: event ids and records that are too old. A few at a time, now and then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from threading import Event

import psycopg

from consumers.transports.settings import LogSettings

MAX_CHUNKS = 100

Drop = Callable[[psycopg.Connection], int]
"""Drops a few in a transaction of its own; answers how many there were."""

# Looks at the oldest few only, so a log without anything to drop costs nothing.
_TRIM = """
DELETE FROM log.record r USING (
    SELECT oldest.* FROM (
        SELECT pa.topic_id, pa.part, coalesce(min(po.off), 9223372036854775807) AS off
        FROM log.topic t JOIN log.partition pa ON pa.topic_id = t.id LEFT JOIN log.position po USING (topic_id, part)
        WHERE t.transport = 'postgres' AND t.name = ANY (%s) GROUP BY pa.topic_id, pa.part
    ) handled CROSS JOIN LATERAL (
        SELECT topic_id, part, off, at FROM log.record
        WHERE topic_id = handled.topic_id AND part = handled.part AND off <= handled.off
        ORDER BY off LIMIT %s FOR UPDATE SKIP LOCKED
    ) oldest WHERE oldest.at < clock_timestamp() - %s
) old WHERE r.topic_id = old.topic_id AND r.part = old.part AND r.off = old.off
"""


class Housekeeping:
    """Of one worker, which calls ``look`` at each turn."""

    def __init__(self, settings: LogSettings, drops: Sequence[Drop], stop: Event) -> None:
        self._every = settings.trim_every.total_seconds()
        self._drops = drops
        self._stop = stop
        # So that workers which start together do not drop together.
        self._at = time.monotonic() + self._every * random.random()  # noqa: S311 - no secret

    def look(self, conn: psycopg.Connection) -> None:
        """Does what is due."""
        if time.monotonic() < self._at:
            return
        for drop in self._drops:
            for _ in range(MAX_CHUNKS):
                if self._stop.is_set() or drop(conn) == 0:
                    break
        self._at = time.monotonic() + self._every


def trim_log(conn: psycopg.Connection, names: Collection[str], settings: LogSettings) -> int:
    """Drops old records of the log that every group has handled; ``names`` are stored ones. Answers how many."""
    return conn.execute(_TRIM, (list(names), settings.trim_chunk, settings.retention)).rowcount
