"""The whole corpus that the samples were taken from, where it is at hand: its folder in REPLAY_VISION_TEST_CORPUS."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from consumers.capture.analytics.elements import elements_of
from consumers.capture.importer import import_files
from consumers.capture.recording import recording
from tests.capture.test_analytics_wire import read
from tests.capture.test_importer import Inbox
from tests.capture.traffic import NOW, Capture

CORPUS = os.environ.get("REPLAY_VISION_TEST_CORPUS")
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

pytestmark = pytest.mark.skipif(not CORPUS, reason="REPLAY_VISION_TEST_CORPUS names no folder of recordings")


def manifest(part: str) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = json.loads((Path(CORPUS or "") / part / "manifest.json").read_text())["sessions"]
    return sessions


@pytest.mark.parametrize("part", ["captures", "labelled"])
def test_the_facts_of_every_recording(capture: Capture, part: str) -> None:
    for entry in manifest(part):
        inbox = Inbox()
        (result,) = import_files([Path(CORPUS or "") / part / "sessions" / entry["name"]], inbox, 1, NOW)
        assert (result.error is None) == bool(entry["recorded_sessions"]), entry["name"]
        if inbox.messages:
            capture.handle(inbox.messages)
        for expected in entry["recorded_sessions"]:
            row = capture.session(expected["session_id"])
            assert {name: row[name] for name in COUNTS} == {name: expected[name] for name in COUNTS}, entry["name"]
            assert sorted(row["urls"]) == sorted(expected["urls"])
            assert row["last_timestamp"] - row["first_timestamp"] == expected["duration_ms"]
            # For plain rrweb the recording tool counted the bytes of its own, spaced JSON.
            assert row["size"] == expected["size"] or "plain_rrweb" in entry["name"]
            with capture.pool.connection() as conn:
                events = recording(conn, capture.blobs, 1, expected["session_id"])
                assert sum(1 for _ in events) == expected["event_count"]


@pytest.mark.parametrize("part", ["captures", "labelled"])
def test_the_analytics_events_of_every_session(part: str) -> None:
    """As the recording tool decoded them: none is missing, and what is told of each is what was sent."""
    for folder in sorted((Path(CORPUS or "") / part / "sessions").iterdir()):
        inbox = Inbox()
        list(import_files([folder], inbox, 1, NOW))
        found = {str(one.uuid): one for one in map(read, inbox.events)}
        decoded = folder / "capture_events.jsonl.gz"
        lines = gzip.decompress(decoded.read_bytes()).splitlines() if decoded.exists() else []
        wanted = {each["event"]["uuid"]: each["event"] for each in map(json.loads, lines)}
        assert set(found) == set(wanted), folder.name
        for uuid, one in found.items():
            sent = wanted[uuid]["properties"]
            assert (one.name, one.session_id) == (wanted[uuid]["event"], sent["$session_id"])
            assert one.properties.items() <= sent.items()
            assert ("$elements_chain" in sent) == (one.chain is not None)
            assert one.chain is None or elements_of(one.chain)
