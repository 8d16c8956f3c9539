"""An observation: one scanner applied to one session.

A run is what a person or the schedule asked for (the first request, then each retry); tries inside a run are
automatic. A worker holds a lease; every ending names its run and lease token and is refused unless both are current,
so a worker that was taken over cannot end anything (architecture 5).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from pydantic import JsonValue

from domain.errors import Conflict, LeaseLost
from domain.event import Aggregate, Event, FirstEvent, Stamp, TextRef, stored
from domain.ids import observation_id

Status = Literal["pending", "running", "succeeded", "failed", "ineligible"]
Trigger = Literal["schedule", "on_demand"]
IN_FLIGHT = ("pending", "running")
SESSION_ID_LENGTH = 128
"""Longest session id that can be observed (contract 5)."""

GIVEN_BACK = "infra_transient"
"""Kind of a try whose worker was stopped in the middle of it: nobody's failure, and none of those that end a run."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a try without an answer took of a model. None: nobody knows. Zeros: no model was asked.

    `requests` were sent, answered or not; tokens and cost (US dollars) are those of the answered ones. `duration_ms` is
    the whole try's. The digests (SHA-256, hexadecimal) are of what was asked and of the model's raw words, None without
    any. The names are those of ObservationSucceeded.
    """

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    duration_ms: int | None = None
    prompt_digest: str | None = None
    answer_digest: str | None = None


UNKNOWN = Usage()

# --- events ---------------------------------------------------------------------------------------------------------


@stored
class ObservationRequested(FirstEvent):
    """`scanner_snapshot` is frozen for ever; `period` is the quota month that the reservation belongs to."""

    TOPIC = "ObservationRequested"
    scanner_id: UUID
    session_id: str
    scanner_snapshot: dict[str, JsonValue]
    triggered_by: Trigger
    triggered_by_user: int | None
    period: str
    run: int = 1

    def apply(self, aggregate: Observation) -> None:
        aggregate.scanner_id = self.scanner_id
        aggregate.session_id = self.session_id
        aggregate.scanner_snapshot = self.scanner_snapshot
        aggregate.period = self.period
        aggregate.run = self.run
        aggregate.status = "pending"


@stored
class ScanStarted(Event):
    """`subject` refers to what is known of the recorded person (distinct id, e-mail)."""

    TOPIC = "ScanStarted"
    run: int
    try_number: int
    lease_token: UUID
    subject: TextRef | None = None

    def apply(self, aggregate: Observation) -> None:
        aggregate.status = "running"
        aggregate.try_number = self.try_number
        aggregate.lease_token = self.lease_token


class _Unanswered(Event):
    """A try that brought no answer, with what it took (Usage). Version 1 has none of its fields."""

    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    duration_ms: int | None
    prompt_digest: str | None
    answer_digest: str | None

    def apply(self, aggregate: Observation) -> None:
        if self.answer_digest is not None:
            aggregate.told += (self.answer_digest,)


@stored
class TryFailed(_Unanswered):
    TOPIC = "TryFailed"
    SCHEMA_VERSION = 2
    run: int
    try_number: int
    lease_token: UUID
    kind: str
    message: str
    retry_at: datetime

    def apply(self, aggregate: Observation) -> None:
        super().apply(aggregate)
        aggregate.lease_token = None
        if self.kind != GIVEN_BACK:
            aggregate.failures += 1


class _Ending(Event):
    run: int
    lease_token: UUID | None

    def apply(self, aggregate: Observation) -> None:
        super().apply(aggregate)
        aggregate.lease_token = None


@stored
class ObservationSucceeded(_Ending):
    """`result` is the structured part of the answer; its free text is private and only referred to by `text`.

    `reused_from` names the observation that had paid for the same answer: nothing was asked for this one, or its own
    earlier try had asked. None for an answer of its own. Version 1 has no such field.
    """

    TOPIC = "ObservationSucceeded"
    SCHEMA_VERSION = 2
    result: dict[str, JsonValue]
    text: TextRef
    signals_count: int
    evidence_digest: str
    prompt_digest: str
    answer_digest: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    duration_ms: int
    reused_from: UUID | None

    def apply(self, aggregate: Observation) -> None:
        super().apply(aggregate)
        aggregate.status = "succeeded"


@stored
class ObservationFailed(_Ending, _Unanswered):
    TOPIC = "ObservationFailed"
    SCHEMA_VERSION = 2
    kind: str
    message: str

    def apply(self, aggregate: Observation) -> None:
        super().apply(aggregate)
        aggregate.status = "failed"


@stored
class ObservationIneligible(_Ending, _Unanswered):
    TOPIC = "ObservationIneligible"
    SCHEMA_VERSION = 2
    kind: str
    message: str

    def apply(self, aggregate: Observation) -> None:
        super().apply(aggregate)
        aggregate.status = "ineligible"


@stored
class ObservationRetried(Event):
    """Opens the next run of a failed or ineligible observation. Carries what a worker needs to find the work."""

    TOPIC = "ObservationRetried"
    run: int
    scanner_id: UUID
    session_id: str
    triggered_by_user: int | None
    period: str

    def apply(self, aggregate: Observation) -> None:
        aggregate.run = self.run
        aggregate.period = self.period
        aggregate.try_number = 0
        aggregate.failures = 0
        aggregate.lease_token = None
        aggregate.status = "pending"


# --- state and decisions --------------------------------------------------------------------------------------------


@stored
class Observation(Aggregate):
    """`failures`: tries of this run that failed by themselves. `told`: digests of answers whose price is recorded."""

    TOPIC = "observation"

    def __init__(self) -> None:
        self.scanner_id = UUID(int=0)
        self.session_id = ""
        self.scanner_snapshot: dict[str, JsonValue] = {}
        self.period = ""
        self.run = 0
        self.try_number = 0
        self.failures = 0
        self.told: tuple[str, ...] = ()
        self.lease_token: UUID | None = None
        self.status: Status = "pending"

    @classmethod
    def request(
        cls,
        stamp: Stamp,
        *,
        scanner_id: UUID,
        session_id: str,
        scanner_snapshot: dict[str, JsonValue],
        triggered_by: Trigger,
        period: str,
    ) -> Self:
        """The first run of a pair. `stamp.environment_id` must be set: it is part of the identity."""
        environment_id = stamp.environment_id
        if environment_id is None:
            message = "an observation needs an environment"
            raise ValueError(message)
        return cls._begin(
            ObservationRequested,
            observation_id(environment_id, scanner_id, session_id),
            stamp,
            scanner_id=scanner_id,
            session_id=session_id,
            scanner_snapshot=scanner_snapshot,
            triggered_by=triggered_by,
            triggered_by_user=stamp.actor.user_id,
            period=period,
        )

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    def start(self, stamp: Stamp, *, run: int, try_number: int, lease_token: UUID, subject: TextRef | None) -> None:
        """A worker begins a try. Raises LeaseLost when the run has ended or a later try began already."""
        if not self.in_flight or run != self.run or try_number < self.try_number:
            raise _lost(self)
        if try_number == self.try_number:
            if self.lease_token == lease_token:
                return
            raise _lost(self)
        self._record(ScanStarted, stamp, run=run, try_number=try_number, lease_token=lease_token, subject=subject)

    def fail_try(
        self,
        stamp: Stamp,
        *,
        run: int,
        lease_token: UUID,
        kind: str,
        message: str,
        retry_at: datetime,
        usage: Usage = UNKNOWN,
    ) -> None:
        """A try failed and will be repeated by itself. Raises LeaseLost."""
        self._check_lease(run, lease_token)
        self._record(
            TryFailed,
            stamp,
            run=run,
            try_number=self.try_number,
            lease_token=lease_token,
            kind=kind,
            message=message,
            retry_at=retry_at,
            **asdict(usage),
        )

    def succeed(self, stamp: Stamp, *, run: int, lease_token: UUID, **answer: object) -> None:
        """Ends the run with an answer (the fields of ObservationSucceeded). Raises LeaseLost."""
        self._check_lease(run, lease_token)
        self._record(ObservationSucceeded, stamp, run=run, lease_token=lease_token, **answer)

    def fail(
        self, stamp: Stamp, *, run: int, lease_token: UUID | None, kind: str, message: str, usage: Usage = UNKNOWN
    ) -> None:
        """Ends the run as failed; `usage` is that of its last try. Raises LeaseLost."""
        self._check_lease(run, lease_token)
        why = {"kind": kind, "message": message}
        self._record(ObservationFailed, stamp, run=run, lease_token=lease_token, **why, **asdict(usage))

    def judge_ineligible(
        self, stamp: Stamp, *, run: int, lease_token: UUID, kind: str, message: str, usage: Usage = UNKNOWN
    ) -> None:
        """Ends the run because the session cannot be scanned; `usage` is that of its last try. Raises LeaseLost."""
        self._check_lease(run, lease_token)
        why = {"kind": kind, "message": message}
        self._record(ObservationIneligible, stamp, run=run, lease_token=lease_token, **why, **asdict(usage))

    def retry(self, stamp: Stamp, *, period: str) -> None:
        """Opens the next run. Raises Conflict while one is in flight or when the observation succeeded."""
        if self.in_flight:
            message = "This observation is still in progress."
            raise Conflict(message)
        if self.status == "succeeded":
            message = "A succeeded observation cannot be retried."
            raise Conflict(message)
        self._record(
            ObservationRetried,
            stamp,
            run=self.run + 1,
            scanner_id=self.scanner_id,
            session_id=self.session_id,
            triggered_by_user=stamp.actor.user_id,
            period=period,
        )

    def _check_lease(self, run: int, lease_token: UUID | None) -> None:
        if not self.in_flight or run != self.run or lease_token != self.lease_token:
            raise _lost(self)


def _lost(observation: Observation) -> LeaseLost:
    return LeaseLost(f"Run {observation.run} is {observation.status}; this lease is not the current one.")
