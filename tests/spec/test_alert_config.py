"""What an alert may watch, and when a value of it is a breach (extensions "Mode alert")."""

from typing import Any

import pytest

from domain.alert_config import breached, check_measurable, whole
from domain.errors import Invalid

COUNT: dict[str, Any] = {"metric": "count", "threshold": 5}
WHOLE = {"direction": "above", "window_days": 1, "frequency": "on_breach", "cooldown_minutes": 0}


def test_what_is_left_out_has_its_default_and_what_the_metric_does_not_need_is_dropped() -> None:
    assert whole({**COUNT, "verdict": "yes", "tag": "a", "other": 1}) == {**COUNT, **WHOLE}
    share = {"metric": "tag_share", "tag": "a", "verdict": "yes", "threshold": 0.5, "window_days": 30}
    assert whole(share) == {"metric": "tag_share", "tag": "a", "threshold": 0.5, **WHOLE, "window_days": 30}
    assert whole({}) == {}
    assert whole(whole(share)) == whole(share)


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"threshold": 1}, "metric", "required"),
        ({**COUNT, "metric": "p95"}, "metric", "invalid_choice"),
        ({"metric": "count"}, "threshold", "required"),
        ({**COUNT, "threshold": True}, "threshold", "invalid_input"),
        ({**COUNT, "threshold": "5"}, "threshold", "invalid_input"),
        ({**COUNT, "threshold": -1}, "threshold", "min_value"),
        ({"metric": "verdict_share", "threshold": 0.5}, "verdict", "required"),
        ({"metric": "verdict_share", "verdict": "maybe", "threshold": 0.5}, "verdict", "invalid_choice"),
        ({"metric": "verdict_share", "verdict": "yes", "threshold": 50}, "threshold", "max_value"),
        ({"metric": "tag_share", "threshold": 0.5}, "tag", "required"),
        ({"metric": "tag_share", "tag": " ", "threshold": 0.5}, "tag", "blank"),
        ({"metric": "tag_share", "tag": "x" * 101, "threshold": 0.5}, "tag", "max_length"),
        ({**COUNT, "direction": "sideways"}, "direction", "invalid_choice"),
        ({**COUNT, "window_days": 2}, "window_days", "invalid_choice"),
        ({**COUNT, "window_days": True}, "window_days", "invalid_choice"),
        ({**COUNT, "frequency": "daily"}, "frequency", "invalid_choice"),
        ({**COUNT, "cooldown_minutes": 10_081}, "cooldown_minutes", "invalid_input"),
        ({**COUNT, "cooldown_minutes": -1}, "cooldown_minutes", "invalid_input"),
        ({**COUNT, "cooldown_minutes": 1.5}, "cooldown_minutes", "invalid_input"),
    ],
)
def test_what_is_refused(given: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        whole(given)
    assert (refused.value.field, refused.value.code) == (f"alert_config__{field}", code)


def test_a_score_may_be_negative() -> None:
    assert whole({"metric": "avg_score", "threshold": -2.5})["threshold"] == -2.5


@pytest.mark.parametrize(
    ("metric", "scanner_type"), [("verdict_share", "monitor"), ("tag_share", "classifier"), ("avg_score", "scorer")]
)
def test_a_metric_is_for_scanners_that_answer_with_what_it_measures(metric: str, scanner_type: str) -> None:
    for each in ("monitor", "classifier", "scorer", "summarizer"):
        check_measurable({"metric": "count"}, each)
        if each == scanner_type:
            check_measurable({"metric": metric}, each)
            continue
        with pytest.raises(Invalid) as refused:
            check_measurable({"metric": metric}, each)
        assert refused.value.field == "alert_config__metric"


@pytest.mark.rule("trap/70")
def test_the_threshold_itself_is_reached_from_either_side_and_nothing_is_neither() -> None:
    """Engine 10, trap 70: the average of nothing is not 0, in either direction."""
    above, below = ({"direction": each, "threshold": 2} for each in ("above", "below"))
    assert [breached(above, value) for value in (1.9, 2.0, 2.1, None)] == [False, True, True, None]
    assert [breached(below, value) for value in (1.9, 2.0, 2.1, None)] == [True, True, False, None]
