"""Which integrations each environment has."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection

from domain.event import Event
from domain.integration import IntegrationCreated, IntegrationDeleted
from projections.engine.projection import Projection, Recorded
from projections.owner import environment_of, organization_of

_ADD = "INSERT INTO integration (environment_id, id, organization_id, type, created_at) VALUES (%s, %s, %s, %s, %s)"
_DROP = "DELETE FROM integration WHERE environment_id = %s AND id = %s"


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    """One statement an event: integrations change by hand."""
    for item in recorded:
        _take_in(connection, item.event)


def _take_in(connection: Connection, event: Event) -> None:
    match event:
        case IntegrationCreated():
            owner = (environment_of(event), event.integration_id, organization_of(event))
            connection.execute(_ADD, (*owner, event.kind, event.recorded_at))
        case IntegrationDeleted():
            connection.execute(_DROP, (environment_of(event), event.integration_id))
        case _:
            raise TypeError(f"integrations does not handle {event.TOPIC}")


INTEGRATIONS = Projection(
    name="integrations", handles=frozenset({IntegrationCreated, IntegrationDeleted}), apply=_apply
)
