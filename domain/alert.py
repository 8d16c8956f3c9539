"""Whether an alert fires: readings of a metric, the state they fold to, and what a reading leads to (engine 7.6 A).

A reading is an event of the run that measured. A run that failed has none, so it neither re-arms an alert nor loses the
window that it should have measured.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Literal, cast
from uuid import UUID

from pydantic import TypeAdapter

from domain.alert_config import AlertConfig, breached
from domain.event import Aggregate, Event, Stamp, stored

Phase = Literal["clear", "firing"]
Change = Literal["fired", "resolved"]
Cause = Literal["schedule", "manual"]

# --- events ---------------------------------------------------------------------------------------------------------


class Reading(Event):
    """A run measured the metric. Base of the three events that say what came of it.

    `condition`: the version of the action's stream in which what was measured had last been changed. `cause`: of the
    run, `schedule` or `manual`. `position`: the log position up to which the run looked. `value` None: there was
    nothing to make an average or a share of.
    """

    action_id: UUID
    condition: int
    cause: Cause
    window_start: datetime
    window_end: datetime
    position: int
    value: float | None


@stored
class AlertMeasured(Reading):
    """It stands as it stood."""

    TOPIC = "AlertMeasured"


@stored
class AlertFired(Reading):
    """`told`: whether a message of it is sent, or it is within the cooldown of the one before."""

    TOPIC = "AlertFired"
    told: bool

    def apply(self, aggregate: Measuring) -> None:
        aggregate.change = "fired"


@stored
class AlertResolved(Reading):
    """`told`: whether a message of it is sent, which it is when its firing was told."""

    TOPIC = "AlertResolved"
    told: bool

    def apply(self, aggregate: Measuring) -> None:
        aggregate.change = "resolved"


# --- state ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AlertState:
    """How an alert stands. `condition`: the version of the action's stream in which what it watches was last changed.

    `since`: when it became clear or firing. `told`: whether the firing that lasts was told; `told_at`: when one last
    was. `measured_until` and `measured_to`: the time and the log position at which the last window ended that a run of
    the schedule has measured.
    """

    condition: int
    state: Phase
    since: datetime
    last_value: float | None
    told: bool
    told_at: datetime | None
    measured_until: datetime
    measured_to: int


_STATE = TypeAdapter(AlertState)


def stored_state(state: AlertState) -> str:
    """The state as JSON."""
    return _STATE.dump_json(state).decode()


def read_state(stored: str) -> AlertState:
    """What `stored_state` gave."""
    return _STATE.validate_json(stored)


def armed(condition: int, at: datetime, position: int, before: AlertState | None = None) -> AlertState:
    """The state when what is watched was set or changed, by the event at `position` of the log: clear.

    A change neither ends a cooldown nor makes anything be measured twice or never: those go on from `before`.
    """
    if before is None:
        return AlertState(
            condition, "clear", at, None, told=False, told_at=None, measured_until=at, measured_to=position
        )
    return replace(before, condition=condition, state="clear", since=at, last_value=None, told=False)


def after(state: AlertState, reading: Reading) -> AlertState:
    """The state after one more reading. One of a condition that was changed meanwhile says nothing (trap 75)."""
    if reading.condition != state.condition:
        return state
    if reading.cause == "schedule" and reading.position > state.measured_to:
        state = replace(state, measured_until=reading.window_end, measured_to=reading.position)
    state = replace(state, last_value=reading.value)
    match reading:
        case AlertFired():
            since = reading.recorded_at if state.state == "clear" else state.since
            told_at = reading.recorded_at if reading.told else state.told_at
            return replace(state, state="firing", since=since, told=reading.told, told_at=told_at)
        case AlertResolved():
            return replace(state, state="clear", since=reading.recorded_at, told=False)
        case _:
            return state


@dataclass(frozen=True, slots=True)
class Measured:
    """One reading, as it is recorded: fields of Reading, and what came of it (`Decision`)."""

    action_id: UUID
    condition: int
    cause: Cause
    window_start: datetime
    window_end: datetime
    position: int
    value: float | None
    change: Change | None
    told: bool


class Measuring(Aggregate):
    """An aggregate whose stream holds readings: a run. `change`: what its reading led to, for its message."""

    def __init__(self) -> None:
        self.change: Change | None = None

    def measure(self, stamp: Stamp, measured: Measured) -> None:
        """Records a reading. Whoever calls this ends the run in the same append."""
        given = {each.name: getattr(measured, each.name) for each in fields(Measured)}
        change, told = given.pop("change"), given.pop("told")
        if change is None:
            self._record(AlertMeasured, stamp, **given)
        else:
            self._record(AlertFired if change == "fired" else AlertResolved, stamp, told=told, **given)


# --- decisions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reading leads to: the change, None for none; whether it is told; if not, why, as the code of a skip."""

    change: Change | None
    told: bool
    reason: str


def decide(config: AlertConfig, state: AlertState, value: float | None, now: datetime) -> Decision:
    """What the value of `config`'s metric leads to, now (UTC).

    On breach: fires once when the threshold is reached and resolves once on the way back. Every match: fires for each
    window with a breach, and is clear again without a word. The average of nothing does neither.
    """
    every = config["frequency"] == "every_match"
    match breached(config, value):
        case None:
            return Decision(None, told=False, reason="nothing_to_measure")
        case True if state.state == "firing" and not every:
            return Decision(None, told=False, reason="still_breached")
        case True:
            return Decision("fired", told=not _cooling(config, state, now), reason="cooldown")
        case False if state.state == "clear":
            return Decision(None, told=False, reason="not_breached")
        case False:
            return Decision("resolved", told=state.told and not every, reason="recovered")


def _cooling(config: AlertConfig, state: AlertState, now: datetime) -> bool:
    minutes = timedelta(minutes=cast(int, config["cooldown_minutes"]))
    return state.told_at is not None and now < state.told_at + minutes
