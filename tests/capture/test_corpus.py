"""The whole corpus that the samples were taken from, where it is at hand: its folder in REPLAY_VISION_TEST_CORPUS.

Every raw body goes the way of a browser's, and what is stored is held against three sources: the manifest (what the
recording tool counted on the wire), a plain evaluator over the decoded events (plain_facts), and what was really done
in the browser (`truth.json`).
"""

import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from consumers.capture.importer import import_files
from consumers.capture.recording import recording, recording_in_time
from consumers.scanning.evidence import build_evidence
from tests.capture.plain_facts import Recorded, plain_facts
from tests.capture.test_importer import Inbox
from tests.capture.traffic import NOW, Capture

CORPUS = os.environ.get("REPLAY_VISION_TEST_CORPUS")
PARTS = ("captures", "labelled")
COUNTS = (
    "event_count",
    "click_count",
    "keypress_count",
    "mouse_activity_count",
    "console_log_count",
    "console_warn_count",
    "console_error_count",
    "active_milliseconds",
)
INTERACTION = CLICK = 2

LOST_CLICKS = {"12_search_no_results": 1}
"""On a page that was lost at unload. (Enter in a form makes a synthetic click at 0,0 besides: none that was done.)"""
NOT_RECORDED = {"28_config_disabled"}
"""Switched off by the remote config, on purpose."""


def sessions(part: str) -> list[dict[str, Any]]:
    if not CORPUS:
        return []
    found: list[dict[str, Any]] = json.loads((Path(CORPUS) / part / "manifest.json").read_text())["sessions"]
    return found


ALL = [pytest.param(part, entry, id=entry["name"]) for part in PARTS for entry in sessions(part)]


def folder(part: str, entry: dict[str, Any]) -> Path:
    return Path(CORPUS or "") / part / "sessions" / str(entry["name"])


def decoded(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of the decoded events, by session, in order of arrival."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if path.exists():
        for line in gzip.decompress(path.read_bytes()).splitlines():
            row = json.loads(line)
            found[row["session_id"]].append(row)
    return found


def test_there_is_a_corpus() -> None:
    if not CORPUS:
        pytest.skip("the whole corpus is NOT tested: REPLAY_VISION_TEST_CORPUS names no folder of recordings")
    assert len(ALL) == len([one for part in PARTS for one in (Path(CORPUS) / part / "sessions").iterdir()]) > 0


@pytest.mark.parametrize(("part", "entry"), ALL)
def test_the_facts_of_every_recording(capture: Capture, part: str, entry: dict[str, Any]) -> None:
    name, where = entry["name"], folder(part, entry)
    inbox = Inbox()
    (result,) = import_files([where], inbox, 1, NOW)
    assert (result.error is None) == bool(entry["recorded_sessions"]) == (name not in NOT_RECORDED)
    if inbox.messages:
        capture.handle(inbox.messages)
    events = decoded(where / "events.jsonl.gz")
    stored = {row["session_id"] for row in capture.rows("SELECT session_id FROM capture.session")}
    assert stored == set(events) == {expected["session_id"] for expected in entry["recorded_sessions"]}
    for expected in entry["recorded_sessions"]:
        row = capture.session(expected["session_id"])
        as_the_recording_tool_counted(row, expected, plain="plain_rrweb" in name)
        as_all_events_at_once_say(row, events[expected["session_id"]])
        read_back(
            capture, expected["session_id"], [(one["window_id"], one["event"]) for one in events[row["session_id"]]]
        )


def as_the_recording_tool_counted(row: dict[str, Any], expected: dict[str, Any], *, plain: bool) -> None:
    assert {name: row[name] for name in COUNTS} == {name: expected[name] for name in COUNTS}
    assert sorted(row["urls"]) == sorted(expected["urls"])
    assert row["start_url"] == expected.get("first_url", row["start_url"])
    assert row["last_timestamp"] - row["first_timestamp"] == expected["duration_ms"]
    assert len(row["windows"]) == expected.get("windows", len(row["windows"]))
    assert set(row["distinct_ids"]) == set(expected.get("distinct_ids", row["distinct_ids"]))
    # For plain rrweb the recording tool counted the bytes of its own, spaced JSON.
    assert row["size"] == expected["size"] or plain


def as_all_events_at_once_say(row: dict[str, Any], events: list[dict[str, Any]]) -> None:
    slowly = plain_facts([(one["window_id"], one["event"]) for one in events])
    found = {**row, "urls": set(row["urls"]), "windows": set(row["windows"])}
    assert {name: found[name] for name in slowly} == slowly
    firsts: dict[str, int] = {}
    for one in events:
        at = one["event"]["timestamp"]
        firsts[one["distinct_id"]] = min(at, firsts.get(one["distinct_id"], at))
    assert row["distinct_ids"] == sorted(firsts, key=lambda person: (firsts[person], person))


def read_back(capture: Capture, session_id: str, expected: list[Recorded]) -> None:
    """What is read back is what was decoded, and its evidence is the same in order of time and in order of arrival."""
    with capture.pool.connection() as conn:
        arrived = list(recording(conn, capture.blobs, 1, session_id))
        evidence = build_evidence(recording_in_time(conn, capture.blobs, 1, session_id))
    # The tool left out the mark of events with packed fields when it had unpacked them.
    plain = [(window, {name: value for name, value in event.items() if name != "cv"}) for window, event in arrived]
    assert sorted(plain, key=_order) == sorted(expected, key=_order)
    assert evidence == build_evidence(arrived)


def _order(pair: tuple[str, Any]) -> tuple[Any, ...]:
    return pair[1]["timestamp"], pair[0], json.dumps(pair[1], sort_keys=True)


@pytest.mark.parametrize(("part", "entry"), ALL)
def test_clicks_are_those_that_were_done(part: str, entry: dict[str, Any]) -> None:
    where, name = folder(part, entry), entry["name"]
    steps = [step for step in json.loads((where / "truth.json").read_text())["steps"] if "click" in step["action"]]
    done = sum(int(step.get("clicks", 1)) for step in steps)
    events = [one["event"] for rows in decoded(where / "events.jsonl.gz").values() for one in rows]
    clicks = [one["data"] for one in events if one["type"] == 3 and one["data"].get("source") == INTERACTION]
    recorded = sum(one["type"] == CLICK and (one["x"], one["y"]) != (0, 0) for one in clicks)
    assert recorded == (0 if name in NOT_RECORDED else done - LOST_CLICKS.get(name, 0))
