"""How long each environment keeps what was recorded."""

from __future__ import annotations

from psycopg import Connection

from domain.tenant import Tenant

_DAYS = """
SELECT e.id AS environment_id, coalesce(e.retention_days, d.days)
FROM read_accounts.environment e CROSS JOIN capture.retention d ORDER BY e.id
"""
_DAYS_OF = """
SELECT coalesce(max(e.retention_days), max(d.days))
FROM capture.retention d LEFT JOIN read_accounts.environment e ON e.id = %(environment_id)s
"""


def kept_days_of(connection: Connection, tenant: Tenant) -> int:
    """One environment's days of retention, as `visible.KEPT_SINCE` counts them."""
    row = connection.execute(_DAYS_OF, {"environment_id": tenant.environment_id}).fetchone()
    if row is None or row[0] is None:
        raise LookupError("capture.retention has no row")
    return row[0]


def kept_days(connection: Connection) -> list[tuple[int, int]]:
    """Every environment and its days of retention, for the sweep that goes over all of them."""
    return [(row[0], row[1]) for row in connection.execute(_DAYS)]
