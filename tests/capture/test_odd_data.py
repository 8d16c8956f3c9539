"""Odd values in either topic stop nobody: they become what can be held, or are passed over alone."""

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from consumers.capture.analytics.event import to_message as event_message
from consumers.capture.analytics.visitors import Sayings
from consumers.capture.digest import sessions
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.messages.snapshot import to_messages
from consumers.capture.posting.posted import accept
from consumers.capture.wire.encodings import parse
from consumers.transports.port import Outgoing
from tests.capture.traffic import ENVIRONMENT, NOW, Capture, click, posted, snapshot

HUGE = "1" + "0" * 400
NESTED = "[" * 120 + "1" + "]" * 120
ODD = {
    "400 zeros": HUGE,
    "a negative one": f"-{HUGE}",
    "more digits than Python reads": "9" * 5_000,
    "over 64 bits": str(2**64),
    "under 64 bits": str(-(2**63) - 1),
    "beyond doubles": "1e999",
    "the largest double": "1.7976931348623157e308",
    "hardly anything": "-5e-324",
    "NaN as text": '"NaN"',
    "NUL": r'"a\u0000b"',
    "half a pair": r'"\ud83d"',
    "a pair turned round": r'"\udc00\ud800"',
    "a text of 2,000 astral letters": json.dumps("\U0001f600" * 2_000),
    "a list": f'[{HUGE}, null, ["x"]]',
    "an object": f'{{"\\u0000": {HUGE}, "": {{}}}}',
    "nested": NESTED,
    "true": "true",
    "null": "null",
    "nothing": '""',
    "a time before all": '"0001-01-01T00:00:00+14:00"',
    "a time after all": '"9999-12-31T23:59:59-14:00"',
    "minus one": "-1",
}
PLACES = ("$set", "$set_once", "$elements", "$elements_chain", "$window_id", "distinct_id", "$anon_distinct_id", "x")
TOP = ("timestamp", "offset", "uuid", "distinct_id", "$set")


def counts(capture: Capture) -> dict[str, int]:
    with capture.pool.connection() as conn:
        return undecodable_counts(conn)


def plain(message: Outgoing, **outer: Any) -> dict[str, Any]:
    return {**json.loads(message.value), **outer}


def odd_events(odd: str) -> list[bytes]:
    """`odd`, as JSON, in every place of an event."""
    base: dict[str, Any] = {"event": "$identify", "distinct_id": "d", "properties": {"$session_id": "odd"}}
    found: list[str] = []
    for name in PLACES:
        inner = {"x": "ODD"} if name.startswith("$set") else [{"nth_child": "ODD"}] if name == "$elements" else "ODD"
        found.append(json.dumps({**base, "properties": {**base["properties"], name: inner}}))
    found += [json.dumps({**base, name: "ODD"}) for name in TOP]
    found.append(json.dumps({**base, "properties": "ODD"}))
    frames = [{"type": "ODD", "value": "ODD", "stacktrace": {"frames": [{"lineno": "ODD", "colno": "ODD"}]}}]
    found.append(json.dumps({**base, "event": "$exception", "properties": {"$exception_list": frames}}))
    return [one.replace('"ODD"', odd).encode() for one in found]


def test_odd_values_of_events_stop_nobody(capture: Capture) -> None:
    for name, odd in ODD.items():
        posts = odd_events(odd)
        taken = accept(b'{"api_key":"t","batch":[%s]}' % b",".join(posts), {}, {}, NOW, lambda _: ENVIRONMENT)
        properties = {"$session_id": "good", "distinct_id": "good"}
        good = event_message(posted({"event": name, "properties": properties}))
        foreign = [replace(good, value=json.dumps(plain(good, data=one.decode())).encode()) for one in posts]
        outer = json.dumps(plain(good, now="ODD", sent_at="ODD", uuid="ODD")).replace('"ODD"', odd)
        capture.handle_events([*taken.analytics, *foreign, replace(good, value=outer.encode())])
        capture.handle_events([good])
        assert "unhandled" not in counts(capture), name
    rows = capture.rows("SELECT DISTINCT name FROM capture.analytics_event WHERE session_id = 'good'")
    assert {row["name"] for row in rows} >= ODD.keys()
    # What was stored can be read, and merged with what comes later.
    capture.say(posted({"event": "$identify", "distinct_id": "d", "properties": {"$set": {"y": 1}, "$unset": ["x"]}}))
    assert capture.rows("SELECT properties FROM capture.person WHERE properties ? 'y'")


def test_odd_values_of_recordings_stop_nobody(capture: Capture) -> None:
    (good,) = to_messages(snapshot([click(1)], "good"))
    items = [
        '{"type":4,"timestamp":5,"data":{"href":ODD,"width":ODD,"height":ODD}}',
        '{"type":3,"timestamp":6,"data":{"source":ODD,"type":ODD,"id":ODD,"positions":ODD,"text":ODD}}',
        '{"type":6,"timestamp":7,"data":{"plugin":"rrweb/console@1","payload":{"level":"error","payload":[ODD]}}}',
        '{"type":6,"timestamp":7,"data":{"plugin":ODD,"payload":ODD}}',
        '{"type":ODD,"timestamp":ODD,"data":ODD}',
        '{"type":3,"timestamp":ODD,"data":{"source":2,"type":2},"cv":ODD}',
        "ODD",
    ]
    told = '{"event":"$snapshot_items","properties":{"$session_id":"SESSION","$window_id":ODD,"distinct_id":ODD,'
    told += '"$lib":ODD,"$snapshot_source":ODD,"$snapshot_items":[ITEMS,{"type":3,"timestamp":9,"data":{}}]}}'
    sent: set[str] = set()
    for index, (name, odd) in enumerate(ODD.items()):
        messages: list[Outgoing] = []
        for place, item in enumerate([*items, ",".join(items)]):
            session_id = f"odd-{index}-{place}"
            data = told.replace("SESSION", session_id).replace("ITEMS", item).replace("ODD", odd)
            outer = json.dumps(plain(good, data=data, now="ODD", sent_at="ODD", uuid="ODD")).replace('"ODD"', odd)
            messages.append(replace(good, value=outer.encode()))
            sent.add(session_id)
        capture.handle([*messages, good])
        assert "unhandled" not in counts(capture), name
    rows = capture.rows("SELECT session_id FROM capture.session")
    assert {row["session_id"] for row in rows} == {*sent, "good"}


@pytest.mark.parametrize("number", [HUGE, f"-{HUGE}", "9" * 5_000, "1e999"])
def test_a_number_that_no_double_holds_is_null(number: str) -> None:
    assert parse(f'{{"x": [{number}, {2**64 - 1}, {-(2**63)}, {2**64}]}}'.encode()) == {
        "x": [None, 2**64 - 1, -(2**63), float(2**64)]
    }


@pytest.mark.parametrize("fault", [KeyError("x"), RecursionError(), psycopg.DataError("x"), OverflowError()])
def test_an_event_that_cannot_be_handled_is_passed_over_alone(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    original = Sayings.add

    def add(self: Sayings, saying: Any, distinct_id: str, moment: int) -> None:
        if distinct_id == "bad":
            raise fault
        original(self, saying, distinct_id, moment)

    monkeypatch.setattr(Sayings, "add", add)
    said = [
        posted({"event": f"e{n}", "properties": {"$session_id": "s", "distinct_id": "bad" if n == 3 else "d"}})
        for n in range(7)
    ]
    capture.say(*said)
    rows = capture.rows("SELECT name FROM capture.analytics_event ORDER BY name")
    assert [row["name"] for row in rows] == ["e0", "e1", "e2", "e4", "e5", "e6"]
    assert counts(capture) == {"unhandled": 1}
    assert capture.rows("SELECT events FROM capture.day") == [{"events": 6}]


def test_a_batch_that_the_database_does_not_take_is_passed_over_alone(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = sessions.insert_parts

    def insert(conn: psycopg.Connection, placed: Any, at: Any) -> None:
        original(conn, placed, at)
        if any(one.part.window_id == "bad" for one in placed):
            conn.execute("SELECT 1 / 0")

    monkeypatch.setattr(sessions, "insert_parts", insert)
    mixed = [snapshot([click(n)], "s", window_id="bad" if n == 3 else "w") for n in range(1, 6)]
    capture.capture(*mixed, snapshot([click(1)], "alone", window_id="bad"), snapshot([click(1)], "other"))
    rows = capture.rows("SELECT session_id, event_count FROM capture.session ORDER BY session_id")
    assert [tuple(row.values()) for row in rows] == [("other", 1), ("s", 4)]
    assert len(capture.rows("SELECT 1 FROM capture.part")) == 5
    assert counts(capture) == {"unhandled": 2}
    assert capture.rows("SELECT sessions FROM capture.day") == [{"sessions": 2}]


@pytest.mark.parametrize("fault", [OSError("away"), psycopg.OperationalError("away")])
def test_an_outage_still_raises(capture: Capture, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def away(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(Sayings, "add", away)
    monkeypatch.setattr(sessions, "insert_parts", away)
    with pytest.raises(type(fault)):
        capture.say(posted({"event": "e", "properties": {"$session_id": "s", "distinct_id": "d"}}))
    with pytest.raises(type(fault)):
        capture.capture(snapshot([click(1)]))
    assert counts(capture) == {}
