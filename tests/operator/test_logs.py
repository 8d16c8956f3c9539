"""What goes to standard error of what the Kafka client says, and of our own warnings while something is away."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from api.cli.logs import MAX_KNOWN, OUR_REPEAT_SECONDS, OURS, REPEAT_SECONDS, NewsOnly
from tests.live import ROOT


def record(
    message: str,
    *args: object,
    name: str = "kafka.net.manager",
    level: int = logging.ERROR,
    error: Exception | None = None,
) -> logging.LogRecord:
    found = (type(error), error, None) if error else None
    return logging.LogRecord(name, level, __file__, 1, message, args, found)


def warning(message: str, *args: object, name: str = "consumers.transports.kafka.worker") -> logging.LogRecord:
    return record(message, *args, name=name, level=logging.WARNING)


def test_what_differs_in_numbers_only_is_told_once() -> None:
    news = NewsOnly()
    first = record("<Connection [127.0.0.1:9092<-%d]>: lost: %s", 56902, "refused")
    assert news.filter(first)
    assert (first.levelname, first.getMessage()) == ("WARNING", "<Connection [127.0.0.1:9092<-56902]>: lost: refused")
    assert not news.filter(record("<Connection [127.0.0.1:9092<-%d]>: lost: %s", 56904, "refused"))
    assert news.filter(record("<Connection [127.0.0.1:9092<-%d]>: lost: %s", 56904, "timed out"))
    assert news.filter(record("the same", name="kafka.one"))
    assert news.filter(record("the same", name="kafka.other"))


def test_an_outage_that_goes_on_is_told_again_with_how_much_was_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    news, now = NewsOnly(), [1_000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    assert news.filter(record("away"))
    for _ in range(7):
        now[0] += REPEAT_SECONDS / 10
        assert not news.filter(record("away"))
    now[0] = 1_000 + REPEAT_SECONDS
    again = record("away")
    assert news.filter(again)
    assert again.getMessage() == "away (7 more such lines since the last one)"
    assert not news.filter(record("away"))


def test_broken_connections_have_no_traceback_and_defects_keep_theirs() -> None:
    news = NewsOnly()
    broken = record("Error receiving network data", error=ConnectionResetError(104, "reset by peer"))
    assert news.filter(broken)
    assert (broken.exc_info, broken.levelname) == (None, "WARNING")
    assert broken.getMessage() == "Error receiving network data: [Errno 104] reset by peer"
    defect = record("IO loop crashed", error=KeyError("node"))
    assert news.filter(defect)
    assert (bool(defect.exc_info), defect.levelname) == (True, "ERROR")


@pytest.mark.parametrize("name", [*OURS, "consumers.transports.handover"])
def test_our_warnings_are_told_once_a_minute(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    news, now = NewsOnly(), [1_000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    told = "%s: connecting again in %.1f s: %s"
    assert news.filter(warning(told, "relay", 0.2, "refused", name=name))
    for pause in (0.4, 0.8, 10.0):
        assert not news.filter(warning(told, "relay", pause, "refused", name=name))
    assert news.filter(warning(told, "relay", 10.0, "timed out", name=name))
    assert news.filter(warning(told, "sweeps", 10.0, "refused", name=name))
    now[0] += OUR_REPEAT_SECONDS
    again = warning(told, "relay", 10.0, "refused", name=name)
    assert news.filter(again)
    held_back = "relay: connecting again in 10.0 s: refused (3 more such lines since the last one)"
    assert (again.levelname, again.getMessage()) == ("WARNING", held_back)


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR, logging.CRITICAL])
def test_our_errors_are_never_held_back_and_stay_as_they_are(level: int) -> None:
    news = NewsOnly()
    for _ in range(3):
        told = record("%s: STOPPED", "relay", name=OURS[0], level=level, error=ConnectionResetError(104, "reset"))
        assert news.filter(told)
        assert (told.levelno, told.getMessage(), bool(told.exc_info)) == (level, "relay: STOPPED", True)


@pytest.mark.parametrize("name", ["kafkaesque", "consumers.relaying", "consumers.capture", "replay_vision.http"])
def test_others_are_never_held_back(name: str) -> None:
    news = NewsOnly()
    assert [news.filter(warning("away", name=name)) for _ in range(3)] == [True] * 3


def test_a_warning_of_ours_with_a_cause_keeps_its_traceback() -> None:
    told = record("away", name=OURS[0], level=logging.WARNING, error=ConnectionResetError(104, "reset by peer"))
    assert NewsOnly().filter(told)
    assert (told.getMessage(), bool(told.exc_info)) == ("away", True)


def test_what_is_remembered_is_bounded() -> None:
    news = NewsOnly()
    for number in range(MAX_KNOWN * 3):
        assert news.filter(record("".join(chr(97 + int(digit)) for digit in str(number))))
    assert len(news._told) <= MAX_KNOWN  # noqa: SLF001


def test_the_set_up_of_every_process_has_it() -> None:
    code = (
        "import logging; from api.cli.logs import set_up_logs; set_up_logs()\n"
        "for n in range(5): logging.getLogger('kafka.net.manager').error('Connection %d failed', n)\n"
        "for n in range(2): logging.getLogger('consumers.relay').warning('transport away, again in %d s', n)\n"
        "for n in range(2): logging.getLogger('consumers.relay').error('broken')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    lines = [line.split(maxsplit=2)[2] for line in done.stderr.splitlines()]
    assert lines == [
        "WARNING kafka.net.manager: Connection 0 failed",
        "WARNING consumers.relay: transport away, again in 0 s",
        *["ERROR consumers.relay: broken"] * 2,
    ]
