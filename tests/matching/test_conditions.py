"""Each kind of condition on its own: sessions that it selects and sessions that it does not."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from domain.recordings_query import PropertyFilter
from projections.queries.matching import condition
from projections.queries.matching.facts import FACTS
from tests.matching.shop import (
    ANN,
    CART,
    DEFINITIONS,
    HOME,
    NOW,
    PERSONS,
    SESSIONS,
    TENANT,
    Row,
)
from tests.matching.worlds import OPERATORS, fill

ALL, NONE = {"buyer", "browser", "silent"}, set[str]()
ANSWERED = {*PropertyFilter.model_json_schema()["properties"]["operator"]["anyOf"][0]["enum"]} - {"flag_evaluates_to"}
"""Operators of the contract that are evaluated."""


def one(kind: str, key: str, operator: str | None = None, value: Any = None) -> Row:
    return {"properties": [{"type": kind, "key": key, "operator": operator, "value": value}]}


def entity(name: str | None, *filters: tuple[str, str, str, Any]) -> Row:
    named = [dict(zip(("type", "key", "operator", "value"), each, strict=True)) for each in filters]
    return {"id": name, "name": name, "type": "events", "order": 0, "properties": named}


def having(key: str, operator: str, value: Any) -> Row:
    return {"having_predicates": [{"type": "recording", "key": key, "operator": operator, "value": value}]}


def line(key: str, operator: str, value: Any) -> Row:
    return {"type": "log_entry", "key": key, "operator": operator, "value": value}


CASES: list[tuple[Row, set[str]]] = [
    ({}, ALL),
    ({"kind": "RecordingsQuery", "events": [], "properties": [{}], "actions": None, "limit": 1}, ALL),
    # events
    ({"events": [entity("bought")]}, {"buyer", "browser"}),
    ({"events": [entity("nothing of the kind")]}, NONE),
    ({"events": [entity(None)]}, {"buyer", "browser"}),
    ({"events": [{"name": "bought"}]}, {"buyer", "browser"}),
    ({"events": [entity("$autocapture"), entity("bought")]}, {"buyer"}),
    ({"events": [entity("$autocapture"), entity("bought")], "operand": "OR"}, {"buyer", "browser"}),
    ({"events": [entity("bought", ("event", "plan", "exact", ["pro", "max"]))]}, {"buyer"}),
    ({"events": [entity("bought", ("event", "plan", "exact", "pro"), ("event", "amount", "gt", 200))]}, NONE),
    ({"events": [entity("bought", ("event", "plan", "is_not", "pro"))]}, {"browser"}),
    ({"events": [entity("bought", ("event", "$current_url", "not_icontains", "shop"))]}, {"buyer", "browser"}),
    ({"events": [entity("bought", ("person", "age", "gte", 40))]}, {"buyer"}),
    ({"events": [entity("bought", ("session", "$pageview_count", "exact", 1))]}, {"browser"}),
    ({"events": [entity("$autocapture", ("element", "tag_name", "exact", "A"))]}, {"buyer"}),
    ({"events": [entity("bought", ("element", "tag_name", "exact", "a"))]}, NONE),
    # actions
    ({"actions": [{"id": 3, "type": "actions"}]}, {"buyer"}),
    ({"actions": [{"id": "4"}]}, {"buyer"}),
    ({"actions": [{"id": 5}]}, {"buyer"}),
    ({"actions": [{"id": 6}]}, {"browser"}),
    ({"actions": [{"id": 6, "properties": entity("", ("event", "plan", "exact", "pro"))["properties"]}]}, NONE),
    ({"events": [{"id": 4, "type": "actions"}]}, {"buyer"}),
    # event properties and every operator
    (one("event", "plan", None, "pro"), {"buyer"}),
    (one("event", "plan", "is_not", "pro"), {"browser", "silent"}),
    (one("event", "plan", "in", ["pro"]), {"buyer"}),
    (one("event", "plan", "not_in", ["pro", "free"]), {"silent"}),
    (one("event", "plan", "icontains", "RO"), {"buyer"}),
    (one("event", "plan", "not_icontains", "RO"), {"browser", "silent"}),
    (one("event", "plan", "icontains", "%"), NONE),
    (one("event", "plan", "regex", "^p.o$"), {"buyer"}),
    (one("event", "plan", "not_regex", "^p.o$"), {"browser", "silent"}),
    (one("event", "plan", "is_set"), {"buyer", "browser"}),
    (one("event", "plan", "is_not_set"), {"silent"}),
    (one("event", "amount", "exact", 120), {"buyer"}),
    (one("event", "amount", "exact", "120"), {"buyer"}),
    (one("event", "gift", "exact", ["true"]), {"buyer"}),
    (one("event", "gift", "exact", True), {"buyer"}),
    # numbers are sent with more digits than they need, or in powers of ten
    *((one("event", "weight", "exact", value), {"buyer"}) for value in (20, 20.0, "20", "20.0", [1, "2e1"])),
    (one("event", "weight", "is_not", 20), {"browser", "silent"}),
    (one("event", "weight", "exact", "twenty"), NONE),
    (one("event", "weight", "regex", "^20$"), {"buyer"}),
    (one("event", "weight", "icontains", "20.0"), NONE),
    *((one("event", "far", operator, 1e20), {"buyer"}) for operator in ("exact", "icontains", "gte")),
    *((one("event", "near", operator, 1e-7), {"buyer"}) for operator in ("exact", "icontains", "lte")),
    (one("event", "zero", "exact", -0.0), {"buyer"}),
    (one("person", "age", "exact", 40), {"buyer"}),
    (one("person", "age", "exact", "7"), {"browser"}),
    # lists: each element is a value
    (one("event", "tags", "exact", "Wool"), {"buyer"}),
    (one("event", "tags", "is_not", "Wool"), {"browser", "silent"}),
    (one("event", "tags", "exact", 7), {"buyer"}),
    (one("event", "tags", "gt", 6), {"buyer"}),
    (one("event", "tags", "regex", "^Wool$"), {"buyer"}),
    (one("event", "tags", "icontains", "wool"), {"buyer"}),
    (one("event", "tags", "not_icontains", ","), ALL),
    (one("event", "tags", "exact", '["a"]'), {"buyer"}),
    (one("event", "tags", "exact", "null"), NONE),
    (one("event", "empty", "is_set"), {"buyer"}),
    (one("event", "empty", "is_not", "x"), ALL),
    (one("person", "teams", "exact", "blue"), {"buyer"}),
    (one("event", "amount", "gt", "9.4"), {"buyer", "browser"}),
    (one("event", "amount", "gte", 9.5), {"buyer", "browser"}),
    (one("event", "amount", "lt", 10), {"browser"}),
    (one("event", "amount", "lte", 9.5), {"browser"}),
    (one("event", "amount", "min", 120), {"buyer"}),
    (one("event", "amount", "max", 119), {"browser"}),
    (one("event", "amount", "between", [9.5, 100]), {"browser"}),
    (one("event", "amount", "not_between", [9.5, 100]), {"buyer", "silent"}),
    (one("event", "plan", "gt", 0), NONE),
    (one("event", "at", "is_date_exact", "2026-11-05"), {"buyer"}),
    (one("event", "at", "is_date_before", "2026-11-01"), {"browser"}),
    (one("event", "at", "is_date_after", "2026-10-31"), {"buyer"}),
    (one("event", "at", "is_date_after", "2026-10-30T23:59:59"), {"buyer", "browser"}),
    # so long before now
    (one("event", "at", "is_date_after", "-7d"), {"buyer"}),
    (one("event", "at", "is_date_after", "123h"), {"buyer"}),
    (one("event", "at", "is_date_after", "122h"), NONE),
    (one("event", "at", "is_date_before", "-1w"), {"browser"}),
    (one("event", "at", "is_date_exact", "-5d"), {"buyer"}),
    (one("event", "at", "is_date_after", "-1m"), {"buyer", "browser"}),
    (one("event", "at", "is_date_after", "-9999y"), {"buyer", "browser"}),
    (one("event", "at", "is_date_before", "-9999y"), NONE),
    (one("session", "$start_timestamp", "is_date_after", "-1y"), ALL),
    (one("event", "$current_url", "is_cleaned_path_exact", "https://shop.example/cart"), {"buyer"}),
    (one("event", "$lib", "exact", "posthog-ios"), {"silent"}),
    ({"events": [entity("bought", ("event", "$lib", "exact", "js"))]}, {"buyer"}),
    (one("event", "it's %s {}", "is_not_set"), ALL),
    # properties that every event has, and that are kept as its columns
    (one("event", "distinct_id", "exact", "ann"), {"buyer"}),
    (one("event", "$session_id", "is_not", "buyer"), {"browser", "silent"}),
    (one("event", "$window_id", "is_set"), {"browser"}),
    (one("event", "$group_type", "is_set"), NONE),
    ({"events": [entity("bought", ("event", "$window_id", "exact", "w"))]}, {"browser"}),
    (one("feature", "new", "exact", "b"), {"buyer"}),
    (one("feature", "$feature/new", "is_not_set"), {"browser", "silent"}),
    (one("event_metadata", "event", "exact", "$autocapture"), {"buyer"}),
    (one("event_metadata", "distinct_id", "is_set"), {"buyer", "browser"}),
    (one("event_metadata", "timestamp", "is_date_after", "2026-01-01"), {"buyer", "browser"}),
    (one("event_metadata", "timestamp", "is_date_after", "2026-09-21T14:13:20.003Z"), {"buyer"}),
    # elements
    (one("element", "text", "icontains", "buy"), {"buyer"}),
    (one("element", "tag_name", "is_not", "button"), {"browser", "silent"}),
    (one("element", "href", "exact", "/checkout"), {"buyer"}),
    (one("element", "selector", "exact", "a > #buy.cta[data-x='42'] span"), {"buyer"}),
    (one("element", "selector", "exact", "#buy > a"), NONE),
    (one("element", "selector", "exact", "a:nth-child(2):nth-of-type(1)[title=Go] > button"), {"buyer"}),
    (one("element", "selector", "exact", "a:nth-child(3)"), NONE),
    (one("element", "selector", "is_not", ".cta"), {"browser", "silent"}),
    # persons
    (one("person", "email", "exact", "ann@acme.example"), {"buyer"}),
    (one("person", "email", "exact", "bob@home.example"), {"browser"}),
    (one("person", "email", "not_icontains", "acme"), {"browser", "silent"}),
    (one("person", "age", "lt", 10), {"browser"}),
    (one("person", "age", "is_not_set"), {"silent"}),
    ({"filter_test_accounts": True}, {"browser", "silent"}),
    ({"filter_test_accounts": True, "events": [entity("bought")], "operand": "OR"}, {"browser"}),
    ({"filter_test_accounts": False}, ALL),
    ({"person_uuid": str(ANN)}, {"buyer"}),
    ({"person_uuid": str(ANN), "distinct_ids": ["bob"]}, {"browser"}),
    ({"person_uuid": ""}, ALL),
    ({"distinct_ids": ["anonymous", "nobody"]}, {"browser"}),
    ({"distinct_ids": []}, NONE),
    ({"session_ids": ["silent", "unknown"]}, {"silent"}),
    ({"session_ids": []}, NONE),
    # the session and its recording
    (one("session", "$session_duration", "gt", 60), {"browser"}),
    (one("session", "$entry_current_url", "icontains", "utm=1"), {"buyer", "browser"}),
    (one("session", "$entry_current_url", "is_not_set"), {"silent"}),
    (one("session", "$entry_utm_source", "exact", "mail"), {"buyer"}),
    (one("session", "$exit_current_url", "exact", CART), {"buyer"}),
    (one("session", "$end_current_url", "exact", HOME), {"browser"}),
    (one("session", "$end_pathname", "exact", "/cart/"), {"buyer"}),
    (one("session", "$entry_hostname", "exact", "shop.example"), {"buyer", "browser"}),
    (one("session", "$pageview_count", "gte", 2), {"buyer"}),
    (one("session", "$autocapture_count", "exact", 0), {"browser", "silent"}),
    (one("session", "$start_timestamp", "is_date_before", "2026-01-01"), NONE),
    (one("session", "$start_timestamp", "is_date_exact", "2026-09-21"), ALL),
    (one("session", "$start_timestamp", "is_date_before", "2026-09-21T14:13:25Z"), {"buyer", "browser"}),
    (one("session", "$end_timestamp", "is_date_after", "2026-09-21T14:14:00Z"), {"buyer", "browser"}),
    (one("session", "$entry_pathname", "exact", "/"), {"buyer", "browser"}),
    (one("session", "$exit_pathname", "exact", "/cart/"), {"buyer"}),
    (one("session", "$exit_hostname", "is_not", "shop.example"), {"silent"}),
    (one("session", "$end_hostname", "icontains", "SHOP."), {"buyer", "browser"}),
    (one("session", "$screen_count", "exact", "1.0"), {"browser"}),
    (one("session", "$entry_referring_domain", "exact", "search.example"), {"buyer"}),
    (one("session", "$entry_utm_medium", "is_not", "news"), {"browser", "silent"}),
    (one("session", "$entry_utm_campaign", "regex", "^aut"), {"buyer"}),
    (one("session", "$entry_utm_term", "is_set"), {"buyer"}),
    (one("session", "$entry_utm_content", "is_not_set"), {"browser", "silent"}),
    (one("recording", "start_time", "is_date_before", "2026-09-21T14:13:20Z"), NONE),
    (one("recording", "start_time", "is_date_after", "2026-09-21T14:13:20Z"), {"silent"}),
    (one("recording", "end_time", "is_date_before", "2026-09-21T14:14:00Z"), {"silent"}),
    (one("recording", "distinct_id", "exact", "anonymous"), {"browser"}),
    (having("recording_duration", "exact", 600), {"browser"}),
    (having("event_count", "gte", 12), {"buyer"}),
    (having("size", "between", [2_048, 2_048]), {"buyer"}),
    (one("recording", "visited_page", "icontains", "/cart"), {"buyer"}),
    (one("recording", "visited_page", "not_icontains", "/cart"), {"browser", "silent"}),
    (one("recording", "snapshot_source", "exact", ["mobile"]), {"silent"}),
    (one("recording", "snapshot_library", "is_not", "web"), {"silent"}),
    (one("recording", "start_url", "is_set"), {"buyer", "browser"}),
    (having("duration", "between", [60, 600]), {"buyer", "browser"}),
    (having("duration", "lt", "60.0"), {"silent"}),
    (having("active_seconds", "lte", 5), {"silent"}),
    (having("inactive_seconds", "exact", "570.00"), {"browser"}),
    (having("click_count", "gte", 4), {"buyer"}),
    (having("keypress_count", "gt", 1), {"buyer"}),
    (having("mouse_activity_count", "gt", 6), {"browser"}),
    (having("console_error_count", "gt", 0), {"buyer"}),
    (having("console_warn_count", "exact", 1), {"browser"}),
    (having("console_log_count", "is_not", 0), {"buyer"}),
    (having("activity_score", "lt", 10), {"browser"}),
    ({**having("duration", "gt", 100), "events": [entity("bought")], "operand": "OR"}, {"browser"}),
    # the console
    ({"console_log_filters": [line("level", "exact", ["error", "warn"])]}, {"buyer", "browser"}),
    ({"console_log_filters": [line("message", "icontains", "failed: SLOW")]}, {"browser"}),
    ({"console_log_filters": [line("level", "exact", "error"), line("message", "icontains", "cart")]}, NONE),
    ({"console_log_filters": [line("level", "exact", "error"), line("message", "icontains", "500")]}, {"buyer"}),
    ({"console_log_filters": [line("level", "is_not", "error")]}, {"browser", "silent"}),
    ({"console_log_filters": [line("level", "exact", "error"), line("message", "icontains", "slow")], "operand": "OR"},
     {"buyer", "browser"}),
    ({"properties": [line("message", "regex", "^Failed: [0-9]+$")]}, {"buyer"}),
    # AND and OR
    ({**one("event", "plan", "exact", "pro"), "events": [entity("$autocapture")]}, {"buyer"}),
    ({**one("recording", "snapshot_source", "exact", "mobile"), "events": [entity("$autocapture")], "operand": "OR"},
     {"buyer", "silent"}),
    ({**one("event", "plan", "is_not", "pro"), "events": [entity("$autocapture")], "operand": "OR"}, ALL),
    # values that cannot be stored equal nothing
    (one("event", "plan", "exact", ["nul\x00", "\ud800"]), NONE),
    (one("event", "plan", "is_not", "nul\x00"), ALL),
    (one("event", "plan", "regex", "\ud800"), NONE),
    (one("event", "nul\x00", "is_set"), NONE),
    (one("person", "\udfff", "is_not_set"), ALL),
    ({"session_ids": ["\x00", "silent"], "distinct_ids": None}, {"silent"}),
    ({"events": [entity("nul\x00")]}, NONE),
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(connection: psycopg.Connection[TupleRow]) -> psycopg.Connection[TupleRow]:
    """The sessions, and sessions of the same names with everything in another environment."""
    fill(connection, TENANT.environment_id, {"sessions": SESSIONS, "persons": PERSONS}, 1)
    everything = [{**SESSIONS[0], "id": name} for name in ("buyer", "browser", "silent", "foreign")]
    fill(connection, 2, {"sessions": everything, "persons": PERSONS}, 10)
    return connection


def selected(connection: psycopg.Connection[TupleRow], query: Row) -> set[str]:
    made = condition(TENANT, query, DEFINITIONS, NOW)
    assert made.unsupported == []
    statement = f"SELECT s.session_id FROM capture.session s WHERE {made.sql}"
    return {row[0] for row in connection.execute(statement.encode(), made.values)}


def test_every_condition_has_a_case_that_tells_sessions_apart() -> None:
    """One that all sessions pass, or none, would go unnoticed when it read something else."""
    telling = [query for query, expected in CASES if expected not in (ALL, NONE)]
    filters = [
        each
        for query in telling
        for name in ("properties", "having_predicates", "console_log_filters")
        for each in query.get(name, [])
    ]
    keys = {(each["type"], each["key"]) for each in filters}
    assert {key for kind, key in keys if kind in ("recording", "session")} == FACTS.keys()
    assert {key for kind, key in keys if kind == "event_metadata"} == {"event", "distinct_id", "timestamp"}
    assert {key for kind, key in keys if kind == "element"} == {"tag_name", "text", "href", "selector"}
    assert {key for kind, key in keys if kind == "log_entry"} == {"level", "message"}
    assert {"event", "feature", "person"} <= {kind for kind, _ in keys}
    assert {each["operator"] for each in filters} >= ANSWERED == OPERATORS.keys(), "also in random queries"
    assert {name for query in telling for name in query} >= {
        "events", "actions", "properties", "console_log_filters", "having_predicates", "filter_test_accounts",
        "operand", "session_ids", "distinct_ids", "person_uuid",
    }  # fmt: skip


@pytest.mark.rule("3.3/evaluated", "trap/43")
@pytest.mark.parametrize(("query", "expected"), CASES, ids=[ascii(query)[:90] for query, _ in CASES])
def test_a_condition_selects_what_it_says(filled: Any, query: Row, expected: set[str]) -> None:
    assert selected(filled, query) == expected


UNSUPPORTED: list[tuple[Row, list[str] | None]] = [
    (one("cohort", "id", "in", 12), ["properties: cohort 12"]),
    (one("group", "name", "exact", "Acme"), ["properties: group name"]),
    (one("hogql", "1 = 1"), ["properties: hogql 1 = 1"]),
    (one("flag", "beta", "flag_evaluates_to", True), ["properties: flag beta"]),
    (one("data_warehouse", "table.column", "exact", 1), ["properties: data_warehouse table.column"]),
    (one("recording", "comment_text", "icontains", "x"), ["properties: recording comment_text"]),
    (one("session", "$channel_type", "exact", "Direct"), ["properties: session $channel_type"]),
    (one("log_entry", "source", "exact", "x"), ["properties: log_entry source"]),
    (one("element", "nth_child", "exact", "x"), ["properties: element nth_child"]),
    (one("element", "selector", "exact", "a:hover"),
     ["properties: element selector (a selector with more than tags, ids, classes and attributes)"]),
    *((one("event", key, "is_not", "x"), [f"properties: event {key} (a property that is not kept)"])
      for key in ("token", "$elements_chain", "$set", "$sdk_debug_retry_queue_size")),
    *((one(kind, key, "is_not", "x"), [f"properties: {kind} {key} (a property that no SDK sends)"])
      for kind, key in (("event", "$geoip_country_code"), ("person", "$geoip_country_code"),
                        ("person", "$virt_mrr"), ("event", "$group_0"))),
    ({"events": [entity("bought", ("event", "token", "is_set", None))]},
     ["events: bought (event token: a property that is not kept)"]),
    (one("event", "plan", "exact", []), ["properties: event plan (no value)"]),
    (one("event", "plan", "flag_evaluates_to", "x"), ["properties: event plan (operator flag_evaluates_to)"]),
    (one("event", "plan", "gt", "many"), ["properties: event plan (not a number)"]),
    (one("event", "plan", "between", [1]), ["properties: event plan (between needs two numbers)"]),
    (one("event", "plan", "is_date_after", "-7x"), ["properties: event plan (not a date)"]),
    (one("event", "plan", "is_date_after", "-7dStart"), ["properties: event plan (not a date)"]),
    (one("event", "plan", "is_date_exact", "2026-02-31"), ["properties: event plan (not a date)"]),
    (one("event", "plan", "exact", float("inf")), ["properties: event plan (its value)"]),
    (one("event", "plan", "exact", {"a": 1}), ["properties: event plan (its value)"]),
    (one("event", "plan", "regex", r"(a)\1"), ["properties: event plan (a back-reference)"]),
    (one("session", "$start_timestamp", "gt", 5),
     ["properties: session $start_timestamp (a time needs is_date_exact, is_date_before or is_date_after)"]),
    (having("nothing", "gt", 1), ["having_predicates: recording nothing"]),
    ({"comment_text": {"key": "comment_text", "type": "recording", "value": "x"}}, ["comment_text"]),
    ({"actions": [{"id": 99, "name": "Old"}]}, ["actions: Old (no definition)"]),
    ({"actions": [{"id": 7}]}, ["actions: 7 (a back-reference)"]),
    ({"events": [entity("bought", ("cohort", "id", "in", 5))]}, ["events: bought (cohort id)"]),
    ({"events": [{"id": 5}]}, ["events: 5 (its name)"]),
    ({"events": [{"id": "x", "type": "data_warehouse"}]}, ["events: x (data_warehouse)"]),
    ({"events": [entity("a")] * 201}, ["more than 200 conditions"]),
    ({"person_uuid": "ann"}, ["person_uuid (no UUID)"]),
    ({"events": "text", "unknown": 1, "session_ids": "x"}, ["session_ids", "events", "unknown"]),
    (one("event", "\ud800\x00" + "k" * 200, "regex", "("), None),
]  # fmt: skip


@pytest.mark.rule("3.3/evaluated")
@pytest.mark.parametrize(("query", "named"), UNSUPPORTED, ids=[ascii(query)[:90] for query, _ in UNSUPPORTED])
def test_what_cannot_be_answered_is_named_and_selects_nothing(filled: Any, query: Row, named: list[str] | None) -> None:
    made = condition(TENANT, {**query, "operand": "OR"}, DEFINITIONS, NOW)
    assert named is None or made.unsupported == named
    assert made.unsupported
    assert all(len(text) < 200 and text.encode() and text.isprintable() for text in made.unsupported)
    statement = f"SELECT count(*) FROM capture.session s WHERE {made.sql}"
    assert filled.execute(statement.encode(), made.values).fetchone() == (0,)
