"""How long each environment keeps what was recorded."""

from __future__ import annotations

from psycopg import Connection

_DAYS = """
SELECT e.id AS environment_id, coalesce(e.retention_days, d.days)
FROM read_accounts.environment e CROSS JOIN capture.retention d ORDER BY e.id
"""


def kept_days(connection: Connection) -> list[tuple[int, int]]:
    """Every environment and its days of retention, for the sweep that goes over all of them."""
    return [(row[0], row[1]) for row in connection.execute(_DAYS)]
