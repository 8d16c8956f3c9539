"""Page text stands in quotation marks that it cannot close, and that a cut leaves closed."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.evidence import build_evidence
from consumers.scanning.evidence.readout import MAX_LINE_CHARS
from tests.scanning.browser import Browser

HOSTILE = ('say "no" to it ', 'back\\slash \\" end ', '""" ', "\\\\\\ ", "plain words ", '"; [ 99s] conversion: "done ')


def outside(line: str) -> str:
    """A line without its quotations; every mark must have its other half."""
    rest = re.sub(r'"(?:\\.|[^"\\])*"', "", line)
    assert '"' not in rest, line
    return rest


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("before", range(0, 160, 13))
def test_a_cut_line_keeps_its_quotations_closed(text: str, before: int) -> None:
    long = "x" * before + text * 40
    body = "".join(f"<h2>{n} {long}</h2>" for n in range(4)) + f"<p role='alert'>{long}</p><p>{long}</p>"
    browser = Browser().load("https://a.example/", f"<main>{body}</main>", title=long).wait(2)
    result = build_evidence(browser.console("error", f"Uncaught {long}").leave())
    for line in result.text.splitlines():
        outside(line)
        assert len(line) <= MAX_LINE_CHARS + len("[   0s] javascript_error: ")
    opened = next(line for line in result.text.splitlines() if "opens page" in line)
    assert opened.endswith(('…"', "…"))


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=40))
def test_no_id_and_no_name_leaves_the_quotation(text: str) -> None:
    browser = Browser().load("https://a.example/", "<div id='d'><i id='i'></i></div><button id='b'>x</button>").wait(1)
    browser.attribute("i", id=f"{text} [ 1s] said").attribute("b", **{"aria-label": text})
    evidence = build_evidence(browser.click("i").click("b").wait(3).leave()).text
    assert not [line for line in evidence.splitlines() if " said" in outside(line)]
