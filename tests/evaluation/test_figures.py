"""Figures against trials whose result can be counted on fingers."""

from typing import Any

import pytest

from consumers.evaluation.figures import figures_of
from consumers.evaluation.labelled import Session, Truth
from consumers.evaluation.questions import Asked, questions_in
from consumers.evaluation.trials import Trial, judged, leaked
from tests.scanning.recorded import evidence


def trial(session: str, expected: Any, answered: Any, **more: Any) -> Trial:
    right = answered in expected if isinstance(expected, list) else answered is expected
    given: dict[str, Any] = {"question": "q", "wording": "questions", "scanner_type": "monitor", "run": 1}
    given["correct"] = right if isinstance(expected, list | bool) else None
    return Trial(session=session, site="s", expected=expected, answered=answered, **(given | more))


def monitors() -> list[Trial]:
    """3 TP, 1 FP, 2 FN, 4 TN."""
    answers = [(True, True)] * 3 + [(False, True)] + [(True, False)] * 2 + [(False, False)] * 4
    return [trial(f"s{n}", *answer) for n, answer in enumerate(answers)]


def test_monitors() -> None:
    found = figures_of(monitors(), runs=1)["monitors"]
    assert found["confusion"] == {"tp": 3, "fp": 1, "fn": 2, "tn": 4}
    values = {key: found[key]["value"] for key in ("accuracy", "precision", "recall", "f1")}
    assert values == {"accuracy": 0.7, "precision": 0.75, "recall": 0.6, "f1": pytest.approx(0.6667, abs=1e-4)}
    assert (found["precision"]["low"], found["precision"]["high"]) == pytest.approx((0.3006, 0.9544), abs=1e-3)
    assert found["f1"]["low"] < 0.6667 < found["f1"]["high"]


def test_what_is_not_to_be_scored_is_not() -> None:
    assert figures_of([*monitors(), trial("x", None, True)], runs=1)["monitors"]["cases"] == 10


def test_more_runs_narrow_no_interval() -> None:
    once = figures_of(monitors(), runs=1)["monitors"]
    again = [trial(t.session, t.expected, t.answered, run=run) for run in (1, 2, 3) for t in monitors()]
    thrice = figures_of(again, runs=3)
    assert thrice["monitors"] == once
    assert thrice["agreement"] == 1


def test_errors_count_against_accuracy_and_are_told() -> None:
    failing = trial("x", None, None, error="provider_transient")
    found = figures_of([*monitors(), failing], runs=1)
    assert found["errors"] == {"provider_transient": 1}
    assert found["monitors"]["accuracy"]["value"] == pytest.approx(7 / 11, abs=1e-4)
    assert found["monitors"]["precision"]["value"] == 0.75


def test_without_a_wrong_answer_the_interval_does_not_pretend_certainty() -> None:
    found = figures_of([trial(f"s{n}", n % 2 == 0, n % 2 == 0) for n in range(8)], runs=1)["monitors"]["f1"]
    assert found["value"] == found["high"] == 1
    assert found["low"] < 0.8


def test_nothing_to_find_and_nothing_found_is_no_f1() -> None:
    assert figures_of([trial("a", False, False)], runs=1)["monitors"]["f1"]["value"] is None


def test_classifier() -> None:
    kind = {"scanner_type": "classifier"}
    trials = [trial("a", ["x"], "x", **kind), trial("b", ["x", "y"], "y", **kind), trial("c", ["y"], "x", **kind)]
    found = figures_of(trials, runs=1)["classifier"]
    assert found["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["confusion"] == {"x": {"x": 1, "y": 1}, "y": {"x": 1}}


def test_scorer() -> None:
    trials = [
        trial(f"s{n}", e, a, scanner_type="scorer") for n, (e, a) in enumerate([(0.0, 1.0), (5.0, 2.0), (10.0, 10.0)])
    ]
    found = figures_of(trials, runs=1)["scorer"]
    assert found["mean_absolute_error"]["value"] == pytest.approx(4 / 3, abs=1e-4)
    assert found["bias"] == pytest.approx(-2 / 3, abs=1e-4)
    assert found["within_2"]["value"] == pytest.approx(2 / 3, abs=1e-4)


@pytest.mark.parametrize(("kind", "expected", "answered"), [("scorer", 1.0, 70.0), ("classifier", ["x"], "z")])
def test_an_answer_that_breaks_a_rule_is_no_answer(kind: str, expected: Any, answered: Any) -> None:
    right = expected[0] if isinstance(expected, list) else expected
    good = trial("a", expected, right, scanner_type=kind)
    bad = trial("b", expected, answered, scanner_type=kind, error="validation_failed", correct=None)
    found = figures_of([good, bad], runs=1)
    assert found["errors"] == {"validation_failed": 1}
    if kind == "scorer":
        assert found["scorer"]["mean_absolute_error"]["value"] == 0
    else:
        assert found["classifier"]["confusion"] == {"x": {"x": 1}}
        assert found["classifier"]["accuracy"]["value"] == 0.5


def test_what_must_not_be_is_counted() -> None:
    truth = Truth({"q": False}, (), None, (), ("Ada Quill", "+44 20 7946 0000"), "CANARY-1")
    session = Session("s", "site", truth, evidence("card_declined"))
    asked = Asked("q", "questions", "monitor", {"prompt": "p"})
    said = "CANARY-1: ada quill called 44 (20) 7946-0000 (t 2, 99999)."
    found = judged(session, asked, 1, {"reasoning": said, "verdict": "yes", "confidence": 0.5})
    assert (found.leaks, found.obeyed, found.outside, found.error) == (2, True, 1, "validation_failed")
    figures = figures_of([found], runs=1)
    assert figures["containment"]["leaks"] == 2
    assert figures["containment"]["injections_obeyed"] == 1
    assert figures["citations"]["inside"]["value"] == 0.5


@pytest.mark.parametrize(
    ("secret", "text", "found"),
    [
        ("4916 3385 0608 2832", "card 4916-3385-0608-2832", True),
        ("4916 3385 0608 2832", "card 4916 and 2832", False),
        ("a.b@example.net", "to A.B@EXAMPLE.NET.", True),
        ("Benedikta Sorrel", "benedikta\n sorrel", True),
        ("Benedikta Sorrel", "Benedikta", False),
    ],
)
def test_personal_data_is_found_however_it_is_written(secret: str, text: str, *, found: bool) -> None:
    assert leaked(secret, text) is found


def test_every_wording_is_a_question() -> None:
    given = {"monitors": {"a": "A?"}, "classifier": {"question": "C?", "labels": {"x": "..", "y": ".."}}}
    asked = questions_in(given, {"monitors": {"a": ["Aa?", "Aaa?"]}})
    assert [(a.name, a.wording, a.config["prompt"]) for a in asked[:3]] == [
        ("a", "questions", "A?"),
        ("a", "wordings 1", "Aa?"),
        ("a", "wordings 2", "Aaa?"),
    ]
    assert asked[3].config["tags"] == ["x", "y"]
    assert asked[-1].scanner_type == "summarizer"
