"""Who calls, and whose data they may touch: keys, environments, members. These reads come before there is a Tenant.

A refusal is final: a browser that is told that its token is unknown drops the recording. So whoever refuses because of
what is not found here asks `check_accounts` first whether the tables are only behind (ADR 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine.completeness import check_complete
from projections.queries.users import user, user_document, users

__all__ = [
    "KeyHolder",
    "ListedKey",
    "check_accounts",
    "environment_document",
    "environment_of_token",
    "environments_of",
    "is_member",
    "key_holder",
    "list_keys",
    "tenant_of",
    "tenant_of_token",
    "time_zone_of",
    "user",
    "user_document",
    "users",
]

MOST_KEYS = 10_000
"""Keys of one listing."""

_KEY = """
SELECT k.prefix, k.user_id, k.organization_id, k.scopes, k.environment_ids, k.expires_at
FROM read_accounts.api_key k WHERE k.key_hash = %s AND k.revoked_at IS NULL
"""
_TENANT = "SELECT id, organization_id FROM read_accounts.environment WHERE id = %s"
_ENVIRONMENT = "SELECT name, timezone, project_token FROM read_accounts.environment WHERE id = %s"
_TIME_ZONE = "SELECT timezone FROM read_accounts.environment WHERE id = %s"
_TOKEN = "SELECT id, organization_id FROM read_accounts.environment WHERE project_token = %s"  # noqa: S105
_MEMBER = "SELECT 1 FROM read_accounts.member WHERE id = %s AND organization_id = %s"
_ENVIRONMENTS = """
SELECT e.id FROM read_accounts.member m JOIN read_accounts.environment e USING (organization_id)
WHERE m.id = %s ORDER BY e.id
"""
_KEYS = """
SELECT k.prefix, k.label, k.user_id, p.body->>'email' AS email, k.scopes, k.environment_ids, k.created_at, k.expires_at,
       k.revoked_at, u.last_used_at
FROM read_accounts.api_key k LEFT JOIN access.key_use u ON u.prefix = k.prefix
     LEFT JOIN read_accounts.member m ON m.id = k.user_id
     LEFT JOIN store.private_text p ON p.id = m.profile_id
ORDER BY k.created_at, k.prefix LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """An API key that is not revoked; it may have expired. `environment_ids` empty: every environment of the user."""

    prefix: str
    user_id: int
    organization_id: UUID
    scopes: frozenset[str]
    environment_ids: tuple[int, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as administration lists it. `email` is None for an erased user; `last_used_at` is exact to a minute."""

    prefix: str
    label: str
    user_id: int
    email: str | None
    scopes: list[str]
    environment_ids: list[int]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def check_accounts(connection: Connection) -> None:
    """Raises Behind while the log holds events about accounts that these tables lack.

    When it returns, what is not found after that does not exist.
    """
    check_complete(connection, ACCOUNTS)


def key_holder(connection: Connection, key_hash: str) -> KeyHolder | None:
    """The key with this keyed hash, None when there is none or it is revoked."""
    row = connection.execute(_KEY, (key_hash,), prepare=True).fetchone()
    if row is None:
        return None
    prefix, user_id, organization_id, scopes, environment_ids, expires_at = row
    return KeyHolder(prefix, user_id, organization_id, frozenset(scopes), tuple(environment_ids), expires_at)


def tenant_of(connection: Connection, environment_id: int) -> Tenant | None:
    """The environment with its organization, None when there is none."""
    row = connection.execute(_TENANT, (environment_id,), prepare=True).fetchone()
    return Tenant(*row) if row else None


def environment_document(connection: Connection, tenant: Tenant) -> dict[str, str]:
    """The environment as administration shows it: `name`, `timezone`, `project_token`. Raises LookupError."""
    row = connection.execute(_ENVIRONMENT, (tenant.environment_id,)).fetchone()
    if row is None:
        raise LookupError(f"environment {tenant.environment_id} is not there")
    return dict(zip(("name", "timezone", "project_token"), row, strict=True))


def time_zone_of(connection: Connection, tenant: Tenant) -> str:
    """The environment's time zone, by its IANA name."""
    row = connection.execute(_TIME_ZONE, (tenant.environment_id,), prepare=True).fetchone()
    return row[0] if row else "UTC"


def tenant_of_token(connection: Connection, project_token: str) -> Tenant | None:
    """The environment that a browser's project token sends to, None for an unknown or replaced token.

    Raises Behind when it cannot be told yet.
    """
    if not project_token or "\x00" in project_token:
        return None
    found = _tenant_of_token(connection, project_token)
    if found is None:
        check_accounts(connection)
        found = _tenant_of_token(connection, project_token)  # it may have come in between
    return found


def environment_of_token(connection: Connection, project_token: str) -> int | None:
    """As `tenant_of_token`, the environment's id alone."""
    tenant = tenant_of_token(connection, project_token)
    return tenant.environment_id if tenant else None


def _tenant_of_token(connection: Connection, project_token: str) -> Tenant | None:
    row = connection.execute(_TOKEN, (project_token,), prepare=True).fetchone()
    return Tenant(*row) if row else None


def is_member(connection: Connection, user_id: int, organization_id: UUID) -> bool:
    return connection.execute(_MEMBER, (user_id, organization_id), prepare=True).fetchone() is not None


def environments_of(connection: Connection, user_id: int) -> list[int]:
    """The environments of the user's organization, ascending."""
    return [row[0] for row in connection.execute(_ENVIRONMENTS, (user_id,))]


def list_keys(connection: Connection) -> list[ListedKey]:
    """Every key of the installation, oldest first, at most MOST_KEYS; for its operator."""
    with connection.cursor(row_factory=class_row(ListedKey)) as cursor:
        return cursor.execute(_KEYS, (MOST_KEYS,)).fetchall()
