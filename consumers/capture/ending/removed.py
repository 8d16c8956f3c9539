"""How much retention and deletion have removed, ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

_COUNT = """
INSERT INTO capture.removed AS r (what, number) VALUES (%s, %s)
ON CONFLICT (what) DO UPDATE SET number = r.number + excluded.number
"""


def count(conn: psycopg.Connection[Any], counts: Mapping[str, int]) -> None:
    """Adds up, in the caller's transaction. In a fixed order, and last, as the rows are everybody's."""
    for what, number in sorted(counts.items()):
        if number:
            conn.execute(_COUNT, (what, number))


def counts(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """By what it was; for metrics."""
    return dict(conn.execute("SELECT what, number FROM capture.removed ORDER BY what").fetchall())
