"""A run of an action: one report or one check, and what became of each delivery of it.

A run of the schedule is known by its action and the time it was due, so whoever claims it again meets the same stream.
Like an observation's, a try holds a lease, and an ending names its token. Deliveries outlive the run's own ending: an
endpoint that is away must not keep a finished report from being read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, JsonValue

from domain.alert import Measuring
from domain.errors import Conflict, LeaseLost, NotFound
from domain.event import Event, FirstEvent, Stamp, TextRef, stored

Cause = Literal["schedule", "manual"]
Status = Literal["running", "completed", "failed", "skipped"]
DeliveryStatus = Literal["pending", "succeeded", "abandoned"]

DEFINITION = (
    "name", "mode", "timezone", "selection", "synthesis_config", "alert_config", "condition", "delivery_config",
)  # fmt: skip
"""Keys of a run's frozen copy of its action. Each delivery item has an `id` of its own besides."""

Objects = dict[str, JsonValue]


class Cited(BaseModel):
    """An observation that the report refers to as `[obs index]`. Numbers are those of the material, gaps and all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    id: UUID
    session_id: str


@dataclass(frozen=True, slots=True)
class Delivering:
    """How one delivery stands. `round` counts the times it was asked for: 1, and one more for each redelivery."""

    status: DeliveryStatus = "pending"
    attempts: int = 0
    round: int = 1


# --- events ---------------------------------------------------------------------------------------------------------


@stored
class ActionRunClaimed(FirstEvent):
    """`scheduled_at`: when it was due, or when somebody asked for it (`cause` manual).

    `position`: what the log had then; the run looks at nothing later, and not before the projections have passed it.
    `window_start` None: since the last completed run of the schedule, which is known when the run starts.
    `action` is frozen (DEFINITION).
    """

    TOPIC = "ActionRunClaimed"
    action_id: UUID
    scanner_id: UUID
    cause: Cause
    triggered_by_user: int | None
    scheduled_at: datetime
    window_start: datetime | None
    window_end: datetime
    position: int
    action: Objects

    def apply(self, aggregate: ActionRun) -> None:
        for name in ("action_id", "scanner_id", "cause", "scheduled_at", "window_start", "window_end", "position"):
            setattr(aggregate, name, getattr(self, name))
        aggregate.action = self.action
        items = self.action.get("delivery_config")
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                aggregate.deliveries[str(item["id"])] = Delivering()


@stored
class ActionRunStarted(Event):
    """`since`: the log position after which the window begins; None when it begins at `window_start`."""

    TOPIC = "ActionRunStarted"
    try_number: int
    lease_token: UUID
    window_start: datetime
    since: int | None

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.try_number = self.try_number
        aggregate.lease_token = self.lease_token
        aggregate.window_start = self.window_start
        aggregate.since = self.since


@stored
class ReportWritten(Event):
    """`report` refers to the text. `observation_count` of the `matched` ones were read for it, `observations` cited."""

    TOPIC = "ReportWritten"
    lease_token: UUID
    report: TextRef
    observations: list[Cited]
    observation_count: int
    matched: int
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    prompt_digest: str
    answer_digest: str

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.report_id = self.report.id


class _Ending(Event):
    lease_token: UUID | None

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.lease_token = None


@stored
class ActionRunCompleted(_Ending):
    """The report is there, or the check was made. Deliveries begin now."""

    TOPIC = "ActionRunCompleted"

    def apply(self, aggregate: ActionRun) -> None:
        super().apply(aggregate)
        aggregate.status = "completed"


@stored
class ActionRunSkipped(_Ending):
    """There was nothing to do. `reason` is a code, `message` a plain sentence."""

    TOPIC = "ActionRunSkipped"
    reason: str
    message: str

    def apply(self, aggregate: ActionRun) -> None:
        super().apply(aggregate)
        aggregate.status = "skipped"


@stored
class ActionRunFailed(_Ending):
    TOPIC = "ActionRunFailed"
    reason: str
    message: str

    def apply(self, aggregate: ActionRun) -> None:
        super().apply(aggregate)
        aggregate.status = "failed"


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

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.stand(self.delivery_id, attempts=self.number)


@stored
class DeliverySucceeded(Event):
    TOPIC = "DeliverySucceeded"
    delivery_id: UUID

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.stand(self.delivery_id, status="succeeded")


@stored
class DeliveryAbandoned(Event):
    TOPIC = "DeliveryAbandoned"
    delivery_id: UUID
    reason: str

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.stand(self.delivery_id, status="abandoned")


@stored
class RedeliveryRequested(Event):
    """Somebody asked for one more round of an ended delivery."""

    TOPIC = "RedeliveryRequested"
    delivery_id: UUID
    round: int

    def apply(self, aggregate: ActionRun) -> None:
        aggregate.stand(self.delivery_id, status="pending", round=self.round)


# --- state and decisions --------------------------------------------------------------------------------------------


@stored
class ActionRun(Measuring):
    TOPIC = "action_run"

    def __init__(self) -> None:
        self.action_id = UUID(int=0)
        self.scanner_id = UUID(int=0)
        self.cause: Cause = "schedule"
        self.scheduled_at: datetime | None = None
        self.window_start: datetime | None = None
        self.window_end: datetime | None = None
        self.position = 0
        self.since: int | None = None
        self.action: Objects = {}
        self.status: Status = "running"
        self.try_number = 0
        self.lease_token: UUID | None = None
        self.report_id: UUID | None = None
        self.deliveries: dict[str, Delivering] = {}

    @classmethod
    def claim(
        cls,
        run_id: UUID,
        stamp: Stamp,
        *,
        action_id: UUID,
        scanner_id: UUID,
        cause: Cause,
        scheduled_at: datetime,
        window_start: datetime | None,
        window_end: datetime,
        position: int,
        action: Objects,
    ) -> Self:
        """A run that is to be done. `action` has the keys of DEFINITION; its delivery items get their ids here."""
        items = action.get("delivery_config")
        numbered: list[JsonValue] = [
            {**item, "id": str(uuid5(run_id, f"delivery/{number}"))}
            for number, item in enumerate(items if isinstance(items, list) else [])
            if isinstance(item, dict)
        ]
        return cls._begin(
            ActionRunClaimed,
            run_id,
            stamp,
            action_id=action_id,
            scanner_id=scanner_id,
            cause=cause,
            triggered_by_user=stamp.actor.user_id,
            scheduled_at=scheduled_at,
            window_start=window_start,
            window_end=window_end,
            position=position,
            action={**action, "delivery_config": numbered},
        )

    def start(
        self, stamp: Stamp, *, try_number: int, lease_token: UUID, window_start: datetime, since: int | None
    ) -> None:
        """A worker begins a try. Raises LeaseLost when the run has ended or a later try began already."""
        if self.status != "running" or try_number < self.try_number:
            raise _lost(self)
        if try_number == self.try_number:
            if self.lease_token == lease_token:
                return
            raise _lost(self)
        self._record(
            ActionRunStarted,
            stamp,
            try_number=try_number,
            lease_token=lease_token,
            window_start=window_start,
            since=since,
        )

    def write_report(self, stamp: Stamp, *, lease_token: UUID, **report: object) -> None:
        """Ends the run with a report (the fields of ReportWritten). Raises LeaseLost."""
        self._check_lease(lease_token)
        self._record(ReportWritten, stamp, lease_token=lease_token, **report)
        self._record(ActionRunCompleted, stamp, lease_token=lease_token)

    def skip(self, stamp: Stamp, *, lease_token: UUID | None, reason: str, message: str) -> None:
        """Ends the run because there is nothing to do. Raises LeaseLost."""
        self._check_lease(lease_token)
        self._record(ActionRunSkipped, stamp, lease_token=lease_token, reason=reason, message=message)

    def fail(self, stamp: Stamp, *, lease_token: UUID | None, reason: str, message: str) -> None:
        """Ends the run as failed. Raises LeaseLost."""
        self._check_lease(lease_token)
        self._record(ActionRunFailed, stamp, lease_token=lease_token, reason=reason, message=message)

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

        Raises NotFound; Conflict while it is still being tried, or when the run has nothing to deliver.
        """
        stands = self._delivery(delivery_id)
        if self.status != "completed":
            message = "This run has nothing to deliver."
            raise Conflict(message)
        if stands.status == "pending":
            message = "This delivery is still in progress."
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

    def _check_lease(self, lease_token: UUID | None) -> None:
        if self.status != "running" or lease_token != self.lease_token:
            raise _lost(self)


def delivery_items(definition: Objects) -> Sequence[Objects]:
    """The delivery items of a run's frozen definition, each with its `id`."""
    items = definition.get("delivery_config")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _lost(run: ActionRun) -> LeaseLost:
    return LeaseLost(f"The run is {run.status}; this lease is not the current one.")
