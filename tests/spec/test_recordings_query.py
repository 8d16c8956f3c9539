"""The recording filter: every key of contract 3.3, what is refused, and that the rest is stored exactly as sent."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.recordings_query import QUERY_SIZE, check_query
from tests.spec.given import refused

FILTER: dict[str, Any] = {"key": "$browser", "type": "event", "operator": "exact", "value": ["Chrome"], "label": None}
LOG: dict[str, Any] = {"key": "level", "type": "log_entry", "operator": "exact", "value": ["error"]}
ENTITY: dict[str, Any] = {"id": "checkout", "name": "checkout", "type": "events", "order": 0, "properties": [FILTER]}
TEXTS: list[Any] = ["", "text"]
WHOLES: list[Any] = [0, 5]
OBJECTS: list[Any] = [{}, {"any": ["thing", 1, None, True]}]
ORDERS: list[Any] = [
    "duration", "recording_duration", "inactive_seconds", "active_seconds", "start_time", "console_error_count",
    "click_count", "keypress_count", "mouse_activity_count", "activity_score", "recording_ttl",
]  # fmt: skip

GOOD: dict[str, list[Any]] = {
    "kind": ["RecordingsQuery"],
    "date_from": [None, "-3d"],
    "date_to": [None, "2026-11-01"],
    "events": [None, [], [ENTITY], [{}]],
    "actions": [None, [], [{**ENTITY, "type": "actions", "id": 3}]],
    "properties": [None, [], [FILTER], [{}, FILTER]],
    "console_log_filters": [None, [], [LOG], [{**LOG, "key": "message", "value": "boom"}]],
    "having_predicates": [None, [], [{"key": "duration", "type": "recording", "operator": "gt", "value": 60}]],
    "comment_text": [None, {}, {"key": "comment_text", "type": "recording", "operator": "icontains", "value": "bug"}],
    "filter_test_accounts": [None, True, False],
    "operand": [None, "AND", "OR"],
    "session_ids": [None, [], ["s-1", "s-2"]],
    "distinct_ids": [None, [], ["d-1"]],
    "person_uuid": [None, *TEXTS],
    "order": [None, *ORDERS],
    "order_direction": [None, "ASC", "DESC"],
    "limit": [None, *WHOLES],
    "offset": [None, *WHOLES],
    "after": [None, *TEXTS],
    "user_modified_filters": [None, *OBJECTS],
    "modifiers": [None, *OBJECTS],
    "response": [None, *OBJECTS],
    "tags": [None, *OBJECTS],
    "version": [None, 1, 1.5],
}
BAD: dict[str, list[Any]] = {
    "kind": [None, "recordingsquery", "EventsQuery", 1],
    "date_from": [3, True, {}],
    "date_to": [3, [], {}],
    "events": ["a", {}, ["a"], [None]],
    "actions": ["a", {}, [1]],
    "properties": ["a", {}, [None], ["a"], [{"key": "a"}], [{"type": "event"}], [{**FILTER, "type": "nothing"}]],
    "console_log_filters": [[FILTER], [{}], "a"],
    "having_predicates": ["a", [1]],
    "comment_text": ["a", [], {"key": 5, "type": "recording"}],
    "filter_test_accounts": ["true", 1, 0],
    "operand": ["and", "XOR", 1],
    "session_ids": ["s-1", [1], [None]],
    "distinct_ids": ["d-1", [1]],
    "person_uuid": [1, [], {}],
    "order": ["random", 1],
    "order_direction": ["asc", 1],
    "limit": ["5", 1.5, True],
    "offset": ["5", 1.5],
    "after": [1, {}],
    "user_modified_filters": ["a", [], 1],
    "modifiers": [[], "a"],
    "response": [[], 1],
    "tags": [[], "a"],
    "version": ["1", True, []],
}
TYPES = [
    "event", "person", "element", "session", "cohort", "recording", "log_entry", "group", "feature", "flag", "hogql",
    "data_warehouse",
]  # fmt: skip
OPERATORS = [
    "exact", "is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte", "is_set",
    "is_not_set", "is_date_exact", "is_date_before", "is_date_after", "between", "not_between", "min", "max", "in",
    "not_in", "is_cleaned_path_exact", "flag_evaluates_to",
]  # fmt: skip


def refuse(query: object) -> None:
    refused(
        lambda: check_query(query),
        Invalid,
        field="query",
        code="invalid_input",
        message="The recording filter is invalid.",
    )


@pytest.mark.rule(
    "3.3/as-sent",
    "3.3/dates-stripped",
    "3.3/kind",
    "3.3/events",
    "3.3/properties",
    "3.3/console-log-filters",
    "3.3/comment-text",
    "3.3/filter-test-accounts",
    "3.3/operand",
    "3.3/ids",
    "3.3/person-uuid",
    "3.3/order",
    "3.3/limit-offset-after",
    "3.3/bookkeeping",
)
@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in GOOD.items() for value in values])
def test_every_key_of_the_contract_is_stored_exactly_as_sent(key: str, value: object) -> None:
    sent = {"filter_test_accounts": True, key: value}
    kept = copy.deepcopy(sent)
    stored = check_query(sent)
    assert repr(stored) == repr({name: kept[name] for name in kept if name not in ("date_from", "date_to")})
    assert sent == kept


@pytest.mark.rule(
    "3.3/failure",
    "3.3/dates-checked",
    "3.3/kind",
    "3.3/events",
    "3.3/properties",
    "3.3/console-log-filters",
    "3.3/comment-text",
    "3.3/filter-test-accounts",
    "3.3/operand",
    "3.3/ids",
    "3.3/person-uuid",
    "3.3/order",
    "3.3/limit-offset-after",
    "3.3/bookkeeping",
    "3.3/filter-shape",
)
@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_a_wrong_value_is_refused_with_one_fixed_sentence(key: str, value: object) -> None:
    refuse({key: value})


def test_the_tables_above_cover_the_same_keys() -> None:
    assert GOOD.keys() == BAD.keys()


@pytest.mark.rule("3.3/unknown-keys")
@pytest.mark.parametrize("key", ["unknown", "Kind", "date", "select", ""])
def test_unknown_keys_are_refused(key: str) -> None:
    refuse({key: None})


@pytest.mark.parametrize("query", [None, [], "{}", 1, True, [{}]])
def test_a_query_is_an_object(query: object) -> None:
    refuse(query)


@pytest.mark.rule("3.3/filter-types", "3.3/filter-operators")
@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("operator", [*OPERATORS, None])
def test_every_type_and_operator_of_a_property_filter(type_: str, operator: str | None) -> None:
    query = {"properties": [{"key": "k", "type": type_, "operator": operator, "value": 1}]}
    assert check_query(query) == query


@pytest.mark.rule("3.3/filter-shape")
@pytest.mark.parametrize("value", ["a", 1, 1.5, True, None, ["a", 1, None], [], {"a": 1}])
def test_values_of_filters_are_any_json(value: object) -> None:
    query = {"properties": [{**FILTER, "value": value, "group_type_index": 0, "id": 5}]}
    assert repr(check_query(query)) == repr(query)


@pytest.mark.rule("3.3/filter-operators")
def test_a_wrong_operator_is_refused() -> None:
    refuse({"properties": [{**FILTER, "operator": "like"}]})


def test_an_oversized_or_bottomless_query_is_refused() -> None:
    refuse({"person_uuid": "x" * QUERY_SIZE})
    refuse({"session_ids": ["s"] * 10_001})
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    refuse({"tags": deep})


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(max_size=6), JSON, max_size=4))
def test_whatever_is_sent_is_refused_properly_or_stored_as_sent(query: dict[str, Any]) -> None:
    try:
        stored = check_query(query)
    except Invalid:
        refuse(query)
    else:
        assert stored == {key: value for key, value in query.items() if key not in ("date_from", "date_to")}
        assert check_query(stored) == stored
