"""A run of an action: one report or one check, and what became of each delivery of it.

A run of the schedule is known by its action and the time it was due, so whoever claims it again meets the same stream.
Like an observation's, a try holds a lease, and an ending names its token. Nothing of a run lies on its action's stream,
which every edit reads whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.alert import Measuring
from domain.errors import LeaseLost
from domain.event import Event, FirstEvent, Stamp, TextRef, stored
from domain.run_deliveries import Deliveries, Delivering, Objects, delivery_items, numbered

Cause = Literal["schedule", "manual"]
Status = Literal["running", "completed", "failed", "skipped"]

DEFINITION = (
    "name", "mode", "timezone", "selection", "synthesis_config", "alert_config", "condition", "delivery_config",
)  # fmt: skip
"""Keys of a run's frozen copy of its action. Each delivery item has an `id` of its own besides."""


_UNSET = datetime.min.replace(tzinfo=UTC)


class Cited(BaseModel):
    """An observation that the report refers to as `[obs index]`. Numbers are those of the material, gaps and all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    id: UUID
    session_id: str


# --- events ---------------------------------------------------------------------------------------------------------


@stored
class ActionRunClaimed(FirstEvent):
    """`scheduled_at`: when it was due, or when somebody asked for it (`cause` manual).

    `position`: what the log had then; the run looks at nothing later, and not before the projections have passed it.
    `window_start` None: since the last completed run of the schedule, which is known when the run starts.
    `action` is frozen (DEFINITION), as of `action_version` of its stream. `next_run_at`: when the action is due after
    this run of the schedule; times that were missed meanwhile have this one run between them.
    """

    TOPIC = "ActionRunClaimed"
    action_id: UUID
    scanner_id: UUID
    cause: Cause
    triggered_by_user: int | None
    scheduled_at: datetime
    next_run_at: datetime | None
    window_start: datetime | None
    window_end: datetime
    position: int
    action_version: int
    action: Objects

    def apply(self, aggregate: ActionRun) -> None:
        for name in (
            "action_id", "scanner_id", "cause", "scheduled_at", "window_start", "window_end", "position",
            "action_version", "action",
        ):  # fmt: skip
            setattr(aggregate, name, getattr(self, name))
        aggregate.deliveries = {str(item["id"]): Delivering() for item in delivery_items(self.action)}


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
    """`report` refers to the text. `observation_count` of the `matched` ones were read for it, `observations` cited.

    `digests`: parts of a large set that were digested first, each by a call of the model.
    """

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
    digests: int

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


# --- state and decisions --------------------------------------------------------------------------------------------


@stored
class ActionRun(Deliveries, Measuring):
    TOPIC = "action_run"

    def __init__(self) -> None:
        super().__init__()
        self.action_id = UUID(int=0)
        self.scanner_id = UUID(int=0)
        self.cause: Cause = "schedule"
        self.scheduled_at = _UNSET
        self.window_start: datetime | None = None
        self.window_end = _UNSET
        self.position = 0
        self.action_version = 0
        self.since: int | None = None
        self.action: Objects = {}
        self.status: Status = "running"
        self.try_number = 0
        self.lease_token: UUID | None = None
        self.report_id: UUID | None = None

    @property
    def delivers(self) -> bool:
        return self.status == "completed"

    @classmethod
    def claim(  # noqa: PLR0913 - what a run is
        cls,
        run_id: UUID,
        stamp: Stamp,
        *,
        action_id: UUID,
        scanner_id: UUID,
        cause: Cause,
        scheduled_at: datetime,
        next_run_at: datetime | None,
        window_start: datetime | None,
        window_end: datetime,
        position: int,
        action_version: int,
        action: Objects,
    ) -> Self:
        """A run that is to be done. `action` has the keys of DEFINITION; its delivery items get their ids here."""
        return cls._begin(
            ActionRunClaimed,
            run_id,
            stamp,
            action_id=action_id,
            scanner_id=scanner_id,
            cause=cause,
            triggered_by_user=stamp.actor.user_id,
            scheduled_at=scheduled_at,
            next_run_at=next_run_at,
            window_start=window_start,
            window_end=window_end,
            position=position,
            action_version=action_version,
            action={**action, "delivery_config": numbered(run_id, action.get("delivery_config"))},
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

    def _check_lease(self, lease_token: UUID | None) -> None:
        if self.status != "running" or lease_token != self.lease_token:
            raise _lost(self)


def _lost(run: ActionRun) -> LeaseLost:
    return LeaseLost(f"The run is {run.status}; this lease is not the current one.")
