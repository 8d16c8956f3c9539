"""Erases what is stored of deleted sessions, and what still came in for them: in bounded steps, each safe to repeat."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from itertools import islice
from threading import Event
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from consumers.capture.clock import Clock, utc_now
from consumers.capture.digest import sessions
from consumers.capture.digest.undecodable import forget_session
from consumers.capture.ending import removed
from consumers.capture.store.blobs import Blobs

log = logging.getLogger("replay_vision.capture")

STEP = 200
"""Blobs, and rows of each table, that go in one transaction."""

LOOK_SECONDS = 10.0
"""How often a process asks for deletions that it was not told of: those of other processes, and what was left over."""

PAUSE_SECONDS = 5.0
"""Before the next try of a session whose blobs could not be reached."""

_LOCK = 7_215_931
"""First half of the advisory lock of a session that is being erased; the second is a hash of its name."""

_PENDING = """
SELECT environment_id, session_id FROM capture.deleted_session
WHERE erased_at IS NULL ORDER BY deleted_at, environment_id, session_id LIMIT %s
"""
_MINE = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"
_DROPPED = "SELECT dropped FROM capture.deleted_session WHERE environment_id = %s AND session_id = %s"

_ROWS = {
    "parts": "capture.part",
    "console lines": "capture.console_line",
    "analytics events": "capture.analytics_event",
    "held messages": "capture.held",
}
_DELETE_ROWS = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE environment_id = %s AND session_id = %s LIMIT %s))
"""
# With what scans keep with the session; the blobs of that are among the session's own.
_DELETE_SESSION = "DELETE FROM capture.session WHERE environment_id = %s AND session_id = %s"
_DELETE_SETTLEMENTS = "DELETE FROM capture.settlement WHERE environment_id = %s AND session_id = %s"
_DONE = """
UPDATE capture.deleted_session SET erased_at = %s WHERE environment_id = %s AND session_id = %s AND dropped = %s
"""
# Events that name a deleted session and came to their table by another way than past the row above.
_LATE = """
UPDATE capture.deleted_session d SET erased_at = NULL
WHERE d.erased_at IS NOT NULL AND EXISTS (
    SELECT FROM capture.analytics_event a WHERE a.environment_id = d.environment_id AND a.session_id = d.session_id)
"""

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


def erase_step(conn: psycopg.Connection[Any], blobs: Blobs, session: sessions.Session, clock: Clock) -> bool:
    """One step of a session in a transaction of its own; whether there is more. False when somebody else is at it.

    Blobs go before the rows that name them are committed: a crash leaves rows without blobs of a session that nobody is
    shown. Raises OSError when blobs fail.
    """
    environment_id, session_id = session
    counts: dict[str, int] = {}
    with conn.transaction():
        ((mine,),) = conn.execute(_MINE, (_LOCK, f"{environment_id}/{session_id}"))
        if not mine:
            return False
        # Makes the row where there is none, and so waits for whoever is making it at this moment.
        sessions.lock(conn, [session])
        row = conn.execute(_DROPPED, session).fetchone()
        keys = list(islice(blobs.list(environment_id, session_id), STEP))
        for key in keys:
            blobs.delete(key)
        counts["blobs"] = len(keys)
        for what, table in _ROWS.items():
            counts[what] = conn.execute(_DELETE_ROWS.format(table=table).encode(), (*session, STEP)).rowcount
        counts["undecodable messages"] = forget_session(conn, blobs, environment_id, session_id)
        more = any(count == STEP for count in counts.values())
        if not more:
            conn.execute(_DELETE_SESSION, session)
            conn.execute(_DELETE_SETTLEMENTS, session)
            conn.execute(_DONE, (clock(), *session, row[0] if row else 0))
        removed.count(conn, counts)
    log.info("erased of a deleted session", extra={"environment": environment_id, "session": session_id, **counts})
    return more


class Eraser:
    """Works through the deletions that capture has heard of. Any number may run: each session is one's at a time."""

    def __init__(
        self, pool: ConnectionPool[psycopg.Connection[Any]], blobs: Blobs, due: Event, clock: Clock = utc_now
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._due = due
        self._clock = clock

    def run(self, stop: Event) -> None:
        """Works until `stop` is set. Outages are waited out, and one session's trouble delays no other's end."""
        look_at = 0.0
        while not stop.is_set():
            if not self._due.wait(0.5) and time.monotonic() < look_at:
                continue
            self._due.clear()
            look_at = time.monotonic() + LOOK_SECONDS
            try:
                if not self.work(stop):
                    stop.wait(PAUSE_SECONDS)
            except OUTAGES as error:
                log.warning("deleted sessions wait for the database: %s", error)

    def look_again(self) -> None:
        """Has sessions looked through once more for which something has come since."""
        with self._pool.connection() as conn:
            if conn.execute(_LATE).rowcount:
                self._due.set()

    def work(self, stop: Event) -> bool:
        """Erases what is pending. False when the blob store was away for some of it."""
        reached = True
        for session in self._pending():
            try:
                with self._pool.connection() as conn:
                    while not stop.is_set() and erase_step(conn, self._blobs, session, self._clock):
                        pass
            except OUTAGES:
                raise
            except OSError as error:
                log.warning("a deleted session waits for the blob store: %s", error, extra={"session": session[1]})
                reached = False
            if stop.is_set():
                break
        return reached

    def _pending(self) -> Sequence[sessions.Session]:
        with self._pool.connection() as conn:
            return [(row[0], row[1]) for row in conn.execute(_PENDING, (STEP,))]
