"""The end of what was recorded: sessions whose retention is over, and everything that was kept for them.

Days count from our own receipt (`REPLAY_VISION_RETENTION_DAYS`, or the environment's own number). What is past them is
shown to nobody from that moment on (projections.queries.visible); here it is removed, in bounded steps, each safe to
repeat. That a session expired is process state and no event (ADR 17): how many did is logged and measured.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture.analytics.visitors import lock_visitors
from consumers.capture.clock import Clock, utc_now
from consumers.capture.digest import undecodable
from consumers.capture.ending import removed
from consumers.capture.ending.leftovers import search_leftovers
from consumers.capture.messages import held
from consumers.capture.store.blobs import Blobs
from projections.queries.retention import kept_days

log = logging.getLogger("replay_vision.capture")

GROUP = "retention"

SLICE_SECONDS = 1.0
"""After so long a run lets its loop look for the stop, and goes on."""

SESSIONS = 10
"""Sessions of one transaction."""

PARTS = 500
"""Parts, and so blobs at most, of one transaction."""

ROWS = 2_000
"""Rows of one transaction of anything else."""

Connection = psycopg.Connection[Any]
Counts = Mapping[str, int]

# Only what has settled: an open session settles first, at the latest when nothing has come for the settle interval.
_DUE = """
SELECT session_id FROM capture.session
WHERE environment_id = %s AND settle_number IS NOT NULL AND last_received_at < %s
ORDER BY last_received_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_PARTS = """
DELETE FROM capture.part WHERE (environment_id, session_id, uuid) IN (
    SELECT environment_id, session_id, uuid FROM capture.part
    WHERE environment_id = %s AND session_id = ANY(%s) ORDER BY session_id, arrival LIMIT %s)
RETURNING blob
"""
# What scans have kept of these sessions. Their answers go with the session's row.
_EVIDENCE = """
DELETE FROM scanning.evidence WHERE environment_id = %s AND session_id = ANY(%s) RETURNING blob
"""
_NAMED = "SELECT DISTINCT blob FROM capture.part WHERE environment_id = %s AND blob = ANY(%s)"
_EVENTS_OF = """
DELETE FROM capture.analytics_event WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM capture.analytics_event WHERE environment_id = %s AND session_id = ANY(%s) LIMIT %s))
"""
_SESSIONS = """
DELETE FROM capture.session s WHERE environment_id = %s AND session_id = ANY(%s) AND NOT EXISTS (
    SELECT FROM capture.part p WHERE p.environment_id = s.environment_id AND p.session_id = s.session_id)
AND NOT EXISTS (
    SELECT FROM capture.analytics_event a WHERE a.environment_id = s.environment_id AND a.session_id = s.session_id)
"""
# Those of a session that is there stay as long as it does: conditions ask for all of them, however long it goes on.
_EVENTS = """
DELETE FROM capture.analytics_event WHERE ctid = ANY (ARRAY(
    SELECT a.ctid FROM capture.analytics_event a
    WHERE a.environment_id = %s AND a.arrived_at < %s AND NOT EXISTS (
        SELECT FROM capture.session s WHERE s.environment_id = a.environment_id AND s.session_id = a.session_id)
    LIMIT %s))
"""
# A number that a session still has is of use; the others name what is gone, or settled again later.
_SETTLEMENTS = """
DELETE FROM capture.settlement WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM capture.settlement f
    WHERE f.environment_id = %s AND f.settled_at < %s
          AND NOT EXISTS (SELECT FROM capture.session s WHERE s.settle_number = f.number) LIMIT %s))
"""
# A person goes whole, when nothing was heard of any of its ids, and no session that is kept names one.
_PERSONS = """
SELECT v.person_id FROM capture.visitor v
WHERE v.environment_id = %(environment)s
GROUP BY v.person_id
HAVING max(v.seen_at) < %(before)s
   AND NOT EXISTS (
       SELECT FROM capture.visitor other
       JOIN (SELECT DISTINCT unnest(distinct_ids) AS distinct_id FROM capture.session
             WHERE environment_id = %(environment)s) kept USING (distinct_id)
       WHERE other.environment_id = %(environment)s AND other.person_id = v.person_id)
LIMIT %(limit)s
"""
_FORGET_VISITORS = "DELETE FROM capture.visitor WHERE environment_id = %s AND person_id = ANY(%s)"
_FORGET_PERSONS = """
DELETE FROM capture.person WHERE environment_id = %s AND person_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Expired:
    """What is over in one environment at the time `now`: received, or seen, before `before`."""

    environment_id: int
    before: datetime
    now: datetime


def note_default(conn: Connection, days: int) -> None:
    """Makes the setting known to everybody who reads."""
    conn.execute("UPDATE capture.retention SET days = %s WHERE days <> %s", (days, days))


def expire_sessions(conn: Connection, blobs: Blobs, over: Expired) -> Counts:
    """Sessions with their parts, console lines, analytics events and blobs, and what scans keep with them.

    Those that somebody is writing to are left for the next time.

    Blobs go before the rows that name them are committed, as whatever a crash leaves is past its retention anyway.
    Raises OSError when blobs fail.
    """
    environment_id = over.environment_id
    due = [row[0] for row in conn.execute(_DUE, (environment_id, over.before, SESSIONS))]
    if not due:
        return {}
    keys = [row[0] for row in conn.execute(_PARTS, (environment_id, due, PARTS))]
    named = {row[0] for row in conn.execute(_NAMED, (environment_id, list(set(keys))))}
    for key in set(keys) - named:
        blobs.delete(key)
    evidence = [row[0] for row in conn.execute(_EVIDENCE, (environment_id, due))]
    for key in evidence:
        blobs.delete(key)
    events = conn.execute(_EVENTS_OF, (environment_id, due, ROWS)).rowcount
    gone = conn.execute(_SESSIONS, (environment_id, due)).rowcount
    return {
        "sessions": gone,
        "parts": len(keys),
        "blobs": len(set(keys) - named) + len(evidence),
        "analytics events": events,
    }


def expire_events(conn: Connection, _: Blobs, over: Expired) -> Counts:
    """Analytics events that came in without a recording, by their own age."""
    return {"analytics events": conn.execute(_EVENTS, (over.environment_id, over.before, ROWS)).rowcount}


def expire_settlements(conn: Connection, _: Blobs, over: Expired) -> Counts:
    """Settle numbers that no session has any more."""
    return {"settlements": conn.execute(_SETTLEMENTS, (over.environment_id, over.before, ROWS)).rowcount}


def expire_visitors(conn: Connection, _: Blobs, over: Expired) -> Counts:
    """Visitors and what is known of them. Whoever hears something of one waits meanwhile."""
    lock_visitors(conn, over.environment_id)
    values = {"environment": over.environment_id, "before": over.before, "limit": ROWS}
    persons = [row[0] for row in conn.execute(_PERSONS, values)]
    if not persons:
        return {}
    gone = conn.execute(_FORGET_VISITORS, (over.environment_id, persons)).rowcount
    conn.execute(_FORGET_PERSONS, (over.environment_id, persons))
    return {"visitors": gone}


def expire_messages(conn: Connection, blobs: Blobs, over: Expired) -> Counts:
    """Messages as they came in: those that are no recording, and large ones that nobody has handled.

    An environment that somebody keeps messages of at this moment is left for the next time.
    """
    return {
        "undecodable messages": undecodable.expire(conn, blobs, over.environment_id, over.before),
        "held messages": held.expire(conn, blobs, over.environment_id, min(over.before, over.now - held.LEAST_KEPT)),
    }


Step = Callable[[Connection, Blobs, Expired], Counts]
STEPS: tuple[Step, ...] = (expire_sessions, expire_events, expire_messages, expire_settlements, expire_visitors)


class Retention:
    """The work of a tick. Any number may run: none waits for another's rows, and nothing is counted twice."""

    def __init__(self, pool: ConnectionPool[Connection], blobs: Blobs, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._blobs = blobs
        self._clock = clock
        self._work: Iterator[Counts] | None = None
        self._removed: Counter[str] = Counter()

    def run(self) -> float | None:
        """A slice of the work. Returns 0 when there is more to do, else None. Raises when a store is away."""
        deadline = time.monotonic() + SLICE_SECONDS
        # Forgotten when it raises: the next run begins anew, with what is still there.
        work, self._work = self._work or self._steps(), None
        for counts in work:
            self._removed.update(counts)
            if time.monotonic() >= deadline:
                self._work = work
                return 0.0
        self._tell()
        return None

    def _tell(self) -> None:
        if self._removed.total():
            log.info("retention removed", extra={"removed": dict(self._removed)})
        self._removed.clear()

    def _steps(self) -> Iterator[Counts]:
        """Yields after every transaction."""
        now = self._clock()
        with self._pool.connection() as conn:
            environments = kept_days(conn)
        for environment_id, days in environments:
            over = Expired(environment_id, now - timedelta(days=days), now)
            for step in STEPS:
                while any((counts := self._step(step, over)).values()):
                    yield counts
            yield from search_leftovers(self._pool, self._blobs, environment_id, days, now)

    def _step(self, step: Step, over: Expired) -> Counts:
        with self._pool.connection() as conn, conn.transaction():
            counts = step(conn, self._blobs, over)
            removed.count(conn, counts)
        return counts
