"""The whole corpus that the samples were taken from: `../shared/recordings` beside the repository, where it is there.

Every raw body goes the way of a browser's, and what is stored is held against four sources: the manifest (what the
recording tool counted on the wire), its decoded events and a plain evaluator over them (plain_facts), and what was
really done in the browser (`truth.json`).
"""

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consumers.capture.analytics.elements import elements_of
from consumers.capture.importing.importer import import_files
from consumers.capture.reading.recording import recording_in_time
from consumers.scanning.evidence import build_evidence
from consumers.transports.port import Outgoing
from tests.capture.arrival import recording
from tests.capture.plain_facts import Recorded, plain_facts
from tests.capture.test_analytics_wire import read
from tests.capture.test_importer import Inbox
from tests.capture.traffic import NOW, ROOT, Capture
from tests.servers.missing import give_up

CORPUS_VARIABLE = "REPLAY_VISION_TEST_CORPUS"
"""Another folder of recordings."""
BESIDE = "../shared/recordings"
CORPUS = Path(os.environ.get(CORPUS_VARIABLE, ROOT / BESIDE))
PARTS = {"captures": 18, "labelled": 30}
"""And how many recordings each has: one that is missing must not go unseen."""
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


@pytest.mark.corpus
@pytest.mark.parametrize("part", PARTS)
def test_every_recording(capture: Capture, part: str) -> None:
    if not CORPUS.is_dir():
        give_up("corpus", f"no folder {BESIDE} beside the repository, and {CORPUS_VARIABLE} names none")
    entries = json.loads((CORPUS / part / "manifest.json").read_text())["sessions"]
    folders = {folder.name for folder in (CORPUS / part / "sessions").iterdir()}
    assert folders == {entry["name"] for entry in entries}
    assert len(entries) == PARTS[part]
    wrong: list[str] = []
    for entry in entries:
        try:
            as_it_was_recorded(capture, entry, CORPUS / part / "sessions" / str(entry["name"]))
        except AssertionError as error:
            wrong.append(f"{entry['name']}: {error}")
    assert not wrong, "\n\n".join(wrong)


def as_it_was_recorded(capture: Capture, entry: dict[str, Any], folder: Path) -> None:
    name, inbox = entry["name"], Inbox()
    (result,) = import_files([folder], inbox, 1, NOW)
    assert (result.error is None) == bool(entry["recorded_sessions"]) == (name not in NOT_RECORDED)
    before = sessions_in(capture)
    if inbox.messages:
        capture.handle(inbox.messages)
    events = decoded(folder / "events.jsonl.gz")
    stored = sessions_in(capture) - before
    assert stored == set(events) == {expected["session_id"] for expected in entry["recorded_sessions"]}
    clicks = 0
    for expected in entry["recorded_sessions"]:
        row, sent = capture.session(expected["session_id"]), events[expected["session_id"]]
        as_the_recording_tool_counted(row, expected, plain="plain_rrweb" in name)
        as_all_events_at_once_say(row, sent)
        kept = read_back(capture, expected["session_id"], [(one["window_id"], one["event"]) for one in sent])
        clicks += clicks_in(kept)
    as_was_done(name, clicks, folder)
    as_the_site_told(inbox.events, folder)


def sessions_in(capture: Capture) -> set[str]:
    return {row["session_id"] for row in capture.rows("SELECT session_id FROM capture.session")}


def decoded(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of the decoded events, by session, in order of arrival."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lines(path):
        found[row["session_id"]].append(row)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()] if path.exists() else []


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


def read_back(capture: Capture, session_id: str, expected: list[Recorded]) -> list[Recorded]:
    """What is read back is what was decoded, and its evidence is the same in order of time and in order of arrival."""
    with capture.pool.connection() as conn:
        arrived = list(recording(conn, capture.blobs, 1, session_id))
        evidence = build_evidence(recording_in_time(conn, capture.blobs, 1, session_id))
    # The tool left out the mark of events with packed fields when it had unpacked them.
    plain = [(window, {name: value for name, value in event.items() if name != "cv"}) for window, event in arrived]
    assert sorted(plain, key=_order) == sorted(expected, key=_order)
    assert evidence == build_evidence(arrived)
    return plain


def _order(pair: tuple[str, Any]) -> tuple[Any, ...]:
    return pair[1]["timestamp"], pair[0], json.dumps(pair[1], sort_keys=True)


def clicks_in(events: Sequence[Recorded]) -> int:
    seen = [event["data"] for _, event in events if event["type"] == 3 and event["data"].get("source") == INTERACTION]
    return sum(one["type"] == CLICK and (one["x"], one["y"]) != (0, 0) for one in seen)


def as_was_done(name: str, clicks: int, folder: Path) -> None:
    steps = [step for step in json.loads((folder / "truth.json").read_text())["steps"] if "click" in step["action"]]
    done = sum(int(step.get("clicks", 1)) for step in steps)
    assert clicks == (0 if name in NOT_RECORDED else done - LOST_CLICKS.get(name, 0))


def as_the_site_told(messages: Sequence[Outgoing], folder: Path) -> None:
    """Analytics events as the recording tool decoded them: none is missing, what is told of each is what was sent."""
    found = {str(one.uuid): one for one in map(read, messages)}
    wanted = {row["event"]["uuid"]: row["event"] for row in lines(folder / "capture_events.jsonl.gz")}
    assert set(found) == set(wanted)
    for uuid, one in found.items():
        sent = wanted[uuid]["properties"]
        assert (one.name, one.session_id) == (wanted[uuid]["event"], sent["$session_id"])
        assert one.properties.items() <= sent.items()
        assert ("$elements_chain" in sent) == (one.chain is not None)
        assert one.chain is None or elements_of(one.chain)
