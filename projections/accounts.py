"""Who may do what: organizations, environments, users and API keys."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection
from psycopg.types.json import Jsonb

from domain.accounts import (
    ApiKeyIssued,
    ApiKeyRevoked,
    EnvironmentActionsDefined,
    EnvironmentCreated,
    EnvironmentTestAccountsSet,
    OrganizationCreated,
    ProjectTokenRotated,
    RetentionSet,
    UserCreated,
)
from domain.event import Event
from projections.engine.projection import Projection, Recorded
from projections.engine.table import text
from projections.owner import environment_of, organization_of

_ORGANIZATION = "INSERT INTO organization (id, name, created_at) VALUES (%s, %s, %s)"
_ENVIRONMENT = (
    "INSERT INTO environment (id, organization_id, name, timezone, project_token, created_at) "
    "VALUES (%s, %s, %s, %s, %s, %s)"
)
_ROTATE = "UPDATE environment SET project_token = %s WHERE id = %s"
_RETENTION = "UPDATE environment SET retention_days = %s WHERE id = %s"
_TEST_ACCOUNTS = "UPDATE environment SET test_accounts = %s WHERE id = %s"
_ACTIONS = "UPDATE environment SET actions = %s WHERE id = %s"
_MEMBER = "INSERT INTO member (id, uuid, organization_id, profile_id, created_at) VALUES (%s, %s, %s, %s, %s)"
_KEY = (
    "INSERT INTO api_key (id, organization_id, user_id, label, prefix, key_hash, scopes, environment_ids, created_at, "
    "expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_REVOKE = "UPDATE api_key SET revoked_at = %s WHERE id = %s"


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    """One statement an event: accounts change by hand, a few times a day."""
    for item in recorded:
        _take_in(connection, item.event)


def _take_in(connection: Connection, event: Event) -> None:
    at = event.recorded_at
    match event:
        case OrganizationCreated():
            connection.execute(_ORGANIZATION, (event.originator_id, text(event.name), at))
        case EnvironmentCreated():
            values = (environment_of(event), organization_of(event), text(event.name), event.timezone)
            connection.execute(_ENVIRONMENT, (*values, event.project_token, at))
        case ProjectTokenRotated():
            connection.execute(_ROTATE, (event.project_token, environment_of(event)))
        case RetentionSet():
            connection.execute(_RETENTION, (event.retention_days, environment_of(event)))
        case EnvironmentTestAccountsSet():
            connection.execute(_TEST_ACCOUNTS, (Jsonb(event.filters), environment_of(event)))
        case EnvironmentActionsDefined():
            connection.execute(_ACTIONS, (Jsonb(event.actions), environment_of(event)))
        case UserCreated():
            values = (event.user_id, event.originator_id, organization_of(event), event.profile.id, at)
            connection.execute(_MEMBER, values)
        case ApiKeyIssued():
            owner = (event.originator_id, organization_of(event), event.user_id)
            key = (text(event.label), event.prefix, event.key_hash, event.scopes, event.environment_ids)
            connection.execute(_KEY, (*owner, *key, at, event.expires_at))
        case ApiKeyRevoked():
            connection.execute(_REVOKE, (at, event.originator_id))
        case _:
            message = f"accounts does not handle {event.TOPIC}"
            raise TypeError(message)


ACCOUNTS = Projection(
    name="accounts",
    handles=frozenset(
        {
            OrganizationCreated,
            EnvironmentCreated,
            ProjectTokenRotated,
            RetentionSet,
            EnvironmentTestAccountsSet,
            EnvironmentActionsDefined,
            UserCreated,
            ApiKeyIssued,
            ApiKeyRevoked,
        }
    ),
    apply=_apply,
)
