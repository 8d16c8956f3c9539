import json
import zlib
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from consumers.capture.digest import placing
from consumers.capture.digest.facts import Facts, facts_of
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.ending.settler import settle
from consumers.capture.messages.snapshot import Snapshot, to_messages
from consumers.capture.store.blobs import MissingBlob
from consumers.capture.wire.encodings import Json
from consumers.transports.port import Outgoing
from projections.engine.completeness import Behind
from tests.capture.arrival import recording
from tests.capture.traffic import (
    ENVIRONMENT,
    EXPECTED,
    ITS_ENVIRONMENT,
    KNOWN_TOKEN,
    Capture,
    click,
    recorded,
    snapshot,
)

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


@pytest.mark.parametrize("name", EXPECTED)
def test_facts_of_real_recordings(capture: Capture, name: str) -> None:
    expected = EXPECTED[name]
    capture.handle(recorded(name))
    row = capture.session(expected["session_id"])
    assert {count: row[count] for count in COUNTS} == {count: expected[count] for count in COUNTS}
    assert row["first_timestamp"] == expected["min_first_timestamp"]
    assert row["last_timestamp"] == expected["max_last_timestamp"]
    assert row["start_url"] == expected["first_url"]
    assert sorted(row["urls"]) == sorted(expected["urls"])
    assert len(row["windows"]) == expected["windows"]
    assert row["distinct_ids"] == expected["distinct_ids"]
    if "rrweb2" not in name:  # there the recording tool counted the bytes of its own, spaced JSON
        assert row["size"] == expected["size"]
    with capture.pool.connection() as conn:
        events = list(recording(conn, capture.blobs, ENVIRONMENT, expected["session_id"]))
    assert len(events) == expected["event_count"]
    assert {window for window, _ in events} == set(row["windows"])
    assert all(isinstance(event["data"], dict) for _, event in events if event["type"] == 2)


def test_parts_are_one_a_uuid_and_repeats_are_dropped(capture: Capture) -> None:
    name = "tests/recordings/long_multi_page.jsonl.gz"
    messages = recorded(name)
    uuids = {message.headers["uuid"] for message in messages}
    capture.handle(messages)
    capture.handle(messages)
    rows = capture.rows("SELECT uuid FROM capture.part")
    assert len(rows) == len(uuids)
    assert capture.session(EXPECTED[name]["session_id"])["message_count"] == len(uuids)


STATE = """state, first_timestamp, last_timestamp, click_count, keypress_count, mouse_activity_count, console_log_count,
    console_warn_count, console_error_count, size, event_count, message_count, active_milliseconds, distinct_id,
    distinct_ids, start_url, urls, windows, snapshot_source, snapshot_library"""


@pytest.mark.rule("trap/22")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_repetition_of_batches_gives_the_same_facts(capture: Capture, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(
            ["tests/recordings/two_tabs_one_session.jsonl.gz", "tests/recordings/sdk_1_160_abandon.jsonl.gz"]
        )
    )
    messages = recorded(name)
    repeats = data.draw(st.lists(st.sampled_from(messages), max_size=5))
    shuffled = data.draw(st.permutations(messages + repeats))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    capture.rows("WITH gone AS (DELETE FROM capture.session RETURNING 1) SELECT * FROM gone")
    capture.handle(messages)
    (straight,) = capture.rows(f"SELECT {STATE} FROM capture.session")
    capture.rows("WITH gone AS (DELETE FROM capture.session RETURNING 1) SELECT * FROM gone")
    for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
        if shuffled[start:end]:
            capture.handle(shuffled[start:end])
    assert capture.rows(f"SELECT {STATE} FROM capture.session") == [straight]


events = st.one_of(
    st.builds(click, st.integers(1, 100_000)),
    st.builds(
        lambda at, href: {"type": 4, "data": {"href": href}, "timestamp": at},
        st.integers(1, 100_000),
        st.sampled_from([f"http://shop.test/{number}" for number in range(6)]),
    ),
    st.builds(
        lambda at, level: {
            "type": 6,
            "data": {"plugin": "rrweb/console@1", "payload": {"level": level}},
            "timestamp": at,
        },
        st.integers(1, 100_000),
        st.sampled_from(["log", "info", "warn", "countReset", "error", "assert", 5, None]),
    ),
    st.builds(lambda at: {"type": 3, "data": {"source": 0}, "timestamp": at}, st.integers(1, 100_000)),
)
batches = st.lists(
    st.tuples(st.lists(events, min_size=1, max_size=6), st.sampled_from("ab"), st.sampled_from("xy")),
    min_size=1,
    max_size=8,
)


@given(batches, st.randoms(use_true_random=False))
def test_facts_merge_in_any_order(given_batches: list[tuple[list[Json], str, str]], random: Random) -> None:
    found: list[Facts] = []
    for items, window, person in given_batches:
        counted = facts_of(snapshot(items, window_id=window, distinct_id=person), 100)
        assert counted is not None
        found.append(counted[0])

    def merged(order: list[Facts]) -> Facts:
        while len(order) > 1:  # pairs that stand beside each other, so that the grouping varies too
            index = random.randrange(len(order) - 1)
            order[index : index + 2] = [order[index].merge(order[index + 1])]
        return order[0]

    shuffled = [*found]
    random.shuffle(shuffled)
    assert merged(shuffled) == merged([*found]) == found[0].merge(*found[1:])


def test_console_levels_and_clicks_by_the_rule(capture: Capture) -> None:
    def console(level: object) -> Json:
        return {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": {"level": level}}, "timestamp": 5}  # type: ignore[dict-item]

    items: list[Json] = [console(level) for level in ("log", "debug", "warn", "countReset", "error", "assert", 5)]
    items += [{"type": 3, "data": {"source": 2, "type": kind}, "timestamp": 5} for kind in range(11)]
    items += [{"type": 3, "data": {"source": source}, "timestamp": 5} for source in (1, 5, 6)]
    capture.capture(snapshot(items))
    row = capture.session("s-1")
    assert [row[f"console_{level}_count"] for level in ("log", "warn", "error")] == [3, 2, 2]
    assert (row["click_count"], row["mouse_activity_count"], row["keypress_count"]) == (4, 13, 1)


def test_packed_rrweb_is_counted_and_unpacked(capture: Capture) -> None:
    items: list[Json] = [
        zlib.compress(json.dumps({**event, "v": "v1"}).encode()).decode("latin-1")
        for event in (click(1_000), {"type": 4, "data": {"href": " http://shop.test/a "}, "timestamp": 900})
    ]
    capture.capture(snapshot([*items, "junk", {"type": 3}, None, {**click(1), "timestamp": True}]))
    row = capture.session("s-1")
    assert (row["event_count"], row["click_count"], row["start_url"]) == (2, 1, "http://shop.test/a")
    assert capture.rows("SELECT unreadable_count FROM capture.part") == [{"unreadable_count": 4}]
    with capture.pool.connection() as conn:
        found = list(recording(conn, capture.blobs, ENVIRONMENT, "s-1"))
    assert [event["timestamp"] for _, event in found] == [1_000, 900]


def test_text_that_postgresql_cannot_hold_is_kept_in_the_blob_only(capture: Capture) -> None:
    meta: Json = {"type": 4, "data": {"href": "http://shop.test/\0x"}, "timestamp": 1, "note": "\0"}
    capture.capture(snapshot([meta]))
    assert capture.session("s-1")["urls"] == ["http://shop.test/\ufffdx"]
    with capture.pool.connection() as conn:
        assert [event for _, event in recording(conn, capture.blobs, ENVIRONMENT, "s-1")] == [meta]


def test_many_addresses_are_capped_to_the_earliest(capture: Capture) -> None:
    for start in (0, 150, 75):
        items: list[Json] = [
            {"type": 4, "data": {"href": f"http://shop.test/{at:03}"}, "timestamp": at + 1}
            for at in range(start, start + 150)
        ]
        capture.capture(snapshot(items, uuid=f"u{start}"))
    assert capture.session("s-1")["urls"] == [f"http://shop.test/{at:03}" for at in range(200)]


def test_sessions_of_one_batch_and_environments_are_kept_apart(capture: Capture) -> None:
    capture.capture(
        snapshot([click(1)], "s-1", "u1"),
        snapshot([click(2), click(3)], "s-2", "u1"),
        snapshot([click(4)], "s-1", "u1", environment_id=2),
        snapshot([click(5)], "s-1", "u2"),
    )
    rows = capture.rows("SELECT environment_id, session_id, event_count FROM capture.session ORDER BY 1, 2")
    assert [tuple(row.values()) for row in rows] == [(1, "s-1", 2), (1, "s-2", 2), (2, "s-1", 1)]
    keys = {row["blob"] for row in capture.rows("SELECT blob FROM capture.part")}
    assert {key.split("/")[0] for key in keys} == {"1", "2"}
    with capture.pool.connection() as conn:
        found = [event["timestamp"] for _, event in recording(conn, capture.blobs, 1, "s-1")]
    assert found == [1, 5]


def test_a_message_without_environment_belongs_to_its_token(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], environment_id=None, token=KNOWN_TOKEN))
    assert capture.session("s-1", ITS_ENVIRONMENT)["event_count"] == 1


def test_a_token_that_cannot_be_told_yet_holds_the_batch_back(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behind(_conn: Connection, _token: str) -> int | None:
        raise Behind

    messages = [to_messages(snapshot([click(1)], name, environment_id=None, token=KNOWN_TOKEN))[0] for name in "ab"]
    known = SnapshotHandler(capture.blobs, capture.pool, behind, lambda: capture.now)
    with monkeypatch.context() as patched:
        patched.setattr(capture, "handler", known)
        with pytest.raises(Behind):
            capture.handle(messages)
    assert capture.rows("SELECT * FROM capture.session") == []
    assert capture.rows("SELECT * FROM capture.undecodable") == []
    capture.handle(messages)
    assert [capture.session(name, ITS_ENVIRONMENT)["event_count"] for name in "ab"] == [1, 1]


def broken_messages() -> dict[str, Outgoing]:
    (good,) = to_messages(snapshot([click(1)]))
    outer = json.loads(good.value)
    inner = json.loads(outer["data"])

    def with_inner(**fields: object) -> bytes:
        return json.dumps({**outer, "data": json.dumps({**inner, **fields})}).encode()

    properties = inner["properties"]
    return {
        "junk": replace(good, value=b"\x00\xff junk"),
        "cut gzip": replace(good, value=b"\x1f\x8b\x08"),
        "another event": replace(good, value=with_inner(event="$pageview")),
        "no items": replace(good, value=with_inner(properties={**properties, "$snapshot_items": []})),
        "no event": replace(good, value=with_inner(properties={**properties, "$snapshot_items": [1, "x"]})),
        "session id": replace(good, value=with_inner(properties={**properties, "$session_id": "../x"})),
        "environment": to_messages(snapshot([click(1)], environment_id=None))[0],
        "header": replace(good, headers={**good.headers, "environment_id": b"one"}),
    }


@pytest.mark.parametrize("kind", broken_messages())
def test_what_is_no_recording_is_kept_reported_and_stops_nobody(capture: Capture, kind: str) -> None:
    bad = broken_messages()[kind]
    before, after = (to_messages(snapshot([click(1)], name))[0] for name in ("before", "after"))
    capture.handle([before, bad, after])
    (row,) = capture.rows("SELECT * FROM capture.undecodable")
    assert capture.blobs.get(row["blob"]) == bad.value
    assert (row["bytes"], row["topic"]) == (len(bad.value), "snapshots")
    assert row["reason"]
    sessions = capture.rows("SELECT session_id, event_count FROM capture.session ORDER BY session_id")
    assert [tuple(session.values()) for session in sessions] == [("after", 1), ("before", 1)]


def test_when_blobs_fail_nothing_is_stored_and_the_batch_can_be_repeated(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = to_messages(snapshot([click(1)]))

    def full(*_arguments: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(capture.blobs, "put", full)
        with pytest.raises(OSError, match="No space"):
            capture.handle(messages)
    assert capture.rows("SELECT * FROM capture.session") == []
    capture.handle(messages)
    assert capture.session("s-1")["message_count"] == 1


def test_large_batches_are_spread_over_blobs(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "BLOB_TARGET_BYTES", 200)
    parts: list[Snapshot] = [snapshot([click(at)], uuid=f"u{at}") for at in range(1, 21)]
    capture.capture(*parts)
    assert len({row["blob"] for row in capture.rows("SELECT blob FROM capture.part")}) > 5
    with capture.pool.connection() as conn:
        found = [event["timestamp"] for _, event in recording(conn, capture.blobs, ENVIRONMENT, "s-1")]
    assert found == list(range(1, 21))


def test_a_recording_whose_bytes_are_gone_says_so(capture: Capture) -> None:
    capture.capture(snapshot([click(1)]))
    (row,) = capture.rows("SELECT blob FROM capture.part")
    capture.blobs.delete(row["blob"])
    with capture.pool.connection() as conn, pytest.raises(MissingBlob):
        list(recording(conn, capture.blobs, ENVIRONMENT, "s-1"))


def test_an_unknown_session_has_no_events(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        assert list(recording(conn, capture.blobs, ENVIRONMENT, "nobody")) == []


@pytest.mark.rule("trap/21")
def test_late_data_reopens_and_repeats_do_not(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], uuid="u1"))
    capture.now += timedelta(minutes=40)
    with capture.pool.connection() as conn:
        assert settle(conn, capture.now, 2_100) == 1
    capture.capture(snapshot([click(1)], uuid="u1"))
    assert capture.session("s-1")["settle_number"] == 1
    capture.capture(snapshot([click(2)], uuid="u2"))
    row = capture.session("s-1")
    assert (row["settle_number"], row["settled_at"], row["reopened"]) == (None, None, 1)
