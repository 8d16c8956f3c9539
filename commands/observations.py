"""Writing observations: requests in bulk, and what a scan worker reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue

from commands.context import Context, decide_again
from commands.store.application import BULK, TOO_LARGE, Outcome, Save, Standing, Store
from commands.store.guards import ALIVE_SCANNER, Guard, absent, require, reserve, scheduled, settle
from commands.store.once import KeptOutcome
from commands.store.private_text import private_text
from commands.store.recorder import Refused
from domain.errors import EventTooLarge, LeaseLost, NotFound, QuotaExhausted, Throttled, VisionError
from domain.ids import observation_id as stream_of
from domain.observation import UNKNOWN, Observation, Trigger, Usage
from domain.quota import Period
from domain.scanner import Scanner
from domain.tenant import Tenant

CAPPED = "Too many observations are in progress. Try again when some have ended."

RequestOutcome = Literal["started", "exists", "no_quota", "capped", "day_full"]


@dataclass(frozen=True, slots=True)
class ObservationLimits:
    """Quota of organizations that have none of their own, and the in-flight caps (engine 1.4, 2.6).

    The schedule may fill the caps only up to what is kept for requests on demand. `scheduled_per_day`: what it may ask
    for in an environment and UTC day, so that a stranger who sends recordings in spends no more (architecture 10).
    """

    default_quota: int = 3000
    per_scanner: int = 150
    per_environment: int = 300
    kept_per_scanner: int = 25
    kept_per_environment: int = 50
    scheduled_per_day: int = 5000

    def caps(self, triggered_by: Trigger) -> tuple[int, int]:
        """(scanner cap, environment cap) for this trigger."""
        if triggered_by == "on_demand":
            return self.per_scanner, self.per_environment
        return self.per_scanner - self.kept_per_scanner, self.per_environment - self.kept_per_environment


@dataclass(frozen=True, slots=True)
class Requested:
    """What became of one requested session. `position` is set when it was started."""

    session_id: str
    observation_id: UUID
    outcome: RequestOutcome
    position: int | None


@dataclass(frozen=True, slots=True)
class Success:
    """An answer as it is recorded. `result` is its structured part; `private` its free text, found by `subject`."""

    result: dict[str, JsonValue]
    private: dict[str, Any]
    subject: str | None
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
    reused_from: UUID | None = None
    """The observation that paid for the answer; None when the answer was asked for now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Which run of which observation a worker holds, and the token that proves it."""

    observation_id: UUID
    run: int
    token: UUID


def quota_message(allowance: int, period: Period) -> str:
    """The detail of a 402: the limit and the day of the reset (contract 5)."""
    return f"The monthly quota of {allowance} observations is used up. It resets on {period.end:%Y-%m-%d} (UTC)."


class Observations:
    """Command service. Context needs a tenant; observations of other tenants raise NotFound."""

    def __init__(self, store: Store, limits: ObservationLimits) -> None:
        self._store = store
        self._limits = limits

    def request(
        self, context: Context, scanner_id: UUID, session_ids: Sequence[str], triggered_by: Trigger
    ) -> list[Requested]:
        """Requests one observation a session, up to BULK, in one append; an outcome each, in order.

        Only started ones are charged. Raises NotFound when the scanner is gone; ValueError over the limit.
        """
        if len(session_ids) > BULK:
            message = f"at most {BULK} sessions a request"
            raise ValueError(message)
        scanner = self._scanner(context, scanner_id)
        wanted = list(dict.fromkeys(session_ids))
        observations = [self._requested(context, scanner, session_id, triggered_by) for session_id in wanted]
        ids = {observation.session_id: observation.id for observation in observations}
        saves = [
            Save(
                (observation,),
                (
                    require(ALIVE_SCANNER, str(scanner_id)),
                    absent(observation.id),
                    self._reservation(context, scanner_id, triggered_by),
                    *self._day(context, triggered_by),
                ),
            )
            for observation in observations
        ]
        outcomes = dict(zip(wanted, self._store.save_each(saves, once=context.once), strict=True))
        return _in_order(session_ids, ids, outcomes)

    def requested(
        self, context: Context, scanner_id: UUID, session_ids: Sequence[str], kept: Sequence[KeptOutcome]
    ) -> list[Requested]:
        """What `request` returned for these sessions when it was done before, from the outcomes that it left.

        Raises EventTooLarge for a session that it has no outcome of.
        """
        environment_id = context.owned().environment_id
        ids = {session_id: stream_of(environment_id, scanner_id, session_id) for session_id in session_ids}
        outcome_of = {one.stream: Outcome(one.position, one.refusal) for one in kept}
        outcomes = {session_id: outcome_of.get(ids[session_id], Outcome(None, TOO_LARGE)) for session_id in ids}
        return _in_order(session_ids, ids, outcomes)

    def check_admission(self, context: Context, scanner_id: UUID) -> None:
        """Whether a request on demand would be refused now, without writing anything: contract 5's first checks.

        Raises NotFound, QuotaExhausted (with the limit and the day of the reset), Throttled.
        """
        self._scanner(context, scanner_id)
        standing = self._standing(context, scanner_id)
        if standing.used >= standing.allowance:
            raise self.refusal(context, scanner_id, "no_quota")
        scanner_cap, environment_cap = self._limits.caps("on_demand")
        if standing.scanner_in_flight >= scanner_cap or standing.environment_in_flight >= environment_cap:
            raise self.refusal(context, scanner_id, "capped")

    def refusal(self, context: Context, scanner_id: UUID, outcome: str) -> VisionError:
        """What a caller whose request ended `no_quota` or `capped` is told."""
        if outcome == "capped":
            return Throttled(CAPPED)
        allowance = self._standing(context, scanner_id).allowance
        return QuotaExhausted(quota_message(allowance, Period.of(context.now)))

    def retry(self, context: Context, observation_id: UUID) -> tuple[Observation, int | None]:
        """Opens the next run of a failed or ineligible observation.

        Raises NotFound, Conflict (in progress or succeeded), QuotaExhausted, Throttled.
        """

        def attempt() -> tuple[Observation, int | None]:
            observation = self.load(context, observation_id)
            observation.retry(context.stamp(), period=str(Period.of(context.now)))
            guards = [
                require(ALIVE_SCANNER, str(observation.scanner_id)),
                self._reservation(context, observation.scanner_id, "on_demand"),
            ]
            return observation, self._store.save(observation, guards=guards, once=context.once)

        try:
            return decide_again(observation_id, attempt)
        except Refused as refused:
            if refused.refusal in ("no_quota", "capped"):
                scanner_id = self.load(context, observation_id).scanner_id
                raise self.refusal(context, scanner_id, refused.refusal) from refused
            if refused.refusal == f"missing:{ALIVE_SCANNER}":
                raise NotFound from refused
            raise

    def start(self, context: Context, lease: Lease, *, try_number: int, subject: dict[str, Any] | None) -> Observation:
        """A worker begins a try. `subject` is what is known of the person (`distinct_id`, `email`) or None.

        Raises LeaseLost when the run ended, was taken over, or its scanner was deleted.
        """

        def decide(observation: Observation) -> list[Guard]:
            reference, guards = None, list[Guard]()
            if subject is not None:
                who = subject.get("distinct_id")
                reference, row = private_text(observation.environment_id, who, subject)
                guards.append(row)
            observation.start(
                context.stamp(), run=lease.run, try_number=try_number, lease_token=lease.token, subject=reference
            )
            return guards

        return self._change(context, lease.observation_id, decide)

    def fail_try(
        self, context: Context, lease: Lease, *, kind: str, message: str, retry_at: datetime, usage: Usage = UNKNOWN
    ) -> None:
        """The try failed and is repeated at `retry_at`. Raises LeaseLost."""

        def decide(observation: Observation) -> list[Guard]:
            why: dict[str, Any] = {"kind": kind, "message": message, "retry_at": retry_at, "usage": usage}
            observation.fail_try(context.stamp(), run=lease.run, lease_token=lease.token, **why)
            return []

        self._change(context, lease.observation_id, decide)

    def succeed(self, context: Context, lease: Lease, success: Success) -> None:
        """Ends the run with an answer; its charge stays. Raises LeaseLost."""

        def decide(observation: Observation) -> list[Guard]:
            reference, row = private_text(observation.environment_id, success.subject, success.private)
            observation.succeed(
                context.stamp(),
                run=lease.run,
                lease_token=lease.token,
                result=success.result,
                text=reference,
                signals_count=success.signals_count,
                evidence_digest=success.evidence_digest,
                prompt_digest=success.prompt_digest,
                answer_digest=success.answer_digest,
                provider=success.provider,
                model=success.model,
                input_tokens=success.input_tokens,
                output_tokens=success.output_tokens,
                cost_usd=success.cost_usd,
                duration_ms=success.duration_ms,
                reused_from=success.reused_from,
            )
            return [row, _settled(observation, refund=False)]

        self._change(context, lease.observation_id, decide)

    def fail(self, context: Context, lease: Lease, *, kind: str, message: str, usage: Usage = UNKNOWN) -> None:
        """Ends the run as failed and gives its charge back. Raises LeaseLost."""

        def decide(observation: Observation) -> list[Guard]:
            why: dict[str, Any] = {"kind": kind, "message": message, "usage": usage}
            observation.fail(context.stamp(), run=lease.run, lease_token=lease.token, **why)
            return [_settled(observation, refund=True)]

        self._change(context, lease.observation_id, decide)

    def abandon(self, context: Context, observation_id: UUID, run: int, *, message: str) -> None:
        """Ends a run whose workers died (kind `orphaned`), whoever held it last. Raises LeaseLost when it ended."""

        def decide(observation: Observation) -> list[Guard]:
            token = observation.lease_token
            observation.fail(context.stamp(), run=run, lease_token=token, kind="orphaned", message=message)
            return [_settled(observation, refund=True)]

        self._change(context, observation_id, decide)

    def judge_ineligible(
        self, context: Context, lease: Lease, *, kind: str, message: str, usage: Usage = UNKNOWN
    ) -> None:
        """Ends the run because the session cannot be scanned, and gives its charge back. Raises LeaseLost."""

        def decide(observation: Observation) -> list[Guard]:
            why: dict[str, Any] = {"kind": kind, "message": message, "usage": usage}
            observation.judge_ineligible(context.stamp(), run=lease.run, lease_token=lease.token, **why)
            return [_settled(observation, refund=True)]

        self._change(context, lease.observation_id, decide)

    def load(self, context: Context, observation_id: UUID) -> Observation:
        """The observation as of now. Raises NotFound when it is unknown or another tenant's."""
        observation = self._store.load(Observation, observation_id)
        if observation.environment_id != context.owned().environment_id:
            raise NotFound
        return observation

    def last_position(self, observation_ids: Collection[UUID]) -> int | None:
        """Where in the log the last event of any of these observations lies."""
        return self._store.last_position(observation_ids)

    def _change(
        self, context: Context, observation_id: UUID, decide: Callable[[Observation], list[Guard]]
    ) -> Observation:
        def attempt() -> Observation:
            observation = self.load(context, observation_id)
            guards = decide(observation)
            alive = require(ALIVE_SCANNER, str(observation.scanner_id))
            self._store.save(observation, guards=[alive, *guards], once=context.once)
            return observation

        try:
            return decide_again(observation_id, attempt)
        except Refused as refused:
            if refused.refusal == f"missing:{ALIVE_SCANNER}":
                message = "The scanner was deleted."
                raise LeaseLost(message) from refused
            raise

    def _scanner(self, context: Context, scanner_id: UUID) -> Scanner:
        scanner = self._store.load(Scanner, scanner_id)
        if scanner.deleted or scanner.environment_id != context.owned().environment_id:
            raise NotFound
        return scanner

    def _requested(self, context: Context, scanner: Scanner, session_id: str, trigger: Trigger) -> Observation:
        return Observation.request(
            context.stamp(),
            scanner_id=scanner.id,
            session_id=session_id,
            scanner_snapshot=scanner.snapshot(),
            triggered_by=trigger,
            period=str(Period.of(context.now)),
        )

    def _standing(self, context: Context, scanner_id: UUID) -> Standing:
        period = str(Period.of(context.now))
        return self._store.standing(context.owned(), scanner_id, period, context.now, self._limits.default_quota)

    def _day(self, context: Context, trigger: Trigger) -> list[Guard]:
        """Requests of people are not counted."""
        if trigger == "on_demand":
            return []
        most = self._limits.scheduled_per_day
        return [scheduled(environment_id=context.owned().environment_id, at=context.now, most=most)]

    def _reservation(self, context: Context, scanner_id: UUID, trigger: Trigger) -> Guard:
        tenant: Tenant = context.owned()
        scanner_cap, environment_cap = self._limits.caps(trigger)
        return reserve(
            scanner_id=scanner_id,
            environment_id=tenant.environment_id,
            organization_id=tenant.organization_id,
            period=str(Period.of(context.now)),
            at=context.now,
            default_quota=self._limits.default_quota,
            scanner_cap=scanner_cap,
            environment_cap=environment_cap,
        )


def _settled(observation: Observation, *, refund: bool) -> Guard:
    return settle(scanner_id=observation.scanner_id, period=observation.period, refund=refund)


def _in_order(session_ids: Sequence[str], ids: Mapping[str, UUID], outcomes: Mapping[str, Outcome]) -> list[Requested]:
    by_session = {session_id: _requested(session_id, ids[session_id], outcomes[session_id]) for session_id in outcomes}
    return [by_session[session_id] for session_id in session_ids]


def _requested(session_id: str, observation_id: UUID, outcome: Outcome) -> Requested:
    match outcome.refusal:
        case None:
            return Requested(session_id, observation_id, "started", outcome.position)
        case "exists" | "version":
            return Requested(session_id, observation_id, "exists", None)
        case "no_quota" | "capped" | "day_full" as refusal:
            return Requested(session_id, observation_id, refusal, None)
        case refusal if refusal == f"missing:{ALIVE_SCANNER}":
            raise NotFound
        case refusal if refusal == TOO_LARGE:
            raise EventTooLarge("The scanner is too large to be copied into an observation.")
        case refusal:
            raise Refused(refusal)
