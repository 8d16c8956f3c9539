"""An endpoint: where deliveries of an environment go, such as one URL. One that keeps failing is switched off.

It comes into being when it is switched off for the first time: as long as all is well there is nothing to remember.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import JsonValue

from domain.delivery import target_of
from domain.event import Aggregate, Event, FirstEvent, Stamp, TextRef, stored
from domain.ids import endpoint_stream


@stored
class EndpointRegistered(FirstEvent):
    """`target` refers to where it is: a URL, a channel or an address, which may be somebody's."""

    TOPIC = "EndpointRegistered"
    type: str
    target: TextRef

    def apply(self, aggregate: Endpoint) -> None:
        aggregate.type = self.type
        aggregate.target_id = self.target.id


@stored
class EndpointDisabled(Event):
    """`failing_since`: when the first attempt failed that no success has followed."""

    TOPIC = "EndpointDisabled"
    reason: str
    failing_since: datetime

    def apply(self, aggregate: Endpoint) -> None:
        aggregate.disabled = True


@stored
class EndpointEnabled(Event):
    TOPIC = "EndpointEnabled"

    def apply(self, aggregate: Endpoint) -> None:
        aggregate.disabled = False


@stored
class Endpoint(Aggregate):
    TOPIC = "endpoint"

    def __init__(self) -> None:
        self.type = ""
        self.target_id = UUID(int=0)
        self.disabled = False

    @classmethod
    def register(cls, environment_id: int, item: Mapping[str, JsonValue], stamp: Stamp, *, target: TextRef) -> Self:
        """`item` is one delivery (`domain.delivery.apart`)."""
        stream = endpoint_id(environment_id, item)
        return cls._begin(EndpointRegistered, stream, stamp, type=str(item["type"]), target=target)

    def disable(self, stamp: Stamp, *, reason: str, failing_since: datetime) -> None:
        """Records nothing when it is switched off already."""
        if not self.disabled:
            self._record(EndpointDisabled, stamp, reason=reason, failing_since=failing_since)

    def enable(self, stamp: Stamp) -> None:
        """Records nothing when it is not switched off."""
        if self.disabled:
            self._record(EndpointEnabled, stamp)


def endpoint_id(environment_id: int, item: Mapping[str, JsonValue]) -> UUID:
    """The same endpoint for every action of an environment that delivers there."""
    return endpoint_stream(environment_id, str(item.get("type")), target_of(item))
