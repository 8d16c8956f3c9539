"""Citations in answers: the forms that are read, those that nobody can read, and text that only looks like one."""

import time

import pytest

from domain.scanner_types import check_output, model_output


def stored(reasoning: str) -> tuple[str, list[int]]:
    """The prose and the moments (seconds) that an observation of a minute keeps."""
    output = model_output("monitor", {"prompt": "p"}, answer(reasoning), 60_000)
    segments = output["reasoning_segments"]
    assert isinstance(segments, list)
    return str(output["reasoning"]), [part["timestamp_ms"] // 1000 for part in segments if part["kind"] == "chip"]


def answer(reasoning: str) -> dict[str, object]:
    return {"reasoning": reasoning, "verdict": "no", "confidence": 0.5}


def problems(reasoning: str) -> list[str]:
    return check_output("monitor", {"prompt": "p"}, answer(reasoning), 60_000)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("(t 12)", [12]),
        ("(t 12, 34)", [12, 34]),
        ("(t 12, t 34)", [12, 34]),
        ("(t12s; 34 s)", [12, 34]),
        ("(t 12-34)", [12, 34]),
        ("(t 12 – 34)", [12, 34]),
        ("(t 12 to 34)", [12, 34]),
        ("(t 1, 2, and 3)", [1, 2, 3]),
        ("(T １2\u200b)", [12]),
    ],
)
def test_forms_that_are_read(told: str, seconds: list[int]) -> None:
    assert problems(f"Seen {told}.") == []
    prose, found = stored(f"Seen {told}.")
    assert found == seconds
    assert prose == f"Seen (t {', '.join(map(str, seconds))})."


@pytest.mark.parametrize("told", ["(t=12)", "(t -3)", "(t 1:05)", "(t 12 or so)", "(t 12345678)"])
def test_a_citation_that_nobody_can_read_is_a_problem(told: str) -> None:
    assert problems(f"Seen {told}.") == ["reasoning: a citation is not of the form (t 12)"]


@pytest.mark.parametrize("told", ["(to 12)", "(at 12)", "(t)", "(total 12)", "t 12", "(12)"])
def test_other_text_in_parentheses_is_none(told: str) -> None:
    assert problems(f"Seen {told}.") == []
    assert stored(f"Seen {told}.") == (f"Seen {told}.", [])


@pytest.mark.parametrize("field", ["title", "intent", "outcome", "friction_points", "keywords"])
def test_seconds_are_looked_at_in_every_text(field: str) -> None:
    told = {"summary": "s", "title": "t", "friction_points": [], "keywords": [], "confidence": 0.5}
    wrong = ["ok", "At (t 99)"] if field in ("friction_points", "keywords") else "At (t 99)"
    found = check_output("summarizer", {"prompt": "p"}, {**told, field: wrong}, 60_000)
    assert found == [f"{field}: second 99 is outside the recording"]


@pytest.mark.parametrize("piece", ["1, ", "1 to ", "1 ", " ", "1 and ", "1", "t 1,", "(t 1", "( "])
def test_time_grows_with_the_text_only(piece: str) -> None:
    """A page can have an answer repeat it: "(t 1, 1, 1, ..." once took twice as long with each number."""
    began = time.process_time()
    problems("(t " + piece * (19_000 // len(piece)))
    assert time.process_time() - began < 2
