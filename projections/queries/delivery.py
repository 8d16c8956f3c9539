"""Webhook secrets, endpoints and deliveries, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg import Connection

from domain.delivery import target_of
from domain.tenant import Tenant
from projections.queries.users import Document

MOST = 1000
"""Rows of one listing."""

UNDELIVERED = ("pending", "abandoned")
"""How deliveries stand that have not succeeded."""

_SECRETS = """
SELECT s.id, s.environment_id, s.created_at FROM read_delivery.webhook_secret s
WHERE %(environment_id)s::integer IS NULL OR s.environment_id = %(environment_id)s ORDER BY s.id LIMIT %(most)s
"""

_ENDPOINTS = """
SELECT e.id, e.environment_id, e.type, t.body->>'target', e.disabled_at, e.failing_since, e.reason
FROM read_delivery.endpoint e LEFT JOIN store.private_text t ON t.id = e.target
WHERE e.disabled_at IS NOT NULL
    AND (%(environment_id)s::integer IS NULL OR e.environment_id = %(environment_id)s)
ORDER BY e.disabled_at DESC, e.id LIMIT %(most)s
"""

_DELIVERIES = """
SELECT d.one->>'id', r.id, r.action_id, r.environment_id, d.one->'item', d.one->>'status',
    d.one->'attempts'->-1->>'error', d.one->>'reason', r.updated_at
FROM read_action_runs.run r CROSS JOIN LATERAL json_array_elements(r.deliveries) AS d(one)
WHERE r.status = 'completed' AND (%(environment_id)s::integer IS NULL OR r.environment_id = %(environment_id)s)
    AND d.one->>'status' = ANY(%(statuses)s)
    AND r.action_id NOT IN (SELECT t.action_id FROM read_action_runs.tombstone t)
ORDER BY r.created_at DESC, r.id, d.one->>'id' LIMIT %(most)s
"""

_RUN = """
SELECT r.environment_id, r.organization_id, r.action_id FROM read_action_runs.run r WHERE r.id = %s
"""

_DISABLED = "SELECT count(*) FROM read_delivery.endpoint e WHERE e.disabled_at IS NOT NULL"


def list_webhook_secrets(connection: Connection, environment_id: int | None = None) -> list[Document]:
    """Those of one environment that are alive, or of all; at most MOST, oldest first. Never a secret."""
    rows = connection.execute(_SECRETS, {"environment_id": environment_id, "most": MOST})
    return [{"id": number, "environment": owner, "created_at": created_at} for number, owner, created_at in rows]


def list_disabled_endpoints(connection: Connection, environment_id: int | None = None) -> list[Document]:
    """Endpoints that are switched off, of one environment or of all; at most MOST, the latest first."""
    rows = connection.execute(_ENDPOINTS, {"environment_id": environment_id, "most": MOST})
    return [
        {
            "id": str(stream),
            "environment": owner,
            "type": kind,
            "target": target,
            "disabled_at": disabled_at,
            "failing_since": failing_since,
            "reason": reason,
        }
        for stream, owner, kind, target, disabled_at, failing_since, reason in rows
    ]


def list_deliveries(
    connection: Connection, environment_id: int | None = None, statuses: Sequence[str] = UNDELIVERED
) -> list[Document]:
    """Deliveries that stand so, of one environment or of all; at most MOST, those of the latest runs first.

    `error` is that of the last attempt, or why none was made; None when there is none to tell.
    """
    asked = {"environment_id": environment_id, "statuses": list(statuses), "most": MOST}
    return [
        {
            "id": delivery,
            "run": str(run),
            "action": str(action),
            "environment": owner,
            "type": item.get("type"),
            "target": target_of(item),
            "status": status,
            "error": error or reason,
            "updated_at": updated_at,
        }
        for delivery, run, action, owner, item, status, error, reason, updated_at in connection.execute(
            _DELIVERIES, asked
        )
    ]


def owner_of_run(connection: Connection, run_id: UUID) -> tuple[Tenant, UUID] | None:
    """Whose a run is, and of which action; None when the read side has none of it."""
    row = connection.execute(_RUN, (run_id,)).fetchone()
    return None if row is None else (Tenant(row[0], row[1]), row[2])


def count_disabled_endpoints(connection: Connection) -> int:
    """Of all environments, for /readyz."""
    row = connection.execute(_DISABLED).fetchone()
    return int(row[0]) if row else 0
