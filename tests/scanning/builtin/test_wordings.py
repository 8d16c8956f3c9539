"""Many ways to ask the same: what share of them the built-in analyser takes for what they are.

`studied.json` was in sight when the rules were written. `held_out.json` was written after them, as operators ask
and not as the rules say: it tells how wordings fare that nobody has seen, and must not be used to change rules.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from consumers.scanning.providers.builtin.concepts import LEAST, matches
from consumers.scanning.providers.builtin.prompt import read

FOLDER: Final = Path(__file__).parent / "wordings"
CONCEPTS: Final = {
    "purchased_or_converted": "conversion",
    "rage_clicked": "rage_click",
    "dead_clicked": "dead_click",
    "saw_error_message": "error_shown",
    "javascript_error": "javascript_error",
    "network_failure": "failed_request",
    "form_abandoned": "form_abandoned",
    "validation_error": "validation_error",
    "lost_or_confused_navigation": "lost_navigation",
    "search_failed": "empty_search",
    "slow_response": "slow_response",
    "idle_over_15s": "idle",
    "gave_up_without_goal": "goal_missed",
}


def wordings(name: str) -> Iterator[tuple[str, bool, str]]:
    """(concept, whether its absence is asked for, prompt)."""
    given = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for part in ("monitors", "negated"):
        for question, prompts in given[part].items():
            yield from ((CONCEPTS[question], part == "negated", prompt) for prompt in prompts)


@pytest.mark.parametrize(("name", "least"), [("studied", 0.98), ("held_out", 0.90)])
def test_wordings_mean_what_they_ask(name: str, least: float) -> None:
    every = list(wordings(name))
    wrong = [(concept, prompt) for concept, denied, prompt in every if not _means(prompt, concept, denied=denied)]
    assert 1 - len(wrong) / len(every) >= least, wrong


@pytest.mark.parametrize("name", ["studied", "held_out"])
def test_there_are_at_least_six_wordings_of_every_question(name: str) -> None:
    given = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert {question: len(set(prompts)) >= 6 for question, prompts in given["monitors"].items()} == dict.fromkeys(
        CONCEPTS, True
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "Is the background music too loud?",
        "Does the visitor look at the privacy policy?",
        "Was the user wearing glasses?",
        "Did they compare our prices with those of competitors?",
        "Is the visitor from the public sector?",
        "Does the design look dated?",
        "Which colour is the header?",
        "Did the visitor watch the product video?",
        "Is the writing style of the page formal?",
        "Does the person speak Portuguese?",
    ],
)
def test_other_subjects_are_taken_for_none_of_them(prompt: str) -> None:
    assert [match for match in matches(read(prompt)) if match.score >= LEAST] == []


def _means(prompt: str, concept: str, *, denied: bool) -> bool:
    found = matches(read(prompt))
    return bool(found) and found[0].score >= LEAST and (found[0].concept, found[0].denied) == (concept, denied)
