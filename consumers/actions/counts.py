"""What engine 9 counts of actions, ever, for /metrics."""

from __future__ import annotations

import psycopg

DROPPED = "occurrences_dropped"
"""Times that actions were due and that another run stood for, since they were missed together."""
REAPED = "runs_reaped"
"""Runs that ended because their workers died."""

_COUNT = """
INSERT INTO actions.counted AS c (name, count) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET count = c.count + excluded.count
"""
_COUNTS = "SELECT c.name, c.count FROM actions.counted c"


def count(connection: psycopg.Connection, name: str, more: int = 1) -> None:
    """Adds to DROPPED or REAPED."""
    connection.execute(_COUNT, (name, more))


def counts(connection: psycopg.Connection) -> dict[str, int]:
    """Both, 0 where there was none."""
    return {DROPPED: 0, REAPED: 0, **dict(connection.execute(_COUNTS).fetchall())}
