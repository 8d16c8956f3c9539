"""Read-your-writes: a writer waits until the projections that serve its noun have passed its event."""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

_PASSED = "SELECT count(*) FROM projection.position WHERE name = ANY(%s) AND live AND position >= %s"
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.01


def wait_for(
    pool: ConnectionPool[Connection[TupleRow]], names: Sequence[str], position: int, timeout: float = 2.0
) -> bool:
    """Whether every named projection has passed the log position within `timeout` seconds.

    False also for a name that is not installed. A parked stream counts as passed: its position has been dealt with.
    Looks every few milliseconds, on one connection, more rarely the longer it takes.
    """
    wanted = sorted(set(names))
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    with pool.connection() as connection:
        while True:
            row = connection.execute(_PASSED, (wanted, position), prepare=True).fetchone()
            if row is not None and row[0] == len(wanted):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
