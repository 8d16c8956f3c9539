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
from domain.action import ALERT, Action
from domain.action_run import ActionRun, Cited
from domain.alert import Measured
from domain.errors import Conflict, LeaseLost, NotFound
from domain.ids import run_id as scheduled_run_id

LONGEST_WINDOW_DAYS = 36_500
"""A century: longer windows are as good as none, and the calendar ends somewhere."""


MOST_MISSED = 1_000
"""Missed times that are counted: some days of the most frequent rule."""


@dataclass(frozen=True, slots=True)
class RunLease:
    """Which run a worker holds, and the token that proves it."""

    run_id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """The run as it now stands and the log position of the write, None when nothing changed.

    `missed`: later times that the action was due before now, which a claimed run stands for as well; MOST_MISSED at
    most are counted.
    """

    run: ActionRun
    position: int | None
    missed: int = 0


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
    digests: int = 0


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

    def claim_due(self, context: Context, action_id: UUID, due: datetime, schedule_version: int) -> WrittenRun | None:
        """Claims the run of a time that an action is due, which also says when it is due next: one append.

        `due` and `schedule_version` are what the caller has read of the action. None when it is not due any more, or
        the read side is behind, or the time has its run already, or an earlier run is still in progress: then it stays
        due. Raises NotFound when the action is deleted, Invalid for a stored rule that is no longer one.
        """
        action = self._action(context, action_id)
        if action.schedule_version != schedule_version or not action.runs_at(due, context.now):
            return None
        missed = _missed(action, due, context.now)
        end = context.now if missed else due
        run = self._claimed(context, action, scheduled_run_id(action_id, due), due, end)
        try:
            return WrittenRun(run, self._store.save(run, guards=_claiming(run), once=context.once), missed)
        except Refused as refused:
            if refused.refusal in ("exists", "version") or refused.refusal.startswith("full:"):
                return None
            raise _refusal(refused) from refused

    def pass_over(self, context: Context, action_id: UUID, due: datetime, schedule_version: int) -> None:
        """Moves an action on from a time that has had its run already. Raises NotFound, Conflict."""

        def attempt() -> None:
            action = self._action(context, action_id)
            if action.schedule_version == schedule_version:
                action.pass_over(context.stamp(), due)
                self._store.save(action, guards=[require(ALIVE_ACTION, str(action_id))], once=context.once)

        decide_again(action_id, attempt)

    def run_now(self, context: Context, action_id: UUID) -> WrittenRun:
        """A run that somebody asks for, of a disabled action too. The schedule stays as it is.

        Raises NotFound, Conflict while a run of the action is in progress.
        """
        run = self._claimed(context, self._action(context, action_id), self._new_id(), None, context.now)
        try:
            return WrittenRun(run, self._store.save(run, guards=_claiming(run), once=context.once))
        except Refused as refused:
            raise _refusal(refused) from refused

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
                digests=report.digests,
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
            run = self.load(context, run_id)
            if run.action_id != action_id:
                raise NotFound
            run.redeliver(context.stamp(), delivery_id)
            guards = [require(ALIVE_ACTION, str(action_id))]
            return WrittenRun(run, self._store.save(run, guards=guards, once=context.once))

        try:
            return decide_again(run_id, attempt)
        except Refused as refused:
            raise _refusal(refused) from refused

    def load(self, context: Context, run_id: UUID) -> ActionRun:
        """The run as of now. Raises NotFound when it is unknown or another tenant's."""
        run = self._store.load(ActionRun, run_id)
        if run.environment_id != context.owned().environment_id:
            raise NotFound
        return run

    def is_enabled(self, context: Context, action_id: UUID) -> bool:
        """Whether the action still runs on its schedule. Raises NotFound when it is deleted."""
        return self._action(context, action_id).enabled

    def private(self, reference: UUID) -> dict[str, Any] | None:
        """A report's text (`markdown`); None when it was erased."""
        return self._store.private(reference)

    def _claimed(
        self, context: Context, action: Action, run_id: UUID, due: datetime | None, end: datetime
    ) -> ActionRun:
        """`due` None: somebody asks. `end`: of a rolling window."""
        days = _rolling_days(action)
        return ActionRun.claim(
            run_id,
            context.stamp(),
            action_id=action.id,
            scanner_id=action.scanner,
            cause="manual" if due is None else "schedule",
            scheduled_at=due or context.now,
            next_run_at=None if due is None else action.due_after(max(context.now, due)),
            window_start=None if days is None else end - timedelta(days=days),
            window_end=context.now if days is None else end,
            position=self._store.head(),
            action_version=action.version,
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
            alive = require(ALIVE_ACTION, str(run.action_id))
            self._store.save(run, guards=[alive, *guards], once=context.once)
            return run

        try:
            return decide_again(run_id, attempt)
        except Refused as refused:
            if refused.refusal == f"missing:{ALIVE_ACTION}":
                message = "The action was deleted."
                raise LeaseLost(message) from refused
            raise


def _missed(action: Action, due: datetime, now: datetime) -> int:
    missed, after = 0, action.due_after(due)
    while after is not None and after <= now and missed < MOST_MISSED:
        missed, after = missed + 1, action.due_after(after)
    return missed


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


def _claiming(run: ActionRun) -> list[Guard]:
    """One run of an action at a time, so that the next one begins where this one has ended."""
    scope = runs_of(run.action_id)
    return [
        require(ALIVE_ACTION, str(run.action_id)),
        absent(run.id),
        at_most(scope, 0),
        claim(scope, str(run.id), run.id),
    ]


def _over(run: ActionRun) -> Guard:
    return release(runs_of(run.action_id), str(run.id), run.id)


def _refusal(refused: Refused) -> Exception:
    if refused.refusal == f"missing:{ALIVE_ACTION}":
        return NotFound()
    if refused.refusal.startswith("full:run_of"):
        return Conflict("A run of this action is in progress.")
    return refused
