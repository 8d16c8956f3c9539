"""Writing runs of actions: claimed when they are due, asked for by people, reported by workers, delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import JsonValue

from commands.context import Context, decide_again
from commands.store.application import Store
from commands.store.guards import ALIVE_ACTION, Guard, absent, at_most, claim, release, require, runs_of
from commands.store.private_text import private_text
from commands.store.recorder import Refused
from domain.action import ALERT, DEFAULT_TIMEZONE, Action
from domain.action_run import ActionRun, Cited
from domain.alert import Measured
from domain.errors import Conflict, NotFound
from domain.ids import run_id as scheduled_run_id
from domain.schedule import next_run

LONGEST_WINDOW_DAYS = 36_500
"""A century: longer windows are as good as none, and the calendar ends somewhere."""


@dataclass(frozen=True, slots=True)
class RunLease:
    """Which run a worker holds, and the token that proves it."""

    run_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """The run as it now stands and the log position of the write, None when nothing changed."""

    run: ActionRun
    position: int | None


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report as it is recorded: fields of ReportWritten, with the text itself (Markdown)."""

    markdown: str
    observations: Sequence[Cited]
    observation_count: int
    matched: int
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    prompt_digest: str
    answer_digest: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt of a delivery, as it is recorded. `response` is a bounded extract of the answer, without secrets.

    `ending` says what it led to, None when another attempt follows at `retry_at`.
    """

    number: int
    at: datetime
    status_code: int | None
    duration_ms: int
    error: str | None
    response: str | None
    retry_at: datetime | None
    ending: Literal["succeeded", "abandoned"] | None


class ActionRuns:
    """Command service. Every method takes a Context with a tenant; runs of other tenants raise NotFound."""

    def __init__(self, store: Store, *, new_id: Callable[[], UUID] = uuid4) -> None:
        self._store = store
        self._new_id = new_id

    def claim_due(self, context: Context, action_id: UUID) -> WrittenRun | None:
        """Claims the run that an action is due for, in one append with the action's next time.

        None when it is not due (any more), or when that time had its run already. Raises NotFound when the action is
        deleted, Invalid for a stored rule that is no longer one, Conflict.
        """

        def attempt() -> WrittenRun | None:
            action = self._action(context, action_id)
            due = action.next_run_at
            if due is None or not action.is_due(context.now):
                return None
            run = self._claimed(context, action, scheduled_run_id(action_id, due), due)
            action.fire(context.stamp(), run.id, due)
            guards = [require(ALIVE_ACTION, str(action_id)), absent(run.id), _in_progress(run)]
            if action.mode == ALERT:
                # Two checks of one alert at a time would both fire.
                guards.insert(0, at_most(runs_of(action_id), 0))
            try:
                return WrittenRun(run, self._store.save(action, run, guards=guards, once=context.once))
            except Refused as refused:
                if refused.refusal != "exists":
                    raise
            return self._pass_over(context, action_id, due)

        return self._decided(action_id, attempt)

    def run_now(self, context: Context, action_id: UUID) -> WrittenRun:
        """A run that somebody asks for, of a disabled action too. The schedule stays as it is.

        Raises NotFound, Conflict while a run of the action is in progress.
        """

        def attempt() -> WrittenRun:
            action = self._action(context, action_id)
            run = self._claimed(context, action, self._new_id(), None)
            action.fire(context.stamp(), run.id, None)
            guards = [
                require(ALIVE_ACTION, str(action_id)),
                at_most(runs_of(action_id), 0),
                _in_progress(run),
            ]
            return WrittenRun(run, self._store.save(action, run, guards=guards, once=context.once))

        return self._decided(action_id, attempt)

    def start(
        self, context: Context, lease: RunLease, *, try_number: int, window_start: datetime, since: int | None
    ) -> ActionRun:
        """A worker begins a try; `since` and `window_start` as in ActionRunStarted. Raises LeaseLost, NotFound."""
        begun: dict[str, Any] = {"try_number": try_number, "window_start": window_start, "since": since}
        return self._change(
            context, lease.run_id, lambda run: run.start(context.stamp(), lease_token=lease.token, **begun)
        )

    def write_report(
        self, context: Context, lease: RunLease, report: WrittenReport, measured: Measured | None = None
    ) -> ActionRun:
        """Ends the run with its report, and with what it has measured if it is an alert's.

        Raises LeaseLost, NotFound, EventTooLarge.
        """

        def decide(run: ActionRun) -> list[Guard]:
            reference, row = private_text(run.environment_id, None, {"markdown": report.markdown})
            if measured is not None:
                run.measure(context.stamp(), measured)
            run.write_report(
                context.stamp(),
                lease_token=lease.token,
                report=reference,
                observations=list(report.observations),
                observation_count=report.observation_count,
                matched=report.matched,
                provider=report.provider,
                model=report.model,
                input_tokens=report.input_tokens,
                output_tokens=report.output_tokens,
                cost_usd=report.cost_usd,
                prompt_digest=report.prompt_digest,
                answer_digest=report.answer_digest,
            )
            return [row, _over(run)]

        return self._change(context, lease.run_id, decide)

    def skip(
        self, context: Context, lease: RunLease, *, reason: str, message: str, measured: Measured | None = None
    ) -> ActionRun:
        """Ends the run because there is nothing to do; `measured` as for a report. Raises LeaseLost, NotFound."""

        def decide(run: ActionRun) -> list[Guard]:
            if measured is not None:
                run.measure(context.stamp(), measured)
            run.skip(context.stamp(), lease_token=lease.token, reason=reason, message=message)
            return [_over(run)]

        return self._change(context, lease.run_id, decide)

    def fail(self, context: Context, lease: RunLease, *, reason: str, message: str) -> ActionRun:
        """Ends the run as failed. Raises LeaseLost, NotFound."""

        def decide(run: ActionRun) -> list[Guard]:
            run.fail(context.stamp(), lease_token=lease.token, reason=reason, message=message)
            return [_over(run)]

        return self._change(context, lease.run_id, decide)

    def abandon(self, context: Context, run_id: UUID, *, message: str) -> ActionRun:
        """Ends a run whose workers died (reason `orphaned`), whoever held it last. Raises LeaseLost when it ended."""

        def decide(run: ActionRun) -> list[Guard]:
            run.fail(context.stamp(), lease_token=run.lease_token, reason="orphaned", message=message)
            return [_over(run)]

        return self._change(context, run_id, decide)

    def attempted(self, context: Context, run_id: UUID, delivery_id: UUID, round_: int, attempt: Attempted) -> None:
        """Records an attempt of a delivery. Raises NotFound; LeaseLost when the delivery ended or a round is newer."""

        def decide(run: ActionRun) -> list[Guard]:
            reference, guards = None, list[Guard]()
            if attempt.response:
                reference, row = private_text(run.environment_id, None, {"response": attempt.response})
                guards.append(row)
            run.attempt(
                context.stamp(),
                delivery_id,
                round=round_,
                number=attempt.number,
                at=attempt.at,
                status_code=attempt.status_code,
                duration_ms=attempt.duration_ms,
                error=attempt.error,
                response=reference,
                retry_at=attempt.retry_at,
                ending=attempt.ending,
            )
            return guards

        self._change(context, run_id, decide)

    def abandon_delivery(self, context: Context, run_id: UUID, delivery_id: UUID, *, reason: str) -> None:
        """Ends a delivery that cannot even be tried. Raises NotFound."""
        self._change(context, run_id, lambda run: run.abandon_delivery(context.stamp(), delivery_id, reason=reason))

    def redeliver(self, context: Context, action_id: UUID, run_id: UUID, delivery_id: UUID) -> WrittenRun:
        """Opens the next round of a delivery. Raises NotFound; Conflict while it is tried or nothing is there."""

        def attempt() -> WrittenRun:
            self._action(context, action_id)
            run = self.load(context, run_id)
            if run.action_id != action_id:
                raise NotFound
            run.redeliver(context.stamp(), delivery_id)
            guards = [require(ALIVE_ACTION, str(action_id))]
            return WrittenRun(run, self._store.save(run, guards=guards, once=context.once))

        return self._decided(run_id, attempt)

    def load(self, context: Context, run_id: UUID) -> ActionRun:
        """The run as of now. Raises NotFound when it is unknown or another tenant's."""
        run = self._store.load(ActionRun, run_id)
        if run.environment_id != context.owned().environment_id:
            raise NotFound
        return run

    def private(self, reference: UUID) -> dict[str, Any] | None:
        """A report's text (`markdown`); None when it was erased."""
        return self._store.private(reference)

    def _pass_over(self, context: Context, action_id: UUID, due: datetime) -> None:
        """The time has its run already: a clock that went back made it due again. The action moves on without one."""
        action = self._action(context, action_id)
        if action.next_run_at == due and action.is_due(context.now):
            action.pass_over(context.stamp())
            self._store.save(action, guards=[require(ALIVE_ACTION, str(action_id))], once=context.once)

    def _claimed(self, context: Context, action: Action, run_id: UUID, due: datetime | None) -> ActionRun:
        """`due` None: somebody asks. Rolling windows end when it was due, or now if later times were missed too."""
        end = context.now if due is None or _missed_more(action, due, context.now) else due
        days = _rolling_days(action)
        return ActionRun.claim(
            run_id,
            context.stamp(),
            action_id=action.id,
            scanner_id=action.scanner,
            cause="manual" if due is None else "schedule",
            scheduled_at=due or context.now,
            window_start=None if days is None else end - timedelta(days=days),
            window_end=context.now if days is None else end,
            position=self._store.head(),
            action=action.snapshot(),
        )

    def _action(self, context: Context, action_id: UUID) -> Action:
        action = self._store.load(Action, action_id)
        if action.deleted or action.environment_id != context.owned().environment_id:
            raise NotFound
        return action

    def _change(
        self, context: Context, run_id: UUID, decide: Callable[[ActionRun], Sequence[Guard] | None]
    ) -> ActionRun:
        def attempt() -> ActionRun:
            run = self.load(context, run_id)
            guards = decide(run) or ()
            self._store.save(run, guards=guards, once=context.once)
            return run

        return decide_again(run_id, attempt)

    def _decided(self, stream_id: UUID, attempt: Callable[[], Any]) -> Any:
        try:
            return decide_again(stream_id, attempt)
        except Refused as refused:
            if refused.refusal == f"missing:{ALIVE_ACTION}":
                raise NotFound from refused
            if refused.refusal.startswith("full:run_of"):
                message = "A run of this action is in progress."
                raise Conflict(message) from refused
            raise


def window_days(selection: Mapping[str, JsonValue]) -> int | None:
    """The length of a rolling window; None where the window is what came since the last completed run."""
    days = selection.get("window_days")
    if not isinstance(days, int) or isinstance(days, bool) or days <= 0:
        return None
    return min(days, LONGEST_WINDOW_DAYS)


def _rolling_days(action: Action) -> int | None:
    """As `window_days`. An alert has its own window; on every match it goes on from the last one (engine 7.6)."""
    if action.mode != ALERT:
        return window_days(action.selection)
    return None if action.alert_config["frequency"] == "every_match" else window_days(action.alert_config)


def _missed_more(action: Action, due: datetime, now: datetime) -> bool:
    config = action.trigger_config
    following = next_run(str(config["rrule"]), str(config.get("timezone", DEFAULT_TIMEZONE)), action.created_on, due)
    return following is not None and following <= now


def _in_progress(run: ActionRun) -> Guard:
    return claim(runs_of(run.action_id), str(run.id), run.id)


def _over(run: ActionRun) -> Guard:
    return release(runs_of(run.action_id), str(run.id), run.id)
