"""The consumer of analytics events: each event once, bounded, beside its session, and nobody held up by a bad one."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from consumers.capture.analytics import events as module
from consumers.capture.analytics.event import AnalyticsEvent, to_message
from consumers.capture.analytics.events import left_out_counts
from consumers.capture.ending.settler import settle
from domain.tenant import Tenant
from projections.queries.session_events import MAX_PAGE, events_of_session
from tests.capture.traffic import (
    ENVIRONMENT,
    EXPECTED,
    ITS_ENVIRONMENT,
    KNOWN_TOKEN,
    NOW,
    Capture,
    click,
    posted,
    recorded_events,
    snapshot,
)

TENANT = Tenant(ENVIRONMENT, uuid4())


def event(name: str = "e", at: int = 0, session_id: str | None = "s-1", **fields: Any) -> AnalyticsEvent:
    moment = (NOW - timedelta(hours=1) + timedelta(milliseconds=at)).isoformat()
    properties = {"distinct_id": "d", "$session_id": session_id, **fields.pop("properties", {})}
    return posted({"event": name, "timestamp": moment, "properties": properties, **fields})


def kept(capture: Capture, session_id: str = "s-1") -> list[str]:
    with capture.pool.connection() as conn:
        return [found.name for found in events_of_session(conn, TENANT, session_id)]


def left_out(capture: Capture) -> dict[str, int]:
    with capture.pool.connection() as conn:
        return left_out_counts(conn)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_events_of_real_sessions(capture: Capture, name: str) -> None:
    messages = recorded_events(name)
    capture.handle_events([*messages, *reversed(messages)])
    capture.handle_events(messages)
    with capture.pool.connection() as conn:
        found = events_of_session(conn, TENANT, EXPECTED[name]["session_id"])
    assert len(found) == len({message.event_id for message in messages})
    assert [one.at for one in found] == sorted(one.at for one in found)
    clicked = [one for one in found if one.name == "$autocapture"]
    assert all(one.elements and one.elements[0]["tag_name"] for one in clicked)
    assert all(one.current_url == one.properties["$current_url"] for one in found)
    assert bool(found) == bool(messages)


def test_pages_of_events_follow_each_other(capture: Capture) -> None:
    capture.say(*(event(f"e{number}", at=number // 2) for number in (3, 0, 4, 1, 2)))
    found: list[str] = []
    after = None
    with capture.pool.connection() as conn:
        while page := events_of_session(conn, TENANT, "s-1", after=after, limit=2):
            assert len(page) <= 2
            found += [one.name for one in page]
            after = page[-1].cursor
        with pytest.raises(ValueError, match="at most"):
            events_of_session(conn, TENANT, "s-1", limit=MAX_PAGE + 1)
    assert sorted(found[:2]) + sorted(found[2:4]) + found[4:] == ["e0", "e1", "e2", "e3", "e4"]


def test_environments_are_kept_apart(capture: Capture) -> None:
    one = event("mine")
    capture.say(one, replace(one, environment_id=2, name="theirs"))
    assert kept(capture) == ["mine"]


def test_a_message_without_environment_belongs_to_its_token(capture: Capture) -> None:
    capture.say(replace(event("e"), environment_id=None, token=KNOWN_TOKEN))
    assert capture.rows("SELECT environment_id FROM capture.analytics_event") == [{"environment_id": ITS_ENVIRONMENT}]


def test_an_event_without_a_session_is_not_stored(capture: Capture) -> None:
    capture.say(event("$identify", session_id=None, properties={"$set": {"plan": "pro"}}))
    assert capture.rows("SELECT * FROM capture.analytics_event") == []
    assert capture.rows("SELECT properties FROM capture.person") == [{"properties": {"plan": "pro"}}]


def test_the_earliest_events_of_a_session_are_kept_in_whatever_order_they_come(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    for numbers in ((5, 1, 4), (2, 3, 9), (0, 5)):
        capture.say(*(event(f"e{number}", at=number) for number in numbers), event("other", session_id="s-2"))
    assert kept(capture) == ["e0", "e1", "e2"]
    assert kept(capture, "s-2") == ["other"]
    assert left_out(capture)["full_session"] == 5


@pytest.mark.rule("trap/21")
def test_an_open_session_waits_for_its_events_and_a_settled_one_stays_settled(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "open"), snapshot([click(1)], "closed"))
    capture.now += timedelta(minutes=30)
    capture.say(event(session_id="open"))
    with capture.pool.connection() as conn:
        assert settle(conn, capture.now + timedelta(minutes=10), 2_100) == 1
    assert capture.session("open")["settle_number"] is None
    capture.now += timedelta(minutes=20)
    capture.say(event("late", session_id="closed"), event(session_id="open"))
    closed = capture.session("closed")
    assert (closed["settle_number"], closed["reopened"]) == (1, 0)
    assert kept(capture, "closed") == ["late"]
    with capture.pool.connection() as conn:
        assert settle(conn, capture.now + timedelta(minutes=20), 2_100) == 1, "a repeat is nothing new"


def broken() -> dict[str, bytes]:
    outer = json.loads(to_message(event()).value)

    def holding(data: Any) -> bytes:
        return json.dumps({**outer, "data": json.dumps(data)}).encode()

    return {
        "junk": b"\x00\xff junk",
        "cut gzip": b"\x1f\x8b\x08",
        "no object": holding([1]),
        "no name": holding({"properties": {"distinct_id": "d"}}),
        "nobody": json.dumps({**outer, "distinct_id": "", "data": '{"event":"e"}'}).encode(),
        "session id": holding({"event": "e", "properties": {"$session_id": "../x"}}),
    }


@pytest.mark.parametrize("kind", broken())
def test_what_is_no_event_is_kept_reported_and_stops_nobody(capture: Capture, kind: str) -> None:
    good = to_message(event("good"))
    capture.handle_events([replace(good, value=broken()[kind]), good])
    (row,) = capture.rows("SELECT topic, blob, reason FROM capture.undecodable")
    assert (row["topic"], capture.blobs.get(row["blob"])) == ("analytics", broken()[kind])
    assert kept(capture) == ["good"]


def test_an_unknown_token_is_no_event(capture: Capture) -> None:
    capture.handle_events([to_message(replace(event(), environment_id=None))])
    assert capture.rows("SELECT code FROM capture.undecodable") == [{"code": "unknown_token"}]


def test_text_that_postgresql_cannot_hold_is_stored_without_it(capture: Capture) -> None:
    bad = "a\0b"
    capture.say(
        event(bad, properties={bad: bad, "$set": {bad: bad}, "distinct_id": bad, "$elements_chain": f'a:text="{bad}"'})
    )
    (row,) = capture.rows("SELECT name, distinct_id, properties, elements FROM capture.analytics_event")
    assert row["name"] == row["distinct_id"] == "a\ufffdb"
    assert row["properties"] == {"a\ufffdb": "a\ufffdb"}
    assert row["elements"] == [{"tag_name": "a", "text": "a\ufffdb"}]
    assert capture.rows("SELECT properties FROM capture.person") == [{"properties": {"a\ufffdb": "a\ufffdb"}}]


def test_events_of_a_deleted_session_are_passed_over_and_those_of_others_counted(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        conn.execute(
            "INSERT INTO capture.deleted_session (environment_id, session_id, deleted_at) VALUES (1, 's-1', now())"
        )
    one = event(session_id="s-2")
    capture.say(event(properties={"$set": {"plan": "pro"}}), one, one)
    capture.say(one)
    assert (kept(capture), kept(capture, "s-2")) == ([], ["e"])
    assert capture.rows("SELECT events FROM capture.day") == [{"events": 1}]
    assert capture.rows("SELECT properties FROM capture.person") == [{"properties": {"plan": "pro"}}]
