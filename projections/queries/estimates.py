"""Stored estimates of scanners: state of the selection consumer, shown in scanners and summed up for a quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.tenant import Tenant

_STORED = """
SELECT e.monthly, e.query, e.sampling_rate, e.estimated_at FROM selection.estimate e
WHERE e.environment_id = %s AND e.scanner_id = %s AND e.monthly IS NOT NULL
"""
# Inputs are compared as text: both sides were written by the same serializer, and json has no equality.
_DUE = """
SELECT s.id, s.environment_id, s.organization_id, s.query, s.sampling_rate, s.scanner_version
FROM read_scanners.scanner s LEFT JOIN selection.estimate e ON e.scanner_id = s.id
WHERE s.deleted_at IS NULL
      AND (e.estimated_at IS NULL OR e.estimated_at <= %s OR e.query::text IS DISTINCT FROM s.query::text
           OR e.sampling_rate IS DISTINCT FROM s.sampling_rate)
      AND (e.attempted_at IS NULL OR e.attempted_at <= %s)
ORDER BY s.enabled DESC, e.monthly IS NULL DESC, e.estimated_at, s.id
LIMIT %s
"""
PLANNED = """
SELECT coalesce(sum(e.monthly), 0)::bigint
FROM read_scanners.scanner s JOIN selection.estimate e ON e.scanner_id = s.id
WHERE s.organization_id = %(organization_id)s AND s.enabled AND s.deleted_at IS NULL
      AND s.id IS DISTINCT FROM %(left_out)s
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A scanner's estimate and what it was worked out from."""

    monthly: int
    query: dict[str, Any]
    sampling_rate: float
    estimated_at: datetime


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a scanner's estimate is worked out from. The version tells which of two results is the later one's."""

    scanner_id: UUID
    tenant: Tenant
    query: dict[str, Any]
    sampling_rate: float
    scanner_version: int


def stored(connection: Connection, tenant: Tenant, scanner_id: UUID) -> Stored | None:
    """The scanner's estimate, None when no count has succeeded yet."""
    row = connection.execute(_STORED, (tenant.environment_id, scanner_id)).fetchone()
    return Stored(*row) if row else None


def due(connection: Connection, stale: datetime, tried: datetime, limit: int) -> list[Inputs]:
    """Scanners of all environments whose estimate is missing, of other inputs, or from `stale` or before.

    Enabled ones first, then those without an estimate, then the oldest; without those that were tried after `tried`.
    """
    rows = connection.execute(_DUE, (stale, tried, limit))
    return [Inputs(row[0], Tenant(row[1], row[2]), *row[3:]) for row in rows]


def planned(connection: Connection, tenant: Tenant, left_out: UUID | None = None) -> int:
    """Sum of the estimates of the organization's enabled scanners but `left_out`; a missing one counts 0."""
    values = {"organization_id": tenant.organization_id, "left_out": left_out}
    row = connection.execute(PLANNED, values).fetchone()
    return row[0] if row else 0
