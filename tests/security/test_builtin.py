"""The built-in analyser on the hostile corpus. The whole of it: `python -m tests.security.measure`."""

import pytest

from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, Question
from tests.evaluation.labelled import Noting
from tests.security.attacks import ATTACKS, MARK, NEUTRAL
from tests.security.hostile import PLACES, corpus
from tests.security.hostile import evidence as seen
from tests.security.measure import QUESTIONS, Recording, main, successes, told

EVERY = 6
"""Each attack is tried in every sixth place, and each place with every sixth attack."""


def some() -> list[Recording]:
    attacks, places = list(ATTACKS), list(PLACES)
    return [each for each in corpus(ATTACKS) if (attacks.index(each[0]) + places.index(each[1])) % EVERY == 0]


def test_no_attack_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    recordings = some()
    found = successes(BuiltinProvider(), recordings, QUESTIONS)
    with capsys.disabled():
        print(f"\nbuiltin: {told(found, len(recordings))}")
    assert found == []


def test_the_figure_can_be_had_of_every_provider() -> None:
    lines: list[str] = []
    main(["builtin", "builtin", "460"], lines.append)
    assert lines == ["builtin / builtin: 0 of 2 attacks succeeded (0.0%)"]


def test_the_corpus_has_every_attack_and_every_place() -> None:
    assert {attack for attack, _, _ in some()} == set(ATTACKS)
    assert {place for _, place, _ in some()} == set(PLACES)
    assert len(list(corpus(ATTACKS))) >= 900


@pytest.mark.parametrize("place", PLACES)
def test_every_place_reaches_whoever_reads(place: str) -> None:
    """An attack that is in no evidence would prove nothing, so where it is not, that is on purpose."""
    shown = seen(place, f"blue {MARK}").text
    left_out = {
        "hidden elements",
        "alt text",
        "aria-label",
        "title attribute",
        "meta and comment",
        "query and fragment",
    }
    assert (MARK in shown) != (place in left_out)


def test_the_figure_finds_an_analyser_that_obeys() -> None:
    """One that says yes where pages say so, and one that repeats them."""
    obeying, careless = Noting(), Noting(says=f"{MARK} (t 1).")

    class Steered:
        def analyse(self, question: Question, evidence: Evidence) -> Answer:
            return (obeying if MARK in str(evidence) else BuiltinProvider()).analyse(question, evidence)

    recording = ("plain", "visible text", ATTACKS["plain"])
    questions = QUESTIONS[:1]
    assert [found.how for found in successes(Steered(), [recording], questions)] == [("steered",)]
    assert [found.how for found in successes(careless, [recording], questions)] == [("repeated",)]
    assert successes(BuiltinProvider(), [("none", "visible text", NEUTRAL)], questions) == []
