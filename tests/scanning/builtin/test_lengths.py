"""How long a summary is (contract 3.2)."""

import re

import pytest

from tests.scanning.builtin.test_labelled import ask
from tests.scanning.recorded import SESSIONS


@pytest.mark.rule("3.2/length", "3.2/summarizer")
@pytest.mark.parametrize("name", SESSIONS)
def test_a_summary_is_as_long_as_it_was_asked_for(name: str) -> None:
    short, medium, long = (
        ask("summarizer", name, prompt="Summarise the session.", **length)["summary"]
        for length in ({"length": "short"}, {}, {"length": "long"})
    )
    assert [text.count("\n\n") + 1 for text in (short, medium)] == [1, 1]
    assert 3 <= long.count("\n\n") + 1 <= 5
    assert len(re.findall(r"[.!?](?=\s|$)", re.sub(r'"[^"]*"', "", short))) in (1, 2)
    assert len(short) < len(medium)
    assert medium == ask("summarizer", name, prompt="Summarise the session.", length="medium")["summary"]
