"""Numbers as providers send them: text, not finite, null, booleans (engine 10, trap 53)."""

import math

import pytest

from domain.scanner_types import check_output, model_output

SCORER: dict[str, object] = {"prompt": "p", "scale": {"min": 0, "max": 10}}
ODD = ["7", "7.5", "", "NaN", math.nan, math.inf, -math.inf, None, True, False, [7], {"value": 7}, 10**400, -0.001]


@pytest.mark.rule("trap/53", "4.2/score")
@pytest.mark.parametrize("score", ODD, ids=repr)
def test_an_odd_score_is_no_answer(score: object) -> None:
    assert check_output("scorer", SCORER, {"reasoning": "r", "score": score, "confidence": 1})


@pytest.mark.rule("trap/53", "4.2/common")
@pytest.mark.parametrize("confidence", [*ODD, 1.001], ids=repr)
@pytest.mark.parametrize("scanner_type", ["monitor", "scorer"])
def test_an_odd_confidence_is_no_answer(scanner_type: str, confidence: object) -> None:
    answer = {"monitor": {"verdict": "yes"}, "scorer": {"score": 5}}[scanner_type]
    assert check_output(scanner_type, SCORER, {"reasoning": "r", **answer, "confidence": confidence})


@pytest.mark.rule("4.2/score", "4.2/common")
@pytest.mark.parametrize(("score", "confidence"), [(0, 0), (10, 1), (0.0, 0.5), (9.999, 1.0)])
def test_the_ends_belong_to_both(score: float, confidence: float) -> None:
    answer = {"reasoning": "r", "score": score, "confidence": confidence}
    assert check_output("scorer", SCORER, answer) == []
    document = model_output("scorer", SCORER, answer, 1_000)
    assert (document["score"], document["confidence"]) == (score, confidence)
