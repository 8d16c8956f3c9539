"""The user object of contract 2.5, for everything that names a user."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.tenant import Tenant

Document = dict[str, Any]

USER_COLUMNS = "m.id AS user_id, m.uuid AS user_uuid, mp.body AS profile"
"""What `user_document` needs, with USER_JOIN."""

USER_JOIN = (
    "LEFT JOIN read_accounts.member m ON m.id = {column} LEFT JOIN store.private_text mp ON mp.id = m.profile_id"
)

LABEL = "coalesce(nullif(mp.body->>'first_name', ''), nullif(mp.body->>'last_name', ''), mp.body->>'email')"
"""What a user is shown as, and sorted by (contract 3.5)."""

_SELECT = f"""
SELECT {USER_COLUMNS} FROM read_accounts.member m LEFT JOIN store.private_text mp ON mp.id = m.profile_id
"""  # noqa: S608 - columns of our own
_BY_ID = (_SELECT + "WHERE m.id = %s").encode()
_BY_IDS = (_SELECT + "WHERE m.organization_id = %s AND m.id = ANY(%s)").encode()


def user_document(user_id: int | None, uuid: UUID | None, profile: Document | None) -> Document | None:
    """All nine keys of contract 2.5; None for a user who was deleted."""
    if user_id is None or profile is None:
        return None
    return {
        "id": user_id,
        "uuid": uuid,
        "distinct_id": None,
        "first_name": profile.get("first_name", ""),
        "last_name": profile.get("last_name", ""),
        "email": profile.get("email", ""),
        "is_email_verified": None,
        "hedgehog_config": None,
        "role_at_organization": None,
    }


def user(connection: Connection, user_id: int) -> Document | None:
    """The caller's own user object, or None."""
    row = connection.execute(_BY_ID, (user_id,)).fetchone()
    return user_document(*row) if row else None


def users(connection: Connection, tenant: Tenant, user_ids: Collection[int]) -> dict[int, Document]:
    """User objects of the tenant's organization by id; deleted and unknown ones are left out."""
    if not user_ids:
        return {}
    rows = connection.execute(_BY_IDS, (tenant.organization_id, list(user_ids)))
    found = {row[0]: user_document(*row) for row in rows}
    return {user_id: document for user_id, document in found.items() if document is not None}
