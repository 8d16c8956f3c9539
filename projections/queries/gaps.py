"""Gaps in scanners' schedules: settled sessions that were passed over (extensions "Observing")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from domain.tenant import Tenant

# The ends are numbers of the environment's own sessions, so each look-up finds its row at once.
_TIME = """
coalesce((SELECT f.settled_at FROM capture.settlement f
          WHERE f.environment_id = g.environment_id AND f.number BETWEEN g.first_number AND g.last_number
          ORDER BY f.number {direction} LIMIT 1), g.skipped_at)
"""
_PAGE = f"""
SELECT g.id, g.first_number, g.last_number, {_TIME.format(direction="ASC")}, {_TIME.format(direction="DESC")},
       g.reason, g.redriven_at
FROM read_scanners.gap g
WHERE g.environment_id = %s AND g.scanner_id = %s ORDER BY g.first_number DESC LIMIT %s OFFSET %s
"""  # noqa: S608 - expressions of our own
_COUNT = "SELECT count(*) FROM read_scanners.gap g WHERE g.environment_id = %s AND g.scanner_id = %s"


@dataclass(frozen=True, slots=True)
class Gap:
    """Settle numbers, both ends included, and when the first and the last session of the gap settled."""

    id: UUID
    first: int
    last: int
    began: datetime
    ended: datetime
    reason: str
    redriven_at: datetime | None


def page(connection: Connection, tenant: Tenant, scanner_id: UUID, limit: int, offset: int) -> tuple[int, list[Gap]]:
    """How many gaps a scanner has, and a page of them, the latest first."""
    row = connection.execute(_COUNT, (tenant.environment_id, scanner_id)).fetchone()
    rows = connection.execute(_PAGE.encode(), (tenant.environment_id, scanner_id, limit, offset))
    return (row[0] if row else 0), [Gap(*found) for found in rows]
