"""Actions as the API shows them: contract 8."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.alert import AlertState, read_state
from domain.tenant import Tenant
from projections.queries.users import USER_COLUMNS, USER_JOIN, Document, user_document

_SELECT = f"""
SELECT a.id, a.name, a.scanner, a.enabled, a.trigger_type, a.mode, a.trigger_config, a.selection, a.synthesis_config,
       a.alert_config, a.delivery_config, a.next_run_at, a.last_run_at, a.alert->>'state',
       (a.alert->>'since')::timestamptz, (a.alert->>'last_value')::float8, a.created_at, a.updated_at, a.version,
       {USER_COLUMNS}
FROM read_actions.action a {USER_JOIN.format(column="a.created_by")}
WHERE a.environment_id = %(environment_id)s AND a.deleted_at IS NULL
"""  # noqa: S608 - columns of our own
_COUNT = """
SELECT count(*) FROM read_actions.action a WHERE a.environment_id = %(environment_id)s AND a.deleted_at IS NULL
"""
_ALERT = """
SELECT a.alert::text FROM read_actions.action a
WHERE a.environment_id = %(environment_id)s AND a.id = %(id)s AND a.deleted_at IS NULL
"""
_OF_SCANNER = " AND a.scanner = %(scanner)s"


def page(
    connection: Connection, tenant: Tenant, scanner: UUID | None = None, limit: int = 100, offset: int = 0
) -> tuple[int, list[Document]]:
    """How many there are (of one scanner, if given), and a page of documents by name and id (contract 8.1, 8.2)."""
    condition = "" if scanner is None else _OF_SCANNER
    values = {"environment_id": tenant.environment_id, "scanner": scanner, "limit": limit, "offset": offset}
    row = connection.execute((_COUNT + condition).encode(), values).fetchone()
    tail = f"{condition} ORDER BY a.name, a.id LIMIT %(limit)s OFFSET %(offset)s"
    rows = connection.execute((_SELECT + tail).encode(), values)
    return (row[0] if row else 0), [_document(row)[1] for row in rows]


def action(connection: Connection, tenant: Tenant, action_id: UUID) -> tuple[int, Document] | None:
    """One action and the version of its stream; None when it is unknown, deleted or another tenant's."""
    values = {"environment_id": tenant.environment_id, "id": action_id}
    row = connection.execute((_SELECT + " AND a.id = %(id)s").encode(), values).fetchone()
    return _document(row) if row else None


def alert_state(connection: Connection, tenant: Tenant, action_id: UUID) -> AlertState | None:
    """How an alert stands; None when there is no such action, or it is no alert."""
    values = {"environment_id": tenant.environment_id, "id": action_id}
    row = connection.execute(_ALERT, values).fetchone()
    return read_state(row[0]) if row and row[0] else None


def _document(row: tuple[Any, ...]) -> tuple[int, Document]:
    (
        action_id, name, scanner, enabled, trigger_type, mode, trigger_config, selection, synthesis_config,
        alert_config, delivery_config, next_run_at, last_run_at, state, since, last_value, created_at, updated_at,
        version, *creator,
    ) = row  # fmt: skip
    return version, {
        "id": action_id,
        "name": name,
        "scanner": scanner,
        "enabled": enabled,
        "trigger_type": trigger_type,
        "mode": mode,
        "trigger_config": trigger_config,
        "selection": selection,
        "synthesis_config": synthesis_config,
        "alert_config": alert_config,
        "delivery_config": delivery_config,
        "next_run_at": next_run_at,
        "last_run_at": last_run_at,
        "alert_state": {"state": state, "since": since, "last_value": last_value} if state else None,
        # Of the reference product's own workflows: kept for its clients, always null (contract 8.1).
        "hog_flow_id": None,
        "created_at": created_at,
        "created_by": user_document(*creator),
        "updated_at": updated_at,
    }
