"""An organization's quota of the current UTC month (contract 7)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg import Connection

from domain.quota import Period
from domain.tenant import Tenant
from projections.queries.estimates import PLANNED
from projections.queries.users import Document

MOST_GRANTS = 1000

_QUOTA = """
SELECT coalesce((SELECT a.monthly_quota FROM read_quota.allowance a WHERE a.organization_id = %(organization_id)s),
                %(default_quota)s::bigint)
       + coalesce((SELECT sum(b.amount) FROM read_quota.bonus b
                   WHERE b.organization_id = %(organization_id)s AND b.expires_at > %(now)s), 0)::bigint,
       coalesce((SELECT u.requested - u.refunded FROM read_quota.usage u
                 WHERE u.organization_id = %(organization_id)s AND u.period = %(period)s), 0)::bigint
"""
_PROJECTED = PLANNED.encode()
_GRANTS = """
SELECT b.amount, b.expires_at FROM read_quota.bonus b WHERE b.organization_id = %s AND b.expires_at > %s
ORDER BY b.expires_at, b.position LIMIT %s
"""


def quota(connection: Connection, tenant: Tenant, now: datetime, default_quota: int) -> Document:
    """The document of contract 7. `default_quota` is for organizations that have none of their own."""
    return _quota(connection, tenant.organization_id, now, default_quota)


def quota_with_grants(connection: Connection, organization_id: UUID, now: datetime, default_quota: int) -> Document:
    """As `quota`, with the grants that have not expired, soonest first, at most MOST_GRANTS; for the operator."""
    rows = connection.execute(_GRANTS, (organization_id, now, MOST_GRANTS))
    grants = [{"amount": amount, "expires_at": expires_at} for amount, expires_at in rows]
    return {**_quota(connection, organization_id, now, default_quota), "grants": grants}


def _quota(connection: Connection, organization_id: UUID, now: datetime, default_quota: int) -> Document:
    period = Period.of(now)
    values = {
        "organization_id": organization_id,
        "default_quota": default_quota,
        "now": now,
        "period": str(period),
    }
    row = connection.execute(_QUOTA, values).fetchone()
    limit, used = row or (default_quota, 0)
    projected = connection.execute(_PROJECTED, {"organization_id": organization_id, "left_out": None}).fetchone()
    return {
        "monthly_quota": limit,
        "usage_this_month": used,
        "remaining": max(0, limit - used),
        "exhausted": used >= limit,
        "period_start": period.start,
        "period_end": period.end,
        "projected_monthly_observations": projected[0] if projected else 0,
    }
