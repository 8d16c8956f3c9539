import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consumers.capture.analytics.event import TOPIC as ANALYTICS
from consumers.capture.importing import files
from consumers.capture.importing.importer import Imported, import_files
from consumers.capture.messages.snapshot import TOPIC
from consumers.transports.port import Outgoing
from tests.capture.arrival import recording
from tests.capture.test_analytics_wire import read
from tests.capture.traffic import EXPECTED, NOW, ROOT, Capture, click, posts

SAMPLE = "tests/recordings/two_tabs_one_session.jsonl.gz"


class Inbox:
    """What the transport would carry."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.events: list[Outgoing] = []

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        {TOPIC: self.messages, ANALYTICS: self.events}[topic].extend(records)


def imported(*paths: Path, **options: Any) -> tuple[list[Imported], list[Outgoing]]:
    inbox = Inbox()
    results = list(import_files(paths, inbox, 5, NOW, **options))
    return results, inbox.messages


def test_the_samples_of_the_repository_all_import(capture: Capture) -> None:
    results, messages = imported(ROOT / "recordings")
    assert [result.error for result in results] == [None] * 11
    capture.handle(messages)
    wanted = {entry["session_id"]: entry for name, entry in EXPECTED.items() if name.startswith("recordings/")}
    rows = capture.rows("SELECT * FROM capture.session")
    assert {row["session_id"] for row in rows} == set(wanted)
    for row in rows:
        expected = wanted[row["session_id"]]
        assert row["environment_id"] == 5
        for name in ("event_count", "size", "click_count", "active_milliseconds"):
            assert row[name] == expected[name]
    assert sum(session.events for result in results for session in result.sessions) == sum(
        entry["event_count"] for entry in wanted.values()
    )


def test_importing_twice_changes_nothing(capture: Capture) -> None:
    for _ in range(2):
        _, messages = imported(ROOT / SAMPLE)
        capture.handle(messages)
    assert capture.session(EXPECTED[SAMPLE]["session_id"], 5)["event_count"] == EXPECTED[SAMPLE]["event_count"]


def test_times_can_be_moved_to_end_now(capture: Capture) -> None:
    ending = datetime(2027, 5, 1, 8, 30, tzinfo=UTC)
    results, messages = imported(ROOT / SAMPLE, ending=ending)
    session_id = results[0].sessions[0].session_id
    capture.handle(messages)
    row, expected = capture.session(session_id, 5), EXPECTED[SAMPLE]
    assert row["last_timestamp"] == ending.timestamp() * 1000
    assert row["last_timestamp"] - row["first_timestamp"] == expected["duration_ms"]
    for name in ("event_count", "click_count", "active_milliseconds", "urls"):
        assert sorted(row[name]) == sorted(expected[name]) if name == "urls" else row[name] == expected[name]
    with capture.pool.connection() as conn:
        moved = [event for _, event in recording(conn, capture.blobs, 5, session_id)]
    for request in network_requests(moved):
        assert row["first_timestamp"] - 60_000 < request["timestamp"] <= row["last_timestamp"]
    assert network_requests(moved)


def network_requests(events: list[Any]) -> list[Any]:
    plugins = (event["data"] for event in events if event["type"] == 6)
    found = [data["payload"]["requests"] for data in plugins if data["plugin"] == "rrweb/network@1"]
    return [request for requests in found for request in requests if "timestamp" in request]


def test_a_folder_of_raw_bodies(capture: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "bodies").mkdir(parents=True)
    lines = []
    for number, post in enumerate(posts(SAMPLE)):
        name = f"bodies/{number:04}.bin"
        (folder / name).write_bytes(post["body"])
        headers = [["Content-Type", post["headers"].get("content-type", "")]]
        about = {"method": "POST", "path": post["path"], "query": list(post["query"].items()), "headers": headers}
        lines.append(json.dumps({**about, "status": 200, "body_file": name}))
    lines.insert(0, json.dumps({"method": "GET", "path": "/array/x/config", "status": 200}))
    (folder / "requests.jsonl").write_text("\n".join(lines))
    for given in (folder, tmp_path, folder / "requests.jsonl"):
        results, messages = imported(given)
        assert [result.error for result in results] == [None]
        capture.handle(messages)
        assert capture.session(EXPECTED[SAMPLE]["session_id"], 5)["event_count"] == EXPECTED[SAMPLE]["event_count"]


def test_requests_that_were_answered_with_a_failure_are_left_out(tmp_path: Path) -> None:
    entry = json.loads(gzip.decompress((ROOT / SAMPLE).read_bytes()).splitlines()[1])
    (tmp_path / "a.jsonl").write_text(json.dumps({**entry, "status": 503}) + "\n")
    results, messages = imported(tmp_path / "a.jsonl")
    assert (results[0].error, messages) == ("There is no recording in it.", [])


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/passwd"])
def test_body_files_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.bin").write_bytes(b"[]")
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "requests.jsonl").write_text(json.dumps({"method": "POST", "path": "/s/", "body_file": name}) + "\n")
    results, _ = imported(folder)
    assert results[0].error == "A body file lies outside the recording's folder."


EVENTS = [{"type": 4, "data": {"href": "http://a.test/"}, "timestamp": 1_000}, click(2_000), click(3_000)]


@pytest.mark.parametrize(
    ("content", "session_id"),
    [
        (json.dumps(EVENTS), None),
        (json.dumps(EVENTS, indent=2), None),
        ("\n".join(json.dumps(event) for event in EVENTS), None),
        ("\n".join(json.dumps(["window", event]) for event in EVENTS), None),
        ("\n\n".join(json.dumps({"session_id": "s-9", "window_id": "w", "event": event}) for event in EVENTS), "s-9"),
        (json.dumps({"session_id": "s-9", "events": EVENTS}), "s-9"),
        (json.dumps({"event": "$snapshot", "properties": {"$session_id": "s-9", "$snapshot_data": EVENTS}}), "s-9"),
        ("\n".join(
            json.dumps({"event": "$snapshot", "properties": {"$session_id": "s-9", "$snapshot_data": [event]}})
            for event in EVENTS
        ), "s-9"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pack", [False, True])
def test_decoded_recordings(capture: Capture, tmp_path: Path, content: str, session_id: str | None, pack: bool) -> None:
    path = tmp_path / ("a.json.gz" if pack else "a.json")
    path.write_bytes(gzip.compress(content.encode()) if pack else content.encode())
    results, messages = imported(path)
    assert results[0].error is None
    capture.handle(messages)
    ((found, count, clicks),) = [
        (row["session_id"], row["event_count"], row["click_count"])
        for row in capture.rows("SELECT * FROM capture.session")
    ]
    assert (count, clicks) == (3, 2)
    assert found == (session_id or found)
    assert imported(path)[0] == results


def test_many_events_are_posted_in_bodies_of_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(click(at)) for at in range(1, 2 * files.EVENTS_A_BODY + 2)))
    results, messages = imported(path)
    assert (len(messages), results[0].sessions[0].events) == (3, 2 * files.EVENTS_A_BODY + 1)


def test_bad_files_say_why_and_do_not_stop_others(tmp_path: Path) -> None:
    contents = {
        "a_empty.jsonl": b"",
        "b_junk.jsonl": b"\x00\x01junk",
        "c_cut.jsonl.gz": (ROOT / SAMPLE).read_bytes()[:500],
        "d_other.json": b'{"hello": "world"}',
        "e_deep.json": b"[" * 1_000_000,
        "f_good.json": json.dumps(EVENTS).encode(),
        "g_text.txt": b"not a recording, and not named like one",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    results, messages = imported(tmp_path / "missing.json", tmp_path)
    assert [result.path.name for result in results] == ["missing.json", *list(contents)[:-1]]
    assert [result.error is None for result in results] == [False] * 6 + [True]
    assert all(result.error and "\n" not in result.error for result in results[:6])
    assert len(messages) == 1


def test_one_bad_body_costs_only_itself(tmp_path: Path) -> None:
    lines = gzip.decompress((ROOT / SAMPLE).read_bytes()).splitlines()
    bad = json.dumps({"method": "POST", "path": "/s/", "status": 200, "body": "AAAA"}).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([bad, *lines]))
    results, _ = imported(tmp_path / "a.jsonl")
    assert results[0].error is not None
    assert results[0].error.startswith("1 not taken; the first: ")
    assert results[0].sessions[0].events == EXPECTED[SAMPLE]["event_count"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    results, _ = imported(tmp_path)
    assert results[0].error == "The folder has no recordings."


def test_analytics_events_go_along_and_move_with_the_recording(capture: Capture) -> None:
    kept, moved = Inbox(), Inbox()
    ending = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    (result,) = import_files([ROOT / SAMPLE], kept, 5, NOW)
    list(import_files([ROOT / SAMPLE], moved, 5, NOW, ending=ending))
    assert result.error is None
    before, after = ([read(message) for message in inbox.events] for inbox in (kept, moved))
    assert [one.uuid for one in before] == [one.uuid for one in after] != []
    capture.handle(kept.messages)
    newest = capture.session(EXPECTED[SAMPLE]["session_id"], 5)["last_timestamp"]
    shift = round(ending.timestamp() * 1000) - newest
    assert {two.at - one.at for one, two in zip(before, after, strict=True)} == {shift}
