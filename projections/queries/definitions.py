"""What environments have defined that queries refer to: filters of test accounts, and actions."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from domain.tenant import Tenant
from projections.queries.matching.definitions import NONE, Definitions

_DEFINITIONS = "SELECT e.test_accounts, e.actions FROM read_accounts.environment e WHERE e.id = %s"


def definitions_of(connection: Connection[Any], tenant: Tenant) -> Definitions:
    """The environment's present definitions; none for an environment that is not known yet."""
    found = defined(connection, tenant)
    actions = {str(action["id"]): action["steps"] for action in found["actions"]}
    return Definitions(found["test_accounts"], actions) if any(found.values()) else NONE


def defined(connection: Connection[Any], tenant: Tenant) -> dict[str, Any]:
    """The same as it was given, by field: `test_accounts` and `actions`."""
    row = connection.execute(_DEFINITIONS, (tenant.environment_id,), prepare=True).fetchone()
    return {"test_accounts": row[0], "actions": row[1]} if row else {"test_accounts": [], "actions": []}
