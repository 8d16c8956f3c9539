"""Citations in a model's text: which forms are read, which hold, and which are removed (engine 7.4, trap 76)."""

from __future__ import annotations

import time

import pytest

from consumers.actions.report.citations import checked, cited, citing, unmarked
from consumers.actions.report.claims import clean, negative
from tests.actions.report.demo import answers

KNOWN = range(1, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Five paid [obs 3, 5], others left [OBS 1][obs 2].",
            "Five paid [obs 3] [obs 5], others left [obs 1] [obs 2].",
        ),
        ("a (observations 3-5) b", "a [obs 3] [obs 4] [obs 5] b"),
        ("a [obs 3, obs 12 and 4]", "a [obs 3] [obs 4]"),
        ("a [obs 99] b [obs 0]", "a b"),
        ("a [obs 3][obs 3] [obs 3]", "a [obs 3]"),
        ("a [obs 1-8]", "a [obs 1] [obs 2] [obs 3] [obs 4] [obs 5] [obs 6]"),
        ("a [obs 1-9999]", "a [obs 1]"),
        ("[obs 3](https://evil.example/) a", "[obs 3] a"),
        ("a (see 3) [x 4] [obs] [obs a]", "a (see 3) [x 4] [obs] [obs a]"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert checked(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Visitors failed to pay [obs 1] [obs 3].", "Visitors failed to pay [obs 3]."),
        (
            "- Visitors failed to pay. [obs 1] Others bought. [obs 2]",
            "- Visitors failed to pay. Others bought. [obs 2]",
        ),
        ("As in [obs 1] [obs 3], they got stuck. All paid [obs 2]", "As in [obs 3], they got stuck. All paid [obs 2]"),
        ("No errors were met [obs 1].", "No errors were met [obs 1]."),
        ("They bought without any trouble or delay [obs 1].", "They bought without any trouble or delay [obs 1]."),
        ("They could not pay [obs 2].", "They could not pay."),
    ],
)
def test_who_met_no_trouble_is_no_witness_of_it(text: str, expected: str) -> None:
    assert checked(text, KNOWN, clean={1, 2}) == expected


def test_what_says_itself_that_nothing_went_wrong() -> None:
    assert [place for place, one in enumerate(answers("monitor"), 1) if not clean(one)] == [3, 4, 11]
    assert [place for place, one in enumerate(answers("summarizer"), 1) if clean(one)] == [1, 2, 5, 7]
    assert not clean({"verdict": "no", "confidence": 0.9})
    assert not clean({"reasoning": "No errors, but the visitor got stuck."})
    assert negative("It crashed")
    assert not negative("Nobody minded")


def test_what_an_observation_says_is_no_citation() -> None:
    assert unmarked("as [obs 3], [OBS 4, 5] (observation 2) say") == "as (no. 3), (no. 4, 5) (no. 2) say"
    assert cited(unmarked("[obs 3]")) == ()


def test_in_a_row() -> None:
    assert citing([1, 2]) == "[obs 1] [obs 2]"
    assert citing(range(1, 9)) == "[obs 1] [obs 2] [obs 3] [obs 4] [obs 5] [obs 6] and 2 more"
    assert cited("b [obs 3] a [obs 1] [obs 3]") == (3, 1)


@pytest.mark.parametrize(
    "mark", ["[obs 1, ", "[obs 1]", "[obs 1] [", "(obs 1-", "no a b ", "nothing a ", "[obs 1](", ". a"]
)
def test_hostile_text_takes_time_in_proportion(mark: str) -> None:
    def seconds(size: int) -> float:
        began = time.thread_time()
        checked((mark * size)[:size], KNOWN, {1})
        negative((mark * size)[:size])
        return time.thread_time() - began

    seconds(100)
    assert min(seconds(16_000), seconds(16_000)) < max(0.1, 24 * min(seconds(2_000) for _ in range(3)))
