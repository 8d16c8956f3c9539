"""The built-in analyser on recorded sessions with known truth, through the checks every provider's answer must pass."""

import json
from typing import Any

import pytest

from consumers.scanning.providers import Question
from consumers.scanning.providers.builtin import BuiltinProvider
from domain.scanner_types import check_config, check_output, model_output
from tests.scanning.recorded import SESSIONS, TRUTH, evidence


def ask(scanner_type: str, name: str, **config: Any) -> dict[str, Any]:
    check_config(scanner_type, config)
    answer = BuiltinProvider().analyse(Question(scanner_type, config), evidence(name))
    assert (answer.provider, answer.model, answer.cost_usd) == ("builtin", "builtin", 0)
    assert check_output(scanner_type, config, answer.output, evidence(name).duration_ms) == []
    for secret in TRUTH["sessions"][name]["must_not_appear"]:
        assert secret not in json.dumps(answer.output, ensure_ascii=False)
    output = model_output(scanner_type, config, answer.output, evidence(name).duration_ms)
    prose = output.get("reasoning_segments") or output.get("summary_segments")
    assert isinstance(prose, list)
    assert any(part["kind"] == "chip" for part in prose), "an answer cites seconds"
    return answer.output


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("question", TRUTH["monitors"])
def test_monitors(name: str, question: str) -> None:
    expected = TRUTH["sessions"][name]["monitors"][question]
    if expected is None:
        return
    for prompt in TRUTH["monitors"][question]:
        output = ask("monitor", name, prompt=prompt)
        assert (output["verdict"] == "yes") == expected, (prompt, output["reasoning"])


@pytest.mark.parametrize("name", SESSIONS)
def test_classifier(name: str) -> None:
    output = ask(
        "classifier", name, prompt="What was the outcome of the session?", tags=TRUTH["labels"], multi_label=False
    )
    assert output["tags"][0] in TRUTH["sessions"][name]["outcome"]


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize(("low", "high"), [(0, 10), (1, 5), (-1, 1), (0, 100)])
def test_scorer_keeps_its_share_of_any_scale(name: str, low: float, high: float) -> None:
    output = ask("scorer", name, prompt="How frustrated was the user?", scale={"min": low, "max": high})
    share = (output["score"] - low) / (high - low) * 10
    assert abs(share - TRUTH["sessions"][name]["frustration"]) <= 2


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("length", ["short", "medium", "long"])
def test_summarizer(name: str, length: str) -> None:
    output = ask("summarizer", name, prompt="Summarise the session.", length=length)
    assert output["intent"]
    assert output["outcome"]
    assert output["keywords"]
    assert ("\n\n" in output["summary"]) == (length == "long")
    friction = TRUTH["sessions"][name]["frustration"] > 1
    assert bool(output["friction_points"]) or not friction


def test_answers_are_the_same_every_time() -> None:
    first, second = (ask("summarizer", "order_fails", prompt="p") for _ in range(2))
    assert first == second


def test_instructions_on_a_page_are_not_obeyed() -> None:
    name = "instructions_in_reviews"
    assert (
        ask("scorer", name, prompt="How frustrated was the user, 0 to 10?", scale={"min": 0, "max": 10})["score"] <= 2
    )
    verdicts = {ask("monitor", name, prompt=prompts[0])["verdict"] for prompts in TRUTH["monitors"].values()}
    assert verdicts == {"no"}
