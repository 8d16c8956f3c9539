"""A run of an alert: measures, decides, and says so if there is something to say (engine 7.6 A).

It writes nothing. The worker records what came of it in the append that ends the run, so a run that dies before has
neither changed the alert nor used up its window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from psycopg import Connection

from commands.action_runs import WrittenReport
from consumers.actions.alert_message import message
from domain.action_run import ActionRun, Cited
from domain.alert import AlertState, Change, Measured, decide
from domain.tenant import Tenant
from projections.queries.actions import alert_state
from projections.queries.alert_metrics import Metric, measured, telling
from projections.queries.selected import Selected, Window

MOST_IDS: Final = 100
"""Observations that a message's run lists (engine 7.6)."""

SKIPPED: Final = {
    "not_breached": "The threshold is not reached.",
    "still_breached": "The threshold is still reached. It was told when it was first.",
    "cooldown": "The threshold is reached, within the cooldown of the message before.",
    "recovered": "The threshold is no longer reached, which needs no message here.",
    "nothing_to_measure": "There is nothing to make an average or a share of.",
    "reconfigured": "What the alert watches was changed meanwhile.",
}
"""Why a run has no message, and the sentence for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run is to record. `measured` None: nothing, since what was to be measured was changed meanwhile.

    `report` None: there is nothing to say, and the run is skipped for `reason`, a key of SKIPPED.
    """

    measured: Measured | None
    report: WrittenReport | None
    reason: str


def evaluate(connection: Connection, tenant: Tenant, run: ActionRun, scanner_name: str, now: datetime) -> Outcome:
    """What the alert of a started run comes to at `now` (UTC).

    Asked when the projections have passed the run's position; all runs of the action before this one have ended.
    """
    state = alert_state(connection, tenant, run.action_id)
    if state is None or state.condition != run.action["condition"]:
        return Outcome(None, None, "reconfigured")
    config = cast(dict[str, Any], run.action["alert_config"])
    selected = Selected.of(cast(dict[str, Any], run.action["selection"]), run.scanner_id)
    window = _window(run)
    metric = measured(connection, tenant, config, selected, window)
    decision = decide(config, state, metric.value, now)
    reading = _reading(run, state, window, metric, decision.change, told=decision.told)
    if decision.change is None or not decision.told:
        return Outcome(reading, None, decision.reason)
    found = telling(connection, tenant, config, selected, window, MOST_IDS) if decision.change == "fired" else []
    text = message(
        decision.change,
        action_name=str(run.action["name"]),
        scanner_name=scanner_name,
        timezone=str(run.action["timezone"]),
        config=config,
        metric=metric,
        window=window,
        told=found,
    )
    cited = [Cited(index=index, id=one.id, session_id=one.session_id) for index, one in enumerate(found, start=1)]
    return Outcome(reading, _report(text, cited, metric), decision.reason)


def _window(run: ActionRun) -> Window:
    if run.window_start is None:
        message = f"run {run.id} was not started"
        raise ValueError(message)
    return Window(run.window_start, run.window_end, run.since, run.position)


def _reading(
    run: ActionRun, state: AlertState, window: Window, metric: Metric, change: Change | None, *, told: bool
) -> Measured:
    return Measured(
        action_id=run.action_id,
        condition=state.condition,
        cause=run.cause,
        window_start=window.start,
        window_end=window.end,
        position=run.position,
        value=metric.value,
        change=change,
        told=told,
    )


def _report(text: str, cited: list[Cited], metric: Metric) -> WrittenReport:
    return WrittenReport(
        markdown=text,
        observations=cited,
        observation_count=metric.matched,
        matched=metric.matched,
        provider="builtin",
        model="builtin",
        input_tokens=0,
        output_tokens=0,
        cost_usd=Decimal(0),
    )
