"""Whatever is stored as a query, and more: it is read, and its SQL runs; nothing of it becomes SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import TupleRow

from domain.errors import Invalid
from domain.recordings_query import RecordingsQuery, check_query
from domain.tenant import Tenant
from projections.queries.matching import Definitions, condition
from projections.queries.matching.comparing import storable
from projections.queries.matching.facts import FACTS
from tests.matching.worlds import COUNTS, fill

TENANT = Tenant(1, UUID(int=7))
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
NASTY = [
    "'; DROP TABLE capture.session; --", "%s", "%(match_0)s", "{}", "{0}", "\\", "\x00", "\ud800", "\U0010ffff", "*",
    "(", "[", "a{1,9}" * 60, "'\"", "9" * 500, "1e999", "1e9999", "NaN", "Infinity", "-0", "2026-02-30", "9999-12-31",
    "0001-01-01T00:00:00+14:00", "a > b", ".c", "#i[j='k']", "$current_url", "email", "selector", "text", "level",
    "-7d", "9999y",
]  # fmt: skip
texts = st.sampled_from([*NASTY, *FACTS]) | st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(10**320), 10**320) | st.floats() | texts
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=2)
kinds = st.sampled_from(
    ["event", "event_metadata", "person", "element", "session", "cohort", "recording", "log_entry", "group", "feature",
     "flag", "hogql", "nonsense"]
)  # fmt: skip
operators = st.sampled_from(
    ["exact", "is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte", "is_set",
     "is_not_set", "is_date_exact", "is_date_before", "is_date_after", "between", "not_between", "min", "max", "in",
     "not_in", "is_cleaned_path_exact", "flag_evaluates_to", "nonsense"]
)  # fmt: skip
filters = (
    st.fixed_dictionaries({"key": texts, "type": kinds}, optional={"operator": operators, "value": values})
    | st.just({})
    | st.dictionaries(st.sampled_from(["key", "type", "operator", "value"]), values, max_size=4)
)
lists = st.lists(filters, max_size=3)
entities = st.lists(
    st.fixed_dictionaries({}, optional={"id": values, "name": values, "type": texts, "properties": lists | values})
    | st.dictionaries(texts, values, max_size=2),
    max_size=2,
)
junk = st.dictionaries(
    st.sampled_from([*RecordingsQuery.model_fields, "unknown"]), st.one_of(values, lists, entities), max_size=4
)
queries = junk | st.fixed_dictionaries(
    {},
    optional={
        "events": entities, "actions": entities, "properties": lists, "console_log_filters": lists,
        "having_predicates": lists, "operand": st.sampled_from(["AND", "OR"]), "session_ids": st.lists(texts),
        "distinct_ids": st.lists(texts), "person_uuid": texts,
    },
)  # fmt: skip
DEFINITIONS = Definitions([{"type": "person", "key": "email", "operator": "is_set"}], {"5": [{"event": "x"}]})


@pytest.fixture(scope="module")
def filled(connection: psycopg.Connection[TupleRow]) -> psycopg.Connection[TupleRow]:
    """Sessions that hold whatever the queries ask for, so that nothing is left unlooked at."""
    texts = [text for text in [*NASTY, "5", "2026-01-31T00:00:00+14:00"] if storable(text)]
    keys = [*texts, "$current_url", "email"]
    events = [
        {
            "uuid": UUID(int=number), "name": text, "at": number, "distinct_id": "ann", "current_url": text,
            "properties": dict.fromkeys(keys, text),
            "elements": [dict.fromkeys(["tag_name", "text", "href", "attr_id"], text), {"attributes": {text: text}}],
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    odd = [{**events[0], "uuid": UUID(int=999), "elements": value} for value in ([5, None, "x", []],)]
    recorded = {
        "id": "'; --", "first": 0, "last": 60_000, "active": 30_000, **dict.fromkeys(COUNTS, 0),
        "distinct_ids": ["ann"],
        "start_url": "'", "urls": texts, "snapshot_source": "web", "snapshot_library": "%s", "events": [*events, *odd],
        "lines": [{"level": "error", "message": text} for text in texts],
    }  # fmt: skip
    empty = {**recorded, "id": "empty", "events": [], "lines": [], "urls": [], "distinct_ids": [], "start_url": None}
    person = {"id": UUID(int=1), "distinct_ids": ["ann"], "properties": dict.fromkeys(keys, "9" * 500)}
    fill(connection, TENANT.environment_id, {"sessions": [recorded, empty], "persons": [person]}, 1)
    return connection


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queries)
def test_any_object_is_read_and_its_sql_runs(filled: psycopg.Connection[TupleRow], query: dict[str, Any]) -> None:
    made = condition(TENANT, query, DEFINITIONS, NOW)
    assert all(text.encode() and text.isprintable() for text in made.unsupported)
    assert not any(nasty in made.sql for nasty in NASTY if len(nasty) > 10)
    statement = f"SELECT count(*) FROM capture.session s WHERE {made.sql}"
    found = filled.execute(statement.encode(), made.values).fetchone()
    assert found == (0,) if made.unsupported else found is not None


@settings(max_examples=100, deadline=None)
@given(queries)
def test_what_is_stored_can_be_read(query: dict[str, Any]) -> None:
    """Contract 3.3: stored exactly as sent, whatever of it can be answered."""
    try:
        stored = check_query(query)
    except (Invalid, OverflowError):
        return
    condition(TENANT, stored, DEFINITIONS, NOW)
