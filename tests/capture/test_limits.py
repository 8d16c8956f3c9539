"""What one project token may send (architecture 10), as the consumer counts it."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool

from consumers.capture.analytics.event import AnalyticsEvent, to_message
from consumers.capture.analytics.events import left_out_counts
from consumers.capture.analytics.handler import AnalyticsHandler
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.digest.limits import CaptureLimits
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.messages.snapshot import to_messages
from consumers.capture.posting.allowance import FRESH, Allowance
from consumers.capture.wire.refusals import OverDay
from tests.capture.traffic import ENVIRONMENT, NOW, Capture, click, posted, snapshot


@pytest.fixture
def limited(capture: Capture, pool: ConnectionPool) -> Capture:
    """Two new sessions a day, three batches and 1,000 bytes a session."""
    limits = CaptureLimits(sessions_per_day=2, parts_per_session=3, bytes_per_session=1_000)
    capture.handler = SnapshotHandler(capture.blobs, pool, lambda *_: None, lambda: capture.now, limits)
    capture.analytics = AnalyticsHandler(capture.blobs, lambda *_: None, lambda: capture.now, limits)
    return capture


def days(capture: Capture) -> list[tuple[Any, ...]]:
    rows = capture.rows("SELECT environment_id, day, bytes, sessions, events FROM capture.day ORDER BY 1, 2")
    return [tuple(row.values()) for row in rows]


def passed_over(capture: Capture) -> dict[str, int]:
    with capture.pool.connection() as conn:
        return undecodable_counts(conn)


def known(capture: Capture) -> list[str]:
    return [row["session_id"] for row in capture.rows("SELECT session_id FROM capture.session ORDER BY 1")]


def test_days_are_counted_once_a_batch(capture: Capture) -> None:
    first, again, other = snapshot([click(1)]), snapshot([click(2)]), snapshot([click(3)], "s-2", environment_id=2)
    capture.capture(first, again, other)
    capture.capture(first)
    sizes = [len(to_messages(one)[0].value) for one in (first, again, other)]
    assert days(capture) == [
        (ENVIRONMENT, NOW.date(), sizes[0] + sizes[1], 1, 0),
        (2, NOW.date(), sizes[2], 1, 0),
    ]
    capture.now += timedelta(days=1)
    capture.capture(snapshot([click(9)]))
    assert days(capture)[1][1:] == ((NOW + timedelta(days=1)).date(), sizes[0], 0, 0)


def test_new_sessions_beyond_the_day_are_passed_over_and_known_ones_go_on(limited: Capture) -> None:
    limited.capture(*[snapshot([click(1)], f"s-{number}") for number in range(4)])
    limited.capture(snapshot([click(2)], "s-0"), snapshot([click(1)], "s-9"))
    assert known(limited) == ["s-0", "s-1"]
    assert limited.session("s-0")["event_count"] == 2
    assert passed_over(limited) == {"over_day_sessions": 3}
    assert limited.rows("SELECT * FROM capture.undecodable") == []
    limited.capture(snapshot([click(1)], "s-0", environment_id=2))
    limited.now += timedelta(days=1)
    limited.capture(snapshot([click(1)], "s-9"))
    assert known(limited) == ["s-0", "s-0", "s-1", "s-9"]
    assert [row[3] for row in days(limited)] == [2, 1, 1]


def test_batches_beyond_the_session_are_passed_over(limited: Capture) -> None:
    limited.capture(*[snapshot([click(number)]) for number in range(1, 6)])
    limited.capture(snapshot([click(6)]), snapshot([click(1)]))
    assert limited.session("s-1")["event_count"] == 3
    assert passed_over(limited) == {"over_session_parts": 3}
    limited.capture(snapshot([click(1)], "s-2"))
    assert known(limited) == ["s-1", "s-2"]


def test_bytes_beyond_the_session_are_passed_over_and_smaller_ones_still_fit(limited: Capture) -> None:
    large = {**click(2), "text": "x" * 1_000}
    limited.capture(snapshot([large], "s-2"))
    assert known(limited) == [], "a session that nothing was stored of is none"
    limited.capture(snapshot([click(1)]), snapshot([large]), snapshot([click(3)]))
    assert limited.session("s-1")["event_count"] == 2
    assert passed_over(limited) == {"over_session_bytes": 2}
    assert [row[3] for row in days(limited)] == [1]


def test_what_is_undecodable_beside_it_is_kept_as_ever(limited: Capture) -> None:
    messages = [message for number in range(5) for message in to_messages(snapshot([click(1)], f"s-{number}"))]
    broken = [limited.record(message)._replace(value=b"junk") for message in messages[:1]]
    records = [limited.record(messages[1]), limited.record(messages[2]), limited.record(messages[3])]
    with limited.pool.connection() as conn, conn.transaction():
        limited.handler(conn, [records[0], records[1], records[2], *broken])
        # Over the limit comes to light later than what cannot be decoded, and lies before it.
    assert passed_over(limited) == {"over_day_sessions": 1, "undecodable": 1}
    assert len(limited.rows("SELECT * FROM capture.undecodable")) == 1


def said(name: str, session_id: str | None, distinct_id: str, **properties: Any) -> AnalyticsEvent:
    told = {"distinct_id": distinct_id, "$session_id": session_id, **properties}
    return posted({"event": name, "timestamp": NOW.isoformat(), "properties": told})


def left_out(capture: Capture) -> dict[str, int]:
    with capture.pool.connection() as conn:
        return {reason: number for reason, number in left_out_counts(conn).items() if number}


def told_of(capture: Capture) -> list[str]:
    rows = capture.rows("SELECT DISTINCT session_id FROM capture.analytics_event WHERE environment_id = 1 ORDER BY 1")
    return [row["session_id"] for row in rows]


def test_sessions_that_events_invent_have_the_days_limit_too(limited: Capture) -> None:
    limited.capture(snapshot([click(1)], "s-0"))
    invented = [said("e", f"s-{number}", "d") for number in range(30)]
    for start in (0, 10, 20):
        limited.say(*invented[start : start + 10])
    assert told_of(limited) == ["s-0", "s-1", "s-2"], "one with a recording is not new"
    assert left_out(limited) == {"over_day_sessions": 27}
    limited.say(said("more", "s-1", "d"), replace(said("e", "s-9", "d"), environment_id=2))
    assert len(limited.rows("SELECT * FROM capture.analytics_event")) == 5
    limited.capture(snapshot([click(1)], "s-9"))
    assert known(limited) == ["s-0", "s-9"], "recordings have their own count"
    limited.now += timedelta(days=1)
    limited.say(invented[9])
    assert told_of(limited) == ["s-0", "s-1", "s-2", "s-9"]


def test_visitors_that_events_invent_have_a_days_limit(limited: Capture) -> None:
    limited.say(said("$identify", None, "user", **{"$anon_distinct_id": "anon"}))
    crowd = [said("$set", None, f"v-{number}", **{"$set": {"n": number}}) for number in range(9)]
    limited.say(*crowd[:5], said("$identify", None, "user-2", **{"$anon_distinct_id": "anon-2"}))
    limited.say(*crowd[5:], said("$set", None, "anon", **{"$set": {"plan": "pro"}}))
    rows = limited.rows("SELECT distinct_id, person_id FROM capture.visitor ORDER BY 1")
    assert [row["distinct_id"] for row in rows] == ["anon", "user", "v-0", "v-1"]
    assert len(limited.rows("SELECT * FROM capture.visitor_edge")) == 1
    assert limited.rows('SELECT 1 AS ok FROM capture.person WHERE properties = \'{"plan": "pro"}\'') == [{"ok": 1}]
    assert left_out(limited) == {"over_day_visitors": 8}
    limited.now += timedelta(days=1)
    limited.say(crowd[8])
    assert len(limited.rows("SELECT * FROM capture.visitor")) == 5


def test_events_beyond_the_day_are_passed_over(limited: Capture) -> None:
    many = [said(f"e-{number}", "s-1", "d") for number in range(201)]
    limited.say(*many[:200])
    limited.say(many[200])
    assert len(limited.rows("SELECT * FROM capture.analytics_event")) == 200
    assert left_out(limited) == {"over_day_events": 1}


def test_bytes_of_events_fill_the_day(capture: Capture, allowance: Allowance) -> None:
    one = said("e", "s-1", "d", text="x" * 1_000)
    capture.say(one)
    with pytest.raises(OverDay):
        allowance.check(ENVIRONMENT)
    assert days(capture) == [(ENVIRONMENT, NOW.date(), len(to_message(one).value), 0, 1)]


@pytest.fixture
def allowance(capture: Capture) -> Allowance:
    return Allowance(capture.pool, 1_000, lambda: capture.now)


def test_the_day_is_full_when_the_consumer_has_counted_it(capture: Capture, allowance: Allowance) -> None:
    allowance.check(ENVIRONMENT)
    capture.capture(snapshot([{**click(1), "text": "x" * 1_000}], f"{uuid4()}"))
    allowance.check(ENVIRONMENT)
    capture.now += FRESH
    with pytest.raises(OverDay) as refused:
        allowance.check(ENVIRONMENT)
    assert refused.value.status == 429
    assert capture.now + timedelta(seconds=refused.value.retry_after) == NOW + timedelta(hours=12)  # which is midnight
    allowance.check(2)
    capture.now = (capture.now + timedelta(days=1)).astimezone(UTC).replace(hour=0, minute=0)
    allowance.check(ENVIRONMENT)


def test_what_was_taken_here_counts_before_the_consumer_has_seen_it(capture: Capture, allowance: Allowance) -> None:
    allowance.check(ENVIRONMENT)
    allowance.count(ENVIRONMENT, 999)
    allowance.check(ENVIRONMENT)
    allowance.count(ENVIRONMENT, 1)
    capture.now += FRESH
    with pytest.raises(OverDay):
        allowance.check(ENVIRONMENT)
    allowance.check(2)
