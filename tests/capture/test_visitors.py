"""Who the visitors are: the same in any order, with any repeats and any batching, and no stranger joins everybody."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.capture.analytics import persons, said
from consumers.capture.analytics.event import AnalyticsEvent
from consumers.capture.analytics.events import left_out_counts
from consumers.capture.analytics.persons import person_of
from consumers.capture.analytics.said import Said, is_address
from consumers.capture.analytics.saying import is_illegal
from domain.tenant import Tenant
from projections.queries.people import MAX_IDS, people, person_of_session
from tests.capture.traffic import ENVIRONMENT, NOW, Capture, click, posted, snapshot

TENANT = Tenant(ENVIRONMENT, uuid4())
START = NOW - timedelta(hours=1)
CROWD = 4
"""Visitors of one person in the property test: few, so that persons become crowds and small again."""


def event(name: str, distinct_id: str, at: Any = 0, **properties: Any) -> AnalyticsEvent:
    moment = (START + timedelta(seconds=at)).isoformat()
    return posted({"event": name, "timestamp": moment, "properties": {"distinct_id": distinct_id, **properties}})


def identify(other: str, distinct_id: str, at: int = 0, **properties: Any) -> AnalyticsEvent:
    return event("$identify", distinct_id, at, **{"$anon_distinct_id": other}, **properties)


def persons_of(capture: Capture) -> set[frozenset[str]]:
    rows = capture.rows("SELECT array_agg(distinct_id) AS ids FROM capture.visitor GROUP BY person_id")
    return {frozenset(row["ids"]) for row in rows}


def properties_of(capture: Capture, distinct_id: str) -> Any:
    with capture.pool.connection() as conn:
        return people(conn, TENANT, [distinct_id])[distinct_id].properties


def tables(capture: Capture) -> dict[str, list[dict[str, Any]]]:
    return {
        "visitor": capture.rows("SELECT * FROM capture.visitor ORDER BY 1, 2"),
        "edge": capture.rows("SELECT * FROM capture.visitor_edge ORDER BY 1, 2, 3, 4"),
        "person": capture.rows("SELECT * FROM capture.person ORDER BY 1, 2"),
    }


def emptied(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        conn.execute("TRUNCATE capture.visitor, capture.visitor_edge, capture.person, capture.analytics_left_out")


ids = st.sampled_from("abcdef")
moments = st.integers(0, 4)
names = st.sampled_from(["email", "plan", "$os"])
values = st.one_of(st.integers(0, 2), st.sampled_from(["x@y.example", "pro", 1.0, None, True]))
told = st.dictionaries(names, values, max_size=2)
sayings = st.one_of(
    st.builds(identify, ids, ids, moments),
    st.builds(lambda who, at, kind, other: event(kind, who, at, alias=other), ids, moments,
              st.sampled_from(["$create_alias", "$create_alias", "$merge_dangerously"]), ids),
    st.builds(lambda who, at, now, once, gone:
              event("$set", who, at, **{"$set": now, "$set_once": once, "$unset": gone}),
              ids, moments, told, told, st.lists(names, max_size=1)),
    st.builds(lambda who, at: event("$pageview", who, at), st.sampled_from(["a", "z", "who@shop.example"]), moments),
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_any_repetition_and_any_batching_give_the_same_tables(capture: Capture, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(persons, "MAX_VISITORS", CROWD)
        events = data.draw(st.lists(sayings, min_size=1, max_size=12))
        repeats = data.draw(st.lists(st.sampled_from(events), max_size=3))
        shuffled = data.draw(st.permutations(events + repeats))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=6)))
        emptied(capture)
        capture.say(*events)
        straight = tables(capture)
        emptied(capture)
        for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
            capture.say(*shuffled[start:end])
        assert tables(capture) == straight
        assert persons_of(capture) == obvious_persons(events)
        assert {row["person_id"] for row in straight["person"]} == {
            person_of(ENVIRONMENT, group) for group in persons_of(capture)
        }


def obvious_persons(events: Sequence[AnalyticsEvent]) -> set[frozenset[str]]:
    """The rule once more, slowly: go through the joins in order of time, and let crowds fall apart at the end."""
    visitors: set[str] = set()
    identified, joined = dict[str, int](), dict[str, tuple[int, str]]()
    edges: set[tuple[str, str]] = set()
    for one in events:
        who, other = str(one.distinct_id), one.saying.other
        if other is not None:
            visitors |= {who, other}
            if one.saying.dangerous:
                edges.add((other, who))
            else:
                identified[who] = min(one.at, identified.get(who, one.at))
                joined[other] = min((one.at, who), joined.get(other, (one.at, who)))
        if one.saying.set or one.saying.once or one.saying.unset or is_address(who):
            visitors.add(who)
    edges |= {(one, who) for one, (at, who) in joined.items() if at <= identified.get(one, at)}
    return {found for group in connected(visitors, edges) for found in grouped(group)}


def grouped(group: frozenset[str]) -> Iterator[frozenset[str]]:
    if len(group) <= CROWD:
        yield group
    else:
        yield from (frozenset({one}) for one in group)


def connected(visitors: set[str], edges: set[tuple[str, str]]) -> set[frozenset[str]]:
    near = defaultdict[str, set[str]](set)
    for one, other in edges:
        near[one].add(other)
        near[other].add(one)
    groups: set[frozenset[str]] = set()
    for visitor in visitors:
        reached, fresh = {visitor}, {visitor}
        while fresh:
            fresh = {each for one in fresh for each in near[one]} - reached
            reached |= fresh
        groups.add(frozenset(reached))
    return groups


stamped = st.tuples(st.integers(0, 3), st.sampled_from(['"a"', "1", "null"]))
letters = st.sampled_from("abcde")
parts = st.builds(
    Said,
    set=st.dictionaries(letters, stamped, max_size=3),
    once=st.dictionaries(letters, stamped, max_size=3),
    unset=st.dictionaries(letters, st.integers(0, 3), max_size=2),
    joined=st.none() | stamped,
    identified=st.none() | st.integers(0, 3),
)


@given(st.lists(parts, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_was_said_merges_in_any_order_within_its_limit(found: list[Said], random: Any) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(said, "MAX_PROPERTIES", 3)
        merged = reduce(Said.merge, found, Said())
        shuffled = [*found, *found]
        random.shuffle(shuffled)
        half = len(shuffled) // 2
        left, right = (reduce(Said.merge, each, Said()) for each in (shuffled[:half], shuffled[half:]))
        assert left.merge(right) == merged
        assert Said.from_state(json.loads(json.dumps(merged.to_state()))) == merged
        assert len({*merged.set, *merged.once, *merged.unset}) <= 3


def test_a_visitor_who_is_identified_is_one_person_from_then_on(capture: Capture) -> None:
    capture.say(identify("anon-1", "user", 1), identify("anon-2", "user", 2), event("e", "stranger"))
    assert persons_of(capture) == {frozenset({"anon-1", "anon-2", "user"})}


def test_who_is_identified_is_not_joined_to_another(capture: Capture) -> None:
    """Two people at one browser, who did not log out: the reference product refuses this too."""
    capture.say(identify("anon", "first", 1))
    capture.say(identify("first", "second", 2), identify("anon", "second", 3))
    assert persons_of(capture) == {frozenset({"anon", "first"}), frozenset({"second"})}
    with capture.pool.connection() as conn:
        assert left_out_counts(conn) == {"refused_join": 2}
    capture.say(event("$merge_dangerously", "second", 4, alias="first"))
    assert persons_of(capture) == {frozenset({"anon", "first", "second"})}


def test_the_time_of_events_decides_not_their_arrival(capture: Capture) -> None:
    capture.say(identify("anon", "second", 5))
    assert persons_of(capture) == {frozenset({"anon", "second"})}
    capture.say(identify("anon", "first", 1))
    assert persons_of(capture) == {frozenset({"anon", "first"}), frozenset({"second"})}


def test_an_alias_joins_as_well(capture: Capture) -> None:
    capture.say(event("$create_alias", "anon", 1, alias="user"), identify("anon-2", "user", 2))
    assert persons_of(capture) == {frozenset({"anon", "anon-2", "user"})}


@pytest.mark.parametrize(
    "illegal", ["undefined", "null", "anonymous", "Guest", "'guest'", '"None"', "0", "NaN", "''", "[object Object]"]
)
def test_ids_that_no_site_can_mean_join_nobody_and_have_no_properties(capture: Capture, illegal: str) -> None:
    capture.say(
        identify(illegal, "user", 1, **{"$set": {"plan": "pro"}}),
        identify("anon", illegal, 2, **{"$set": {"email": "x@y.example"}}),
        event("$merge_dangerously", "user", 3, alias=illegal),
    )
    assert is_illegal(illegal)
    assert persons_of(capture) == {frozenset({"user"})}
    assert properties_of(capture, "user") == {"plan": "pro"}


def test_a_visitor_without_a_profile_says_nothing(capture: Capture) -> None:
    capture.say(identify("anon", "user", 1, **{"$process_person_profile": False, "$set": {"plan": "pro"}}))
    assert persons_of(capture) == set()


def test_a_stranger_cannot_join_everybody(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "MAX_VISITORS", 5)
    capture.say(identify("anon", "user", 1, **{"$set": {"email": "u@shop.example"}}))
    capture.say(*(event("$merge_dangerously", "evil", number, alias=f"v{number}") for number in range(10)))
    assert len(persons_of(capture)) == 12
    capture.say(event("$merge_dangerously", "evil", 20, alias="user"))
    assert len(persons_of(capture)) == 13
    assert properties_of(capture, "user") == {"email": "u@shop.example"}
    assert capture.rows("SELECT email FROM capture.person WHERE email IS NOT NULL") == [{"email": "u@shop.example"}]
    with capture.pool.connection() as conn:
        assert left_out_counts(conn)["crowded_person"] > 10


def test_the_latest_set_holds_and_the_earliest_set_once(capture: Capture) -> None:
    capture.say(
        event("$set", "user", 3, **{"$set": {"plan": "pro"}, "$set_once": {"source": "late", "plan": "no"}}),
        event("$set", "user", 1, **{"$set": {"plan": "free", "old": 1}, "$set_once": {"source": "early"}}),
        event("e", "user", 2, **{"$unset": ["old"]}),
        event("$exception", "user", 9, **{"$set": {"plan": "broken"}}),
    )
    assert properties_of(capture, "user") == {"plan": "pro", "source": "early"}
    capture.say(event("$set", "user", 4, **{"$set": {"old": 2}}))
    assert properties_of(capture, "user")["old"] == 2


def test_a_clock_that_runs_ahead_does_not_have_the_last_word_for_ever(capture: Capture) -> None:
    ahead = replace(
        event("$set", "user", **{"$set": {"plan": "free"}}),
        at=round(datetime(2090, 1, 1, tzinfo=UTC).timestamp() * 1000),
    )
    later = replace(event("$set", "user", **{"$set": {"plan": "pro"}}), received_at=NOW + timedelta(minutes=2))
    capture.say(ahead, replace(later, at=round((NOW + timedelta(minutes=1)).timestamp() * 1000)))
    assert properties_of(capture, "user") == {"plan": "pro"}


@pytest.mark.parametrize(
    ("told", "distinct_id", "email"),
    [
        ({"email": "a@b.example", "$email": "c@d.example"}, "u@v.example", "a@b.example"),
        ({"$email": " c@d.example "}, "user", "c@d.example"),
        ({"email": "no address"}, "u@v.example", "u@v.example"),
        ({"email": 5}, "user", None),
        ({}, "not an@address", None),
    ],
)
def test_the_address_of_a_person(capture: Capture, told: dict[str, Any], distinct_id: str, email: str | None) -> None:
    capture.say(event("$set", distinct_id, **{"$set": {**told, "n": 1}}))
    with capture.pool.connection() as conn:
        assert people(conn, TENANT, [distinct_id])[distinct_id].email == email


def test_the_person_of_a_session(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "s-1", distinct_id="anon"), snapshot([click(1)], "s-2", distinct_id="nobody"))
    capture.say(identify("anon", "user", 1, **{"$set": {"email": "u@shop.example"}}))
    capture.say(event("e", "user", 2, **{"$session_id": "only-events"}))
    with capture.pool.connection() as conn:
        found = [person_of_session(conn, TENANT, name) for name in ("s-1", "only-events", "s-2", "unknown")]
        elsewhere = person_of_session(conn, Tenant(ENVIRONMENT + 1, uuid4()), "s-1")
        with pytest.raises(ValueError, match="at most"):
            people(conn, TENANT, ["x"] * (MAX_IDS + 1))
    assert [None if one is None else one.email for one in found] == ["u@shop.example", "u@shop.example", None, None]
    assert {one.person_id for one in found if one} == {person_of(ENVIRONMENT, ["anon", "user"])}
    assert elsewhere is None


def test_a_visitors_properties_are_bounded_and_the_same_in_any_order(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "MAX_PROPERTIES", 3)
    for name in ("zz", "$os", "bb", "email", "aa", "cc"):
        capture.say(event("$set", "user", **{"$set": {name: name}}))
    assert properties_of(capture, "user") == {"email": "email", "aa": "aa", "bb": "bb"}


def test_persons_of_another_environment_are_others(capture: Capture) -> None:
    one = identify("anon", "user", 1)
    capture.say(one, replace(one, environment_id=2))
    rows = capture.rows("SELECT person_id FROM capture.person")
    assert {row["person_id"] for row in rows} == {person_of(number, ["anon", "user"]) for number in (1, 2)}
    assert all(isinstance(row["person_id"], UUID) for row in rows)


def test_visitors_are_seen_again_and_are_forgotten_with_their_edges(capture: Capture) -> None:
    def seen() -> set[datetime]:
        return {row["seen_at"] for row in capture.rows("SELECT seen_at FROM capture.visitor")}

    one = identify("anon", "user", 1)
    capture.say(one)
    assert seen() == {capture.now}
    first, capture.now = capture.now, capture.now + timedelta(hours=20)
    capture.say(one)
    assert seen() == {first}
    capture.now += timedelta(hours=20)
    capture.say(one)
    assert seen() == {capture.now}
    with capture.pool.connection() as conn:
        conn.execute("DELETE FROM capture.visitor WHERE distinct_id = 'user'")
    assert capture.rows("SELECT * FROM capture.visitor_edge") == []
