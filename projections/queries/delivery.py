"""Webhook secrets and endpoints, for the operator."""

from __future__ import annotations

from psycopg import Connection

from projections.queries.users import Document

MOST = 1000
"""Rows of one listing."""

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


def count_disabled_endpoints(connection: Connection) -> int:
    """Of all environments, for /readyz."""
    row = connection.execute(_DISABLED).fetchone()
    return int(row[0]) if row else 0
