"""Evidence of sessions that hold more than anybody does: bounded text, bounded work, and it says what it left out."""

import time

import pytest

from consumers.scanning.evidence import MAX_TEXT_BYTES, Evidence, build_evidence
from consumers.scanning.evidence.signals import KINDS
from tests.scanning.browser import Browser

SECONDS = 30
"""Of a busy machine. Rules that compared everything with everything took hours."""


def busy_session() -> Browser:
    """Thousands of forms begun and submitted in vain, pages, messages, failed calls, dead clicks and moves of focus."""
    field = "<form><input id='f{0}'><button id='g{0}'>Pay {0}</button></form>"
    body = "".join(field.format(n) for n in range(150))
    links = "".join(f"<a id='a{n}' href='https://a.example/p/{n}'>{'long name ' * 6}{n}</a>" for n in range(20))
    browser = Browser().load("https://a.example/", f"<main>{body}{links}</main><div id='note'></div>").wait(3)
    for n in range(1_400):
        field_id, button = f"f{n % 150}", f"g{n % 150}"
        browser.click(field_id).scripted(field_id, "x").scripted(field_id, "xy")
        browser.emit(3, {"source": 2, "type": 5, "id": browser.by_id[field_id]})
        browser.click(button).click(f"a{n % 20}")
        browser.request("POST", f"https://a.example/api/{'x' * 60}/{n}", 500, took=4)
        browser.fill("note", f"<p role='alert'>Row {n} is required {'🙂' * 60}</p>")
        browser.console("warn", f"slow {n}").console("error", f"Uncaught TypeError: number {n} {'€' * 150}")
        browser.go(f"https://a.example/{'y' * 40}/{n // 3 % 7}").wait(1.5)
    return browser


@pytest.fixture(scope="module")
def busy() -> tuple[Evidence, float]:
    events = busy_session().leave()
    started = time.process_time()
    result = build_evidence(events)
    return result, time.process_time() - started


def test_work_is_bounded(busy: tuple[Evidence, float]) -> None:
    assert busy[1] < SECONDS


def test_text_is_bounded_whatever_there_are_many_of(busy: tuple[Evidence, float]) -> None:
    assert len(busy[0].text.encode()) <= MAX_TEXT_BYTES


def test_every_kind_of_signal_keeps_its_first(busy: tuple[Evidence, float]) -> None:
    told = {signal.kind for signal in busy[0].signals}
    assert told == {kind for kind in KINDS if busy[0].counts.get(kind)}
    assert len(told) >= 6


def test_the_text_says_what_was_left_out(busy: tuple[Evidence, float]) -> None:
    text = busy[0].text
    left = busy[0].counts["error_shown"] - len([s for s in busy[0].signals if s.kind == "error_shown"])
    assert "Signals left out to keep this text short, the later ones of their kind:" in text
    assert f"{left} error_shown" in text
    assert "timeline lines left out to keep this text short: scrolling first" in text
    assert "the first of each were read and these left out:" in text
    assert "console lines" in text
    assert "Console: captured in part only" in text


def test_a_short_session_leaves_nothing_out() -> None:
    text = build_evidence(Browser().load("https://a.example/", "<p>x</p>").leave()).text
    assert "left out" not in text
    assert "in part" not in text
