"""The fold of an alert against a slow and obvious reading of its whole history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.alert_config import whole
from tests.spec.alerts import Alert
from tests.spec.given import NOW


@dataclass(frozen=True)
class Step:
    """One thing that happens: a run with a value, a run that fails, or a change of what is watched."""

    minutes: int
    kind: str
    value: float | None


@dataclass(frozen=True)
class Told:
    at: datetime
    condition: int
    breached: bool | None
    said: str


STEPS = st.lists(
    st.builds(
        Step,
        minutes=st.sampled_from([0, 1, 29, 30, 31]),
        kind=st.sampled_from(["run", "run", "run", "run", "fail", "change"]),
        value=st.sampled_from([None, 0.0, 1.0, 2.0, 3.0]),
    ),
    max_size=25,
)
CONFIGS = st.fixed_dictionaries(
    {
        "metric": st.just("avg_score"),
        "threshold": st.sampled_from([1, 2]),
        "direction": st.sampled_from(["above", "below"]),
        "frequency": st.sampled_from(["on_breach", "every_match"]),
        "cooldown_minutes": st.sampled_from([0, 30]),
    }
)


def expected(config: dict[str, Any], history: list[Told], now: datetime, condition: int, value: float | None) -> str:
    """What a run says, looked up in all that runs have said before."""
    measured = [each for each in history if each.condition == condition and each.breached is not None]
    firing = bool(measured) and measured[-1].breached is True
    told = [each for each in history if each.said == "fired, told"]
    if value is None:
        return "nothing_to_measure"
    threshold = config["threshold"]
    if not (value >= threshold if config["direction"] == "above" else value <= threshold):
        if not firing:
            return "not_breached"
        fired = [each for each in measured if each.said.startswith("fired")]
        return (
            "resolved, told" if fired[-1].said == "fired, told" and config["frequency"] == "on_breach" else "resolved"
        )
    if firing and config["frequency"] == "on_breach":
        return "still_breached"
    free = not told or now >= told[-1].at + timedelta(minutes=config["cooldown_minutes"])
    return "fired, told" if free else "fired"


@given(CONFIGS, STEPS)
def test_the_fold_says_what_the_whole_history_says(given_config: dict[str, Any], steps: list[Step]) -> None:
    config = whole(given_config)
    alert, history, condition = Alert(config), list[Told](), 1
    measured_until = NOW
    for number, step in enumerate(steps, start=2):
        if step.kind == "fail":
            alert.fail(step.minutes)
        elif step.kind == "change":
            condition = number
            alert.change(condition, step.minutes)
        else:
            now = alert.now + timedelta(minutes=step.minutes)
            said = expected(config, history, now, condition, step.value)
            assert alert.read(step.value, minutes=step.minutes) == said
            breached = None if step.value is None else said.startswith(("fired", "still"))
            history.append(Told(now, condition, breached, said))
            measured_until = now
            assert alert.state.last_value == step.value
        assert alert.state.measured_until == measured_until
    mine = [each for each in history if each.condition == condition and each.breached is not None]
    assert alert.state.state == ("firing" if mine and mine[-1].breached else "clear")
    changes = [each.said for each in history if each.said.startswith(("fired", "resolved"))]
    if config["frequency"] == "on_breach" and condition == 1:
        assert all(one.split(",")[0] != other.split(",")[0] for one, other in pairwise(changes))
