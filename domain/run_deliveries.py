"""Deliveries of a run: what was sent to each of its targets, and how each stands.

They outlive the run's own ending: an endpoint that is away must not keep a finished report from being read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from pydantic import JsonValue

from domain.delivery import apart
from domain.errors import Conflict, LeaseLost, NotFound
from domain.event import Aggregate, Event, Stamp, TextRef, stored

DeliveryStatus = Literal["pending", "succeeded", "abandoned"]

Objects = dict[str, JsonValue]

MOST_ROUNDS = 100
"""Times that one delivery may be asked for: each adds its attempts to the run's history."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """How one delivery stands. `round` counts the times it was asked for: 1, and one more for each redelivery."""

    status: DeliveryStatus = "pending"
    attempts: int = 0
    round: int = 1


# --- events ---------------------------------------------------------------------------------------------------------


@stored
class DeliveryAttempted(Event):
    """One request to one target. `status_code` None: no answer came. `retry_at` None: no further one by itself.

    `response` refers to a bounded extract of the answer, None without any.
    """

    TOPIC = "DeliveryAttempted"
    delivery_id: UUID
    number: int
    at: datetime
    status_code: int | None
    duration_ms: int
    error: str | None
    response: TextRef | None
    retry_at: datetime | None

    def apply(self, aggregate: Deliveries) -> None:
        aggregate.stand(self.delivery_id, attempts=self.number)


@stored
class DeliverySucceeded(Event):
    TOPIC = "DeliverySucceeded"
    delivery_id: UUID

    def apply(self, aggregate: Deliveries) -> None:
        aggregate.stand(self.delivery_id, status="succeeded")


@stored
class DeliveryAbandoned(Event):
    TOPIC = "DeliveryAbandoned"
    delivery_id: UUID
    reason: str

    def apply(self, aggregate: Deliveries) -> None:
        aggregate.stand(self.delivery_id, status="abandoned")


@stored
class RedeliveryRequested(Event):
    """Somebody asked for one more round of an ended delivery."""

    TOPIC = "RedeliveryRequested"
    delivery_id: UUID
    round: int

    def apply(self, aggregate: Deliveries) -> None:
        aggregate.stand(self.delivery_id, status="pending", round=self.round)


# --- state and decisions --------------------------------------------------------------------------------------------


class Deliveries(Aggregate):
    """The part of a run that knows its deliveries, by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: dict[str, Delivering] = {}

    @property
    def delivers(self) -> bool:
        """Whether there is something to deliver."""
        raise NotImplementedError

    def attempt(  # noqa: PLR0913 - what an attempt is
        self,
        stamp: Stamp,
        delivery_id: UUID,
        *,
        round: int,  # noqa: A002 - the word of the delivery
        number: int,
        at: datetime,
        status_code: int | None,
        duration_ms: int,
        error: str | None,
        response: TextRef | None,
        retry_at: datetime | None,
        ending: Literal["succeeded", "abandoned"] | None,
    ) -> None:
        """One attempt was made; `ending` says what it led to, None when another follows at `retry_at`.

        The same number again records nothing: what is recorded is what was sent first. Raises NotFound for an unknown
        delivery; LeaseLost when the delivery has ended or a later round has begun.
        """
        stands = self._delivery(delivery_id)
        if stands.status != "pending" or stands.round != round:
            message = f"This delivery is {stands.status} in round {stands.round}."
            raise LeaseLost(message)
        if number <= stands.attempts:
            return
        self._record(
            DeliveryAttempted,
            stamp,
            delivery_id=delivery_id,
            number=number,
            at=at,
            status_code=status_code,
            duration_ms=duration_ms,
            error=error,
            response=response,
            retry_at=retry_at if ending is None else None,
        )
        if ending == "succeeded":
            self._record(DeliverySucceeded, stamp, delivery_id=delivery_id)
        elif ending == "abandoned":
            self._record(DeliveryAbandoned, stamp, delivery_id=delivery_id, reason=error or "The target refused it.")

    def abandon_delivery(self, stamp: Stamp, delivery_id: UUID, *, reason: str) -> None:
        """Ends a delivery that cannot even be tried; an ended one stays as it is. Raises NotFound."""
        if self._delivery(delivery_id).status == "pending":
            self._record(DeliveryAbandoned, stamp, delivery_id=delivery_id, reason=reason)

    def redeliver(self, stamp: Stamp, delivery_id: UUID) -> int:
        """Opens the next round of a delivery and returns its number.

        Raises NotFound; Conflict while it is still being tried, after MOST_ROUNDS, or with nothing to deliver.
        """
        stands = self._delivery(delivery_id)
        if not self.delivers:
            message = "This run has nothing to deliver."
            raise Conflict(message)
        if stands.status == "pending":
            message = "This delivery is still in progress."
            raise Conflict(message)
        if stands.round >= MOST_ROUNDS:
            message = f"This delivery was asked for {MOST_ROUNDS} times."
            raise Conflict(message)
        self._record(RedeliveryRequested, stamp, delivery_id=delivery_id, round=stands.round + 1)
        return stands.round + 1

    def stand(self, delivery_id: UUID, **changes: object) -> None:
        """For events: how a delivery stands after them."""
        self.deliveries[str(delivery_id)] = replace(self._delivery(delivery_id), **changes)

    def _delivery(self, delivery_id: UUID) -> Delivering:
        stands = self.deliveries.get(str(delivery_id))
        if stands is None:
            raise NotFound
        return stands


def numbered(run_id: UUID, delivery_config: JsonValue) -> list[JsonValue]:
    """A run's deliveries (`domain.delivery.apart`), each with an `id` of its own."""
    items = delivery_config if isinstance(delivery_config, list) else []
    return [
        {**item, "id": str(uuid5(run_id, f"delivery/{number}"))}
        for number, item in enumerate(apart([item for item in items if isinstance(item, dict)]))
    ]


def delivery_items(definition: Objects) -> Sequence[Objects]:
    """The delivery items of a run's frozen definition, each with its `id`."""
    items = definition.get("delivery_config")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
