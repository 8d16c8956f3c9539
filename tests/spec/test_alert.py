"""An alert: what each reading leads to, and the state that readings fold to (engine 7.6 A, extensions "Mode alert")."""

from datetime import timedelta
from typing import Any

import pytest

from domain.action_run import ActionRun, ActionRunClaimed
from domain.alert import AlertFired, AlertMeasured, AlertResolved, AlertState, Measured, after, armed, decide
from domain.alert_config import whole
from tests.spec.alerts import ACTION, Alert
from tests.spec.given import NOW, STAMP, STREAM, fact, given

ON_BREACH = whole({"metric": "avg_score", "threshold": 5, "cooldown_minutes": 60})
EVERY_MATCH = whole({"metric": "count", "threshold": 1, "frequency": "every_match"})
CLAIMED = fact(
    ActionRunClaimed,
    action_id=ACTION,
    scanner_id=STREAM,
    cause="schedule",
    triggered_by_user=None,
    scheduled_at=NOW,
    next_run_at=None,
    window_start=NOW - timedelta(days=1),
    window_end=NOW,
    position=12,
    action_version=3,
    action={"name": "Angry", "mode": "alert", "delivery_config": []},
)


def test_it_fires_once_when_the_threshold_is_reached_and_resolves_once_on_the_way_back() -> None:
    alert = Alert(ON_BREACH)
    assert [alert.read(value) for value in (4, 5, 7, 4, 4)] == [
        "not_breached", "fired, told", "still_breached", "resolved, told", "not_breached",
    ]  # fmt: skip
    assert alert.state.last_value == 4


def test_since_is_when_it_changed() -> None:
    alert = Alert(ON_BREACH)
    assert alert.state.since == NOW
    alert.read(5, minutes=10)
    alert.read(6, minutes=10)
    assert (alert.state.state, alert.state.since) == ("firing", NOW + timedelta(minutes=10))
    alert.read(1, minutes=10)
    assert (alert.state.state, alert.state.since) == ("clear", NOW + timedelta(minutes=30))


@pytest.mark.rule("trap/70")
def test_the_average_of_nothing_neither_fires_nor_resolves() -> None:
    alert = Alert(ON_BREACH)
    assert [alert.read(value) for value in (None, 5, None, 6, None, 1)] == [
        "nothing_to_measure", "fired, told", "nothing_to_measure", "still_breached", "nothing_to_measure",
        "resolved, told",
    ]  # fmt: skip


def test_a_cooldown_suppresses_the_message_and_not_the_transition() -> None:
    alert = Alert(ON_BREACH)
    assert alert.read(5) == "fired, told"
    assert alert.read(1, minutes=1) == "resolved, told"
    assert alert.read(5, minutes=58) == "fired"
    assert alert.state.state == "firing"
    assert alert.read(5, minutes=60) == "still_breached"
    assert alert.read(1, minutes=1) == "resolved"
    assert alert.read(5, minutes=1) == "fired, told"


def test_a_cooldown_is_over_to_the_minute() -> None:
    alert = Alert(ON_BREACH)
    alert.read(5)
    alert.read(1)
    assert alert.read(5, minutes=60) == "fired, told"


def test_every_match_is_told_and_none_is_resolved() -> None:
    alert = Alert(EVERY_MATCH)
    assert [alert.read(value) for value in (0, 2, 1, 0, 0, 3)] == [
        "not_breached", "fired, told", "fired, told", "resolved", "not_breached", "fired, told",
    ]  # fmt: skip


def test_every_match_has_its_cooldown_too() -> None:
    alert = Alert({**EVERY_MATCH, "cooldown_minutes": 30})
    assert [alert.read(1, minutes=minutes) for minutes in (0, 20, 10)] == ["fired, told", "fired", "fired, told"]
    assert alert.state.since == NOW


@pytest.mark.rule("trap/69")
def test_a_failed_run_neither_re_arms_nor_loses_its_window() -> None:
    """Engine 10, trap 69: it has no reading, and the next window begins where the last reading's has ended."""
    alert = Alert(EVERY_MATCH)
    alert.read(1, minutes=5)
    until, to = alert.state.measured_until, alert.state.measured_to
    alert.fail(minutes=5)
    assert (alert.state.measured_until, alert.state.measured_to, alert.state.state) == (until, to, "firing")
    alert.read(0, minutes=5)
    assert (alert.state.measured_until, alert.state.state) == (alert.now, "clear")


def test_a_run_that_somebody_asks_for_moves_no_window() -> None:
    alert = Alert(EVERY_MATCH)
    before = alert.state
    assert alert.read(2, cause="manual", minutes=5) == "fired, told"
    assert (alert.state.measured_until, alert.state.measured_to) == (before.measured_until, before.measured_to)


@pytest.mark.rule("trap/75")
def test_a_reading_of_what_was_changed_meanwhile_says_nothing() -> None:
    """Engine 10, trap 75: a change during a check wins over what the check has found."""
    alert = Alert(ON_BREACH)
    stale = alert.reading(9, "fired", told=True)
    alert.change(version=4)
    assert after(alert.state, stale) == alert.state
    assert alert.state.state == "clear"


def test_a_change_clears_it_and_keeps_the_cooldown_and_what_was_measured() -> None:
    alert = Alert(ON_BREACH)
    alert.read(5, minutes=5)
    fired_at, to = alert.now, alert.state.measured_to
    alert.change(version=4, minutes=5)
    assert alert.state == AlertState(
        condition=4,
        state="clear",
        since=alert.now,
        last_value=None,
        told=False,
        told_at=fired_at,
        measured_until=fired_at,
        measured_to=to,
    )
    assert alert.read(5, minutes=5) == "fired"


@pytest.mark.parametrize(
    ("change", "event_class", "told"),
    [(None, AlertMeasured, {}), ("fired", AlertFired, {"told": True}), ("resolved", AlertResolved, {"told": True})],
)
def test_a_reading_is_recorded_with_the_end_of_its_run(change: Any, event_class: Any, told: dict[str, bool]) -> None:
    fields: dict[str, Any] = {
        "action_id": ACTION,
        "condition": 3,
        "cause": "schedule",
        "window_start": NOW - timedelta(days=1),
        "window_end": NOW,
        "position": 12,
        "value": 0.25,
    }
    measured = Measured(**fields, change=change, told=True)
    decided = given(ActionRun, CLAIMED).when(lambda run: run.measure(STAMP, measured))
    assert decided.then(fact(event_class, **fields, **told)).change == change


def test_deciding_changes_nothing() -> None:
    state = armed(1, NOW, 10)
    assert decide(ON_BREACH, state, 9, NOW) == decide(ON_BREACH, state, 9, NOW)
    assert state == armed(1, NOW, 10)
