"""Console lines of recordings: readable, bounded, and the same in whatever order parts arrive."""

import json
from collections import Counter
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from consumers.capture.digest import console
from consumers.capture.digest.console import MAX_MESSAGE, MAX_PART_LINES, console_lines
from consumers.capture.wire.encodings import Json
from tests.capture.traffic import ENVIRONMENT, EXPECTED, Capture, click, recorded, snapshot


def line(level: Any, *items: Any, at: int = 5) -> Json:
    payload = {"level": level, "trace": [], "payload": [json.dumps(item) for item in items]}
    return {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": payload}, "timestamp": at}


class Kept(NamedTuple):
    at: int
    level: str
    message: str


def kept(capture: Capture, session_id: str = "s-1") -> list[Kept]:
    lines = "SELECT at, level, message FROM capture.console_line WHERE environment_id = %s AND session_id = %s"
    return [Kept(**row) for row in capture.rows(f"{lines} ORDER BY at, part, place", ENVIRONMENT, session_id)]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_lines_of_real_recordings_are_as_many_as_were_counted(capture: Capture, name: str) -> None:
    expected = EXPECTED[name]
    capture.handle(recorded(name))
    capture.handle(recorded(name))
    levels = Counter(one.level for one in kept(capture, expected["session_id"]))
    assert (levels["info"], levels["warn"], levels["error"]) == tuple(
        expected[f"console_{level}_count"] for level in ("log", "warn", "error")
    )


def test_levels_and_texts(capture: Capture) -> None:
    cut: Json = {"level": "info", "payload": '"cut'}
    given = [
        line("log", "it is", 5, {"a": [1]}, None, at=1),
        line("warn", "careful", at=2),
        line("countReset", at=3),
        line("assert", "no", at=4),
        line("error", "Uncaught \0 \N{SLIGHTLY SMILING FACE}", at=5),
        line(7, at=6),
        {"type": 6, "data": {"plugin": "rrweb/network@1", "payload": {"level": "warn"}}, "timestamp": 7},
        {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": ["odd"]}, "timestamp": 8},
        {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": cut}, "timestamp": 9},
        click(10),
    ]
    capture.capture(snapshot(given))
    assert kept(capture) == [
        (1, "info", 'it is 5 {"a": [1]} null'),
        (2, "warn", "careful"),
        (3, "warn", ""),
        (4, "error", "no"),
        (5, "error", "Uncaught \ufffd \N{SLIGHTLY SMILING FACE}"),
        (6, "info", ""),
        (8, "info", ""),
        (9, "info", '"cut'),
    ]


def test_long_and_many_lines_of_a_part_are_bounded() -> None:
    long = console_lines([line("log", "x" * 9_000, "y"), line("log", *["z" * 900] * 90)])
    assert [len(one.message) for one in long] == [MAX_MESSAGE, MAX_MESSAGE]
    many = [line("log", number, at=1 + number) for number in range(300)] + [
        line("error", "e", at=900),
        line("warn", "w", at=901),
    ]
    found = console_lines(many)
    assert len(found) == MAX_PART_LINES
    assert [one.level for one in found[-2:]] == ["error", "warn"]
    assert [one.message for one in found[:-2]] == [str(number) for number in range(MAX_PART_LINES - 2)]


def test_the_most_severe_lines_of_a_session_are_kept_in_whatever_order_parts_come(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "MAX_LINES", 3)
    parts = [
        [line("log", "a", at=1), line("log", "b", at=4)],
        [line("error", "c", at=9)],
        [line("warn", "d", at=5), line("log", "e", at=2)],
    ]
    for number, order in enumerate(permutations(range(3))):
        for place in order:
            capture.capture(snapshot(parts[place], f"s-{number}", uuid=f"u{place}"))
        assert [one.message for one in kept(capture, f"s-{number}")] == ["a", "d", "c"]


def test_lines_of_other_environments_are_kept_apart(capture: Capture) -> None:
    capture.capture(snapshot([line("log", "theirs")], environment_id=2))
    assert kept(capture) == []
