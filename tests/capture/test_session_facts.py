"""Whatever way the batches of sessions come, their facts are those of all events at once (capture 5)."""

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from consumers.capture.digest import active_time
from consumers.capture.digest.active_time import MAX_STRETCHES
from consumers.capture.ending.settler import settle
from consumers.capture.messages.snapshot import to_messages
from consumers.capture.posting.posted import accept
from consumers.capture.wire.encodings import Json, dump
from consumers.transports.port import Outgoing
from tests.capture.plain_facts import plain_facts
from tests.capture.traffic import ENVIRONMENT, NOW, Capture, click, snapshot

MINUTE = 60_000
BASE = 1_795_500_000_000


class Batch(NamedTuple):
    session: str
    window: str
    person: str
    items: list[dict[str, Any]]


def incremental(at: int, source: int, kind: int) -> dict[str, Any]:
    return {"type": 3, "data": {"source": source, "type": kind}, "timestamp": at}


def with_address(at: int, place: str, number: int) -> dict[str, Any]:
    href = {"href": f" http://shop.test/{number} "}
    return {"type": 4, "data": href, "timestamp": at} if place == "meta" else pageview(at, href)


def pageview(at: int, payload: dict[str, str]) -> dict[str, Any]:
    return {"type": 5, "data": {"tag": "$pageview", "payload": payload}, "timestamp": at}


def console(at: int, level: str) -> dict[str, Any]:
    return {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": {"level": level}}, "timestamp": at}


starts = st.one_of(
    st.integers(BASE, BASE + 30_000),  # near each other, so that bursts join across batches
    st.integers(0, 40).map(lambda n: BASE + n * 5_000),  # at the borders of the rule
    st.integers(BASE, BASE + 90 * MINUTE),
)
within = st.one_of(st.integers(0, 3_000), st.sampled_from([0, 5_000, 5_001, 10_000]))
"""Of a batch. Most are short, as the SDK flushes every two seconds: only neighbours tell what theirs are worth."""
levels = st.sampled_from(["log", "info", "warn", "countReset", "error", "assert"])


def items(moments: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(incremental, moments, st.integers(0, 16), st.integers(0, 10)),
        st.builds(with_address, moments, st.sampled_from(["meta", "pageview"]), st.integers(0, 3)),
        st.builds(console, moments, levels),
    )


near = starts.flatmap(lambda start: st.lists(items(within.map(lambda ms: start + ms)), min_size=1, max_size=6))
wide = st.lists(items(starts | st.just(1_000)), min_size=1, max_size=6)
"""Held back for long, or with a broken clock."""
batches = st.lists(
    st.builds(
        Batch,
        st.sampled_from(["s-1", "s-1", "s-2"]),
        st.sampled_from(["w-1", "w-2"]),
        st.sampled_from(["anonymous", "known@shop.test"]),
        st.one_of(near, near, near, wide),
    ),
    min_size=1,
    max_size=10,
)


def by_hand(sent: list[Batch]) -> dict[str, Any]:
    """The facts of one session's batches."""
    lines = [dump([batch.window, item]) + b"\n" for batch in sent for item in batch.items]
    firsts: dict[str, int] = {}
    for batch in sent:
        first = min(item["timestamp"] for item in batch.items)
        firsts[batch.person] = min(first, firsts.get(batch.person, first))
    people = sorted(firsts, key=lambda person: (firsts[person], person))
    return {
        **plain_facts([(batch.window, item) for batch in sent for item in batch.items]),
        "size": sum(map(len, lines)),
        "message_count": len(sent),
        "distinct_ids": people,
        "distinct_id": people[0],
        "snapshot_source": "web",
        "snapshot_library": "web",
    }


def stored(capture: Capture, session_id: str) -> dict[str, Any]:
    row = capture.session(session_id)
    return {**row, "urls": set(row["urls"]), "windows": set(row["windows"])}


def clear(capture: Capture) -> None:
    capture.rows("WITH gone AS (DELETE FROM capture.session RETURNING 1) SELECT * FROM gone")


@pytest.mark.rule("trap/22")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=batches, data=st.data())
def test_any_order_repetition_and_grouping(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, sent: list[Batch], data: st.DataObject
) -> None:
    """Two sessions, two windows and two identities, settled and opened again in between."""
    clear(capture)
    for lookup in ("FEW", "PAGE"):
        monkeypatch.setattr(active_time, lookup, data.draw(st.sampled_from([1, 2, 20])))
    made = [
        snapshot(batch.items, batch.session, f"batch {n}", window_id=batch.window, distinct_id=batch.person)
        for n, batch in enumerate(sent)
    ]
    arriving = data.draw(st.permutations(made + data.draw(st.lists(st.sampled_from(made), max_size=4))))
    cuts = sorted({0, *data.draw(st.lists(st.integers(0, len(arriving)), max_size=5)), len(arriving)})
    for start, end in pairwise(cuts):
        capture.capture(*arriving[start:end])
        if data.draw(st.booleans()):
            settle_all(capture)
    for session_id in {batch.session for batch in sent}:
        expected = by_hand([batch for batch in sent if batch.session == session_id])
        found = stored(capture, session_id)
        assert {name: found[name] for name in expected} == expected


def settle_all(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        settle(conn, capture.now + timedelta(hours=1), 2_100)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=near | wide, after=near | wide)
def test_activity_that_only_the_session_row_knows(capture: Capture, before: list[Any], after: list[Any]) -> None:
    """Sessions of the version before batches kept their own: the row of the session has all of it (schema 0035)."""
    clear(capture)
    capture.capture(snapshot(before, "s", "before"))
    ((part,), (session,)) = (
        capture.rows("SELECT activity FROM capture.part"),
        capture.rows("SELECT state FROM capture.session"),
    )
    state = session["state"] | part["activity"]
    capture.rows("UPDATE capture.session SET state = %s RETURNING 1", Jsonb(state))
    capture.rows("UPDATE capture.part SET activity = NULL RETURNING 1")
    capture.capture(snapshot(after, "s", "after"))
    capture.capture(snapshot(after[:3], "s", "third"))
    expected = plain_facts([("w-1", item) for item in before + after])
    assert capture.session("s")["active_milliseconds"] == expected["active_milliseconds"]


@pytest.mark.parametrize("stretches", [2, MAX_STRETCHES + 5])
def test_a_batch_that_reaches_over_the_whole_session(capture: Capture, stretches: int) -> None:
    """Held back by the browser, or with a broken clock: it joins bursts of batches that lie hours apart."""
    hours = [BASE + n * 60 * MINUTE for n in range(stretches)]
    single = [[click(hour), click(hour + 9_000)] for hour in hours]
    wide = [click(hour + 4_500) for hour in hours]
    for n, batch in enumerate(single):
        capture.capture(snapshot(batch, "s", f"batch {n}"))
    assert capture.session("s")["active_milliseconds"] == 2 * stretches
    capture.capture(snapshot(wide, "s", "wide"))
    assert capture.session("s")["active_milliseconds"] == 9_000 * stretches


def test_many_sessions_of_short_batches_at_the_borders_of_the_rule(capture: Capture) -> None:
    """With half the reach one session in twenty has another figure, by a simulation of this very test."""
    chance = Random(7)
    sent: dict[str, list[dict[str, Any]]] = {f"s-{n}": [] for n in range(60)}
    for n in range(6):
        arriving = []
        for session_id, known in sent.items():
            start = BASE + chance.choice([chance.randrange(30_000), 5_000 * chance.randrange(8)])
            offsets = [chance.choice([0, chance.randrange(3_000), 5_000, 5_001, 10_000]) for _ in range(3)]
            batch = [incremental(start + offset, chance.choice([0, 1]), 0) for offset in offsets]
            arriving.append(snapshot(batch, session_id, f"batch {n}"))
            known.extend(batch)
        capture.capture(*arriving)
    expected = {
        session_id: plain_facts([("w-1", item) for item in known])["active_milliseconds"]
        for session_id, known in sent.items()
    }
    rows = capture.rows("SELECT session_id, active_milliseconds FROM capture.session")
    assert {row["session_id"]: row["active_milliseconds"] for row in rows} == expected


def test_the_row_of_a_session_does_not_grow_with_its_batches(capture: Capture) -> None:
    def size() -> int:
        (row,) = capture.rows("SELECT length(state::text) AS size FROM capture.session")
        return int(row["size"])

    capture.capture(snapshot([click(BASE)], "s", "first"))
    before = size()
    for n in range(10):
        moments = [BASE + n * MINUTE + second * 1_000 for second in range(60)]
        capture.capture(snapshot([{"type": 3, "data": {"source": 0}, "timestamp": at} for at in moments], "s", f"{n}"))
    assert size() == before
    assert capture.session("s")["event_count"] == 601


def body(*snapshots: Json) -> bytes:
    return dump(list(snapshots))


def taken(document: bytes) -> tuple[Outgoing, ...]:
    return accept(document, {}, {}, NOW, lambda _token: ENVIRONMENT).messages


def test_several_sessions_and_windows_in_one_body(capture: Capture) -> None:
    """The reference takes the first one's ids for all; here each event keeps its own (capture 5, step 1)."""

    def event(session: str, window: str, person: str, at: int) -> Json:
        properties: dict[str, Json] = {"$session_id": session, "$window_id": window, "distinct_id": person}
        return {"event": "$snapshot", "properties": {**properties, "token": "phc_any", "$snapshot_data": [click(at)]}}

    capture.handle(
        taken(
            body(
                event("s-1", "w-1", "a", BASE),
                event("s-2", "w-3", "b", BASE + 1),
                event("s-1", "w-2", "c", BASE + 2),
                event("s-1", "w-1", "a", BASE + 3),
            )
        )
    )
    one, two = capture.session("s-1"), capture.session("s-2")
    assert (one["windows"], one["distinct_ids"], one["click_count"]) == (["w-1", "w-2"], ["a", "c"], 3)
    assert (two["windows"], two["distinct_ids"], two["click_count"]) == (["w-3"], ["b"], 1)


def test_a_single_object_as_mobile_sdks_send_it(capture: Capture) -> None:
    properties: dict[str, Json] = {
        "$session_id": "s-1",
        "distinct_id": "a",
        "token": "phc_any",
        "$snapshot_source": "mobile",
        "$lib": "posthog-ios",
        "$snapshot_data": click(BASE),
    }
    capture.handle(taken(dump({"event": "$snapshot", "properties": properties})))
    row = capture.session("s-1")
    assert (row["snapshot_source"], row["snapshot_library"]) == ("mobile", "posthog-ios")
    assert (row["windows"], row["click_count"], row["event_count"]) == (["s-1"], 1, 1)


def test_a_batch_in_pieces_counts_once_and_each_piece_repeats_alone(capture: Capture) -> None:
    """Over 4 MB a batch travels as several messages, each with a uuid of its own that a retry has again."""
    large = [{"type": 3, "data": {"source": 0, "text": "x" * 1_500_000}, "timestamp": BASE + n} for n in range(7)]
    messages = to_messages(snapshot(large, "s", "large"))
    assert len(messages) > 2
    capture.handle([*messages[1:], messages[0]])
    capture.handle([messages[-1], *messages])
    row = capture.session("s")
    assert (row["event_count"], row["message_count"]) == (7, len(messages))
