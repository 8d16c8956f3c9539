"""Work that one process at a time does, with the others standing by.

A session advisory lock chooses the active one. The lock can be lost without notice, together with its connection, so it
only keeps two from working in vain: whatever the work changes must be guarded on its own (a compare-and-set, an
idempotency id).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing
from hashlib import blake2b
from threading import Event

import psycopg
from psycopg.rows import TupleRow

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
"""How often a standby asks for the lock: it takes over that long after the active one's connection has ended."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

ActiveWork = Callable[[psycopg.Connection[TupleRow]], None]
"""Works until the stop is set. Gets the autocommit connection that holds the lock, and should use it for its guarded
changes: it cannot make them once the lock is gone."""


class Deposed(Exception):
    """Raised by active work that finds another one at it."""


def while_active(database_url: str, name: str, work: ActiveWork, *, stop: Event) -> None:
    """Runs the work whenever this process is the active one for ``name``, until the stop is set.

    Whatever the work raises is logged, the lock is given back, and the process stands by again after a pause that grows
    up to 5 s. Returns within 2 s of the stop and the step in hand; raises nothing for troubles of the database.
    """
    failures = 0
    while not stop.is_set():
        try:
            with closing(_connect(database_url, name)) as conn:
                _wait_for_lock(conn, name, stop)
                if stop.is_set():
                    return
                failures = 0
                logger.info("%s: active", name)
                work(conn)
        except (psycopg.Error, Deposed) as error:
            logger.warning("%s: no longer active: %s", name, error)
        except Exception:
            logger.exception("%s: failed, standing by", name)
        if not stop.is_set():
            failures += 1
            stop.wait(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10)))


def _connect(database_url: str, name: str) -> psycopg.Connection[TupleRow]:
    return psycopg.connect(
        database_url,
        autocommit=True,
        connect_timeout=2,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=15_000,
        application_name=f"{name} {os.getpid()}"[:63],
    )


def _wait_for_lock(conn: psycopg.Connection[TupleRow], name: str, stop: Event) -> None:
    key = int.from_bytes(blake2b(f"replay-vision:{name}".encode(), digest_size=8).digest(), signed=True)
    while not stop.is_set():
        if conn.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone() == (True,):
            return
        stop.wait(STANDBY_SECONDS)
