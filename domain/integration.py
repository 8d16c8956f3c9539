"""An integration: a way into another product that an operator has given to an environment."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from domain.errors import Invalid, NotFound
from domain.event import Aggregate, Event, FirstEvent, Stamp, TextRef, stored
from domain.ids import integration_stream

KINDS = ("slack",)


@stored
class IntegrationCreated(FirstEvent):
    """`token` refers to the sealed token, which lies beside the log and goes when the integration is deleted."""

    TOPIC = "IntegrationCreated"
    integration_id: int
    kind: str
    token: TextRef

    def apply(self, aggregate: Integration) -> None:
        aggregate.integration_id = self.integration_id
        aggregate.kind = self.kind
        aggregate.token_id = self.token.id


@stored
class IntegrationDeleted(Event):
    TOPIC = "IntegrationDeleted"
    integration_id: int

    def apply(self, aggregate: Integration) -> None:
        aggregate.deleted = True


@stored
class Integration(Aggregate):
    TOPIC = "integration"

    def __init__(self) -> None:
        self.integration_id = 0
        self.kind = ""
        self.token_id = UUID(int=0)
        self.deleted = False

    @classmethod
    def create(cls, integration_id: int, stamp: Stamp, *, kind: str, token: TextRef) -> Self:
        """Raises Invalid for an unknown kind."""
        if kind not in KINDS:
            raise Invalid("type", "invalid_choice", f'"{kind}" is not a valid choice.')
        return cls._begin(
            IntegrationCreated,
            integration_stream(integration_id),
            stamp,
            integration_id=integration_id,
            kind=kind,
            token=token,
        )

    def delete(self, stamp: Stamp) -> None:
        """Raises NotFound when it is already deleted."""
        if self.deleted:
            raise NotFound
        self._record(IntegrationDeleted, stamp, integration_id=self.integration_id)
