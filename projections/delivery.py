"""What deliveries depend on beside the actions: webhook secrets that are alive, endpoints and whether they are on."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection

from domain.endpoint import EndpointDisabled, EndpointEnabled, EndpointRegistered
from domain.event import Event
from domain.webhook_secret import WebhookSecretCreated, WebhookSecretRetired
from projections.engine.projection import Projection, Recorded
from projections.owner import environment_of, organization_of

_ADD_SIGNER = "INSERT INTO webhook_secret (environment_id, id, organization_id, created_at) VALUES (%s, %s, %s, %s)"
_DROP_SIGNER = "DELETE FROM webhook_secret WHERE environment_id = %s AND id = %s"
_ADD_ENDPOINT = "INSERT INTO endpoint (environment_id, id, organization_id, type, target) VALUES (%s, %s, %s, %s, %s)"
_SWITCH_OFF = """
UPDATE endpoint SET disabled_at = %s, reason = %s, failing_since = %s WHERE environment_id = %s AND id = %s
"""
_SWITCH_ON = """
UPDATE endpoint SET disabled_at = NULL, reason = NULL, failing_since = NULL, enabled_at = %s
WHERE environment_id = %s AND id = %s
"""


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    """One statement an event: there are few of them."""
    for item in recorded:
        _take_in(connection, item.event)


def _take_in(connection: Connection, event: Event) -> None:
    owner, stream = environment_of(event), event.originator_id
    match event:
        case WebhookSecretCreated():
            connection.execute(_ADD_SIGNER, (owner, event.secret_id, organization_of(event), event.recorded_at))
        case WebhookSecretRetired():
            connection.execute(_DROP_SIGNER, (owner, event.secret_id))
        case EndpointRegistered():
            connection.execute(_ADD_ENDPOINT, (owner, stream, organization_of(event), event.type, event.target.id))
        case EndpointDisabled():
            values = (event.recorded_at, event.reason, event.failing_since, owner, stream)
            connection.execute(_SWITCH_OFF, values)
        case EndpointEnabled():
            connection.execute(_SWITCH_ON, (event.recorded_at, owner, stream))
        case _:
            raise TypeError(f"delivery does not handle {event.TOPIC}")


DELIVERY = Projection(
    name="delivery",
    handles=frozenset(
        {WebhookSecretCreated, WebhookSecretRetired, EndpointRegistered, EndpointDisabled, EndpointEnabled}
    ),
    apply=_apply,
)
