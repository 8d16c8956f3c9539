"""What counts as a quotation, and that each must stand in the evidence or in the operator's words."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.providers import Question
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.checks import check_answer, check_findings
from consumers.scanning.providers.quotations import Sources, quotations
from domain.scanner_types import free_text
from tests.scanning.recorded import SESSIONS, TRUTH, evidence

ABOUT = evidence("card_declined")
CONFIG = {"prompt": 'Did they meet "the wall"?', "tags": ["Card trouble"], "scale": {"label": "pain"}}
PAIRS = ['""', "“”", "„“", "«»", "»«", "‹›", "「」", "『』", "‘’", "''", "＂＂"]
LINES = [line for line in ABOUT.text.splitlines() if line.count('"') == 2]


def missing(text: str) -> list[int]:
    return Sources(CONFIG, ABOUT).missing(text)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_quotation_is_what_stands_between_marks(pair: str) -> None:
    assert quotations(f"He pressed {pair[0]}Go on{pair[1]} twice.") == ["Go on"]


@pytest.mark.parametrize(
    "text",
    [
        "The visitor's cart and the users' orders.",
        'A 24" screen.',
        'Nothing in "" or "!".',
        "It wasn't there, wasn't it?",
        'Not "over\nlines".',
    ],
)
def test_apostrophes_and_the_like_are_none(text: str) -> None:
    assert quotations(text) == []


@settings(deadline=None)
@given(st.sampled_from(LINES), st.sampled_from(PAIRS[:8]), st.booleans(), st.sampled_from(["", ",", ".", "!"]))
def test_whatever_the_evidence_says_may_be_quoted(line: str, pair: str, upper: bool, mark: str) -> None:
    words = line.split('"')[1].rstrip(".")
    assert missing(f"It says {pair[0]}{words.upper() if upper else words}{mark}{pair[1]}.") == []


@settings(deadline=None)
@given(st.text(st.characters(categories=["Ll", "Lu", "Nd", "Zs"]), min_size=12), st.sampled_from(PAIRS[:8]))
def test_what_it_does_not_say_may_not(words: str, pair: str) -> None:
    told = f"xqj {words} xqj"
    assert missing(f"It says {pair[0]}{told}{pair[1]} and then {pair[0]}Payment declined{pair[1]}.") == [1]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('"Payment declined. Try another card."', []),
        ('"payment … another card"', []),
        ('"Payment [...] card,"', []),
        ('"another ... declined"', [1]),
        ('"Payment ... Contact"', [1]),
        ('"Payment accepted"', [1]),
        ('"the wall" and "Card trouble" and "pain"', []),
        ('"Payment declined" (t 69), "You won" (t 70), "Place order", "Free gift"', [2, 4]),
        ('"ayment declined"', [1]),
        ('"e"', [1]),
        ("no quotation at all (t 69)", []),
    ],
)
def test_examples(text: str, wrong: list[int]) -> None:
    assert missing(text) == wrong


def test_marks_inside_are_escaped_in_the_evidence_and_may_be_quoted_plainly() -> None:
    about = evidence("search_in_vain_then_found")
    assert '\\"' in about.text
    line = next(line for line in about.text.splitlines() if '\\"' in line and "We looked" in line)
    words = line[line.index("We looked") :].split('"')[0].rstrip("\\ ")
    assert Sources(CONFIG, about).missing(f'"{words}"') == []


def test_signs_that_are_changed_in_a_prompt_may_be_quoted_as_they_were_told() -> None:
    about = replace(ABOUT, text='[ 1s] screen shows "Use <b> or [OK] to go on"\n')
    assert Sources(CONFIG, about).missing('"use <b> or [OK]", "Use ‹b> or (OK) to go on", "Use <i>"') == [3]


@pytest.mark.parametrize("piece", ['"', "'", "'a ", '"a', "‘ab", '\\"', "“", "'ab '", "“a", "«a "])
def test_time_grows_with_the_text_only(piece: str) -> None:
    began = time.process_time()
    quotations(piece * (40_000 // len(piece)))
    assert time.process_time() - began < 2


def test_every_free_text_of_an_answer_is_looked_at() -> None:
    question = Question("summarizer", {"prompt": "p"})
    lie = 'The page said "You won".'
    answer: dict[str, Any] = {"summary": "s", "title": "t", "intent": "", "outcome": "", "confidence": 0.5}
    for field, value in {"summary": lie, "title": lie, "intent": lie, "outcome": lie, "keywords": ["k", lie]}.items():
        problems = check_answer(question, ABOUT, {**answer, field: value})
        assert problems == [f"{field}: quotation 1 does not occur in the evidence"]


def test_problems_repeat_neither_the_answer_nor_the_page() -> None:
    question = Question("classifier", {"prompt": "p", "tags": ["a"]})
    for answer in (
        {"reasoning": 'It says "Zebra".', "tags": ["a"], "confidence": 0.5},
        {"reasoning": "r", "tags": ["Zebra"], "confidence": 0.5},
        {"reasoning": "r", "tags": ["a"], "Zebra": 1, "confidence": 0.5},
        {"reasoning": "r", "tags": ["a"], "confidence": "Zebra"},
        {"reasoning": "See (t 9999999).", "tags": ["a"], "confidence": 0.5},
        {"reasoning": "See (t: Zebra 12) and (t -4) and (t 123456789).", "tags": ["a"], "confidence": 0.5},
        "Zebra",
    ):
        problems = check_answer(question, ABOUT, answer)
        assert problems
        assert "Zebra" not in str(problems)


def test_findings_that_quote_what_was_not_there_are_left_out() -> None:
    told = {
        "description": 'It said "Payment declined" (t 69).', "problem_type": "bug", "start_time": 69, "end_time": 69,
        "headline": "Declined", "confidence": 0.9,
    }  # fmt: skip
    question = Question("monitor", {"prompt": "p"}, "m", emits_signals=True)
    kept = check_findings(
        question, ABOUT, [told, {**told, "description": 'It said "You won".'}, {**told, "headline": '"Hi"'}]
    )
    assert [one.description for one in kept] == ['It said "Payment declined".']


@pytest.mark.parametrize("name", SESSIONS)
def test_the_built_in_analyser_quotes_what_is_there(name: str) -> None:
    questions = [Question("monitor", {"prompt": prompts[0]}) for prompts in TRUTH["monitors"].values()]
    questions += [Question("summarizer", {"prompt": "p", "length": length}) for length in ("short", "medium", "long")]
    questions.append(Question("classifier", {"prompt": "How did it end?", "tags": TRUTH["labels"]}))
    questions.append(Question("scorer", {"prompt": "How frustrated?", "scale": {"min": 0, "max": 10}}))
    quoted = 0
    for question in questions:
        output = BuiltinProvider().analyse(question, evidence(name)).output
        assert check_answer(question, evidence(name), output) == []
        quoted += sum(len(quotations(text)) for _, text in free_text(output))
    assert quoted
