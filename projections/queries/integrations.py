"""Integrations, for the operator."""

from __future__ import annotations

from psycopg import Connection

from projections.queries.users import Document

MOST = 1000
"""Integrations of one listing."""

_LIST = """
SELECT i.id, i.type, i.environment_id, i.created_at FROM read_integrations.integration i
WHERE %(environment_id)s::integer IS NULL OR i.environment_id = %(environment_id)s ORDER BY i.id LIMIT %(most)s
"""


def list_integrations(connection: Connection, environment_id: int | None = None) -> list[Document]:
    """Those of one environment, or of all; at most MOST, in the order of their numbers. Never a token."""
    rows = connection.execute(_LIST, {"environment_id": environment_id, "most": MOST})
    return [
        {"id": number, "type": kind, "environment": owner, "created_at": created_at}
        for number, kind, owner, created_at in rows
    ]
