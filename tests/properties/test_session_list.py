"""The list of sessions equals a plain filter and sort over the facts, for any sessions, filters, orders and pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

from domain.session_facts import SessionFacts
from domain.tenant import Tenant
from projections.queries.matching import NONE, condition
from projections.queries.session_list import ORDERS, SessionFilters, page
from projections.queries.sessions import sessions_facts

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENVIRONMENTS = count(1000)
RETENTION = timedelta(days=30)

COUNTS = ("click_count", "keypress_count", "mouse_activity_count", "console_log_count", "console_warn_count",
          "console_error_count", "active_milliseconds")  # fmt: skip
# Few values, so that there are ties.
few = st.sampled_from([0, 1, 2, 999, 1_000, 1_001, 12_345])
ago = st.sampled_from([0, 299, 300, 301, 86_400, 29 * 86_400, 30 * 86_400, 30 * 86_400 + 1])
visitors = st.sampled_from(["one", "two", "ONE"])
made = st.fixed_dictionaries(
    {
        **dict.fromkeys(COUNTS, few),
        "began": ago,
        "length": few,
        "received": ago,
        "who": st.sets(visitors),
        "settled": st.booleans(),
        "deleted": st.booleans(),
    }
)
ids = st.sampled_from(["a", "B", "b", "a-1", "Z", "_"])
instants = ago.map(lambda seconds: NOW - timedelta(seconds=seconds))
filters = st.builds(
    SessionFilters,
    started_from=st.none() | instants,
    started_before=st.none() | instants,
    ongoing=st.none() | st.booleans(),
    settled=st.none() | st.booleans(),
)
queries = st.fixed_dictionaries(
    {},
    optional={"session_ids": st.lists(ids, max_size=3), "distinct_ids": st.lists(visitors, max_size=2)},
)

_INSERT = """
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, distinct_ids,
    first_received_at, last_received_at, settled_at, {counts})
VALUES (%(environment)s, %(id)s, %(first)s, %(last)s, %(who)s, %(received)s, %(received)s, %(settled)s, {values})
""".format(counts=", ".join(COUNTS), values=", ".join(f"%({name})s" for name in COUNTS))
_DELETE = "INSERT INTO read_recordings.deleted_session (environment_id, session_id, deleted_at) VALUES (%s, %s, %s)"


def insert(connection: Connection, tenant: Tenant, sessions: dict[str, dict[str, Any]]) -> None:
    for session_id, facts in sessions.items():
        first = round(NOW.timestamp() * 1000) - facts["began"] * 1000
        values = {
            **{name: facts[name] for name in COUNTS},
            "environment": tenant.environment_id,
            "id": session_id,
            "first": first,
            "last": first + facts["length"],
            "who": sorted(facts["who"]),
            "received": NOW - timedelta(seconds=facts["received"]),
            "settled": NOW if facts["settled"] else None,
        }
        connection.execute(_INSERT.encode(), values)
        if facts["deleted"]:
            connection.execute(_DELETE, (tenant.environment_id, session_id, NOW))


def wanted(asked: SessionFilters, query: dict[str, Any], facts: SessionFacts, session: dict[str, Any]) -> bool:
    return (
        (asked.started_from is None or facts.start_time >= asked.started_from)
        and (asked.started_before is None or facts.start_time < asked.started_before)
        and ("session_ids" not in query or facts.id in query["session_ids"])
        and ("distinct_ids" not in query or bool(set(query["distinct_ids"]) & session["who"]))
        and (asked.ongoing is None or facts.ongoing == asked.ongoing)
        and (asked.settled is None or (facts.settled_at is not None) == asked.settled)
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(ids, made),
    filters,
    queries,
    st.sampled_from(sorted(ORDERS)),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_the_list_is_a_filter_and_a_sort(
    readable: None,
    pool: ConnectionPool,
    sessions: dict[str, dict[str, Any]],
    asked: SessionFilters,
    query: dict[str, Any],
    order: str,
    descending: bool,
    limit: int,
    offset: int,
) -> None:
    tenant = Tenant(next(ENVIRONMENTS), uuid4())
    asked = replace(asked, matching=condition(tenant, query, NONE, NOW) if query else None)
    with pool.connection() as connection:
        insert(connection, tenant, sessions)
        insert(connection, Tenant(next(ENVIRONMENTS), uuid4()), sessions)
        there = sessions_facts(connection, tenant, list(sessions), NOW)
        found = page(connection, tenant, asked, NOW, order=order, descending=descending, limit=limit, offset=offset)
    kept = {
        name for name, one in sessions.items() if one["received"] <= RETENTION.total_seconds() and not one["deleted"]
    }
    assert set(there) == kept
    field = {"duration": "recording_duration"}.get(order, order)
    matching = [facts for name, facts in there.items() if wanted(asked, query, facts, sessions[name])]
    by_id = sorted(matching, key=lambda facts: facts.id)

    def place(facts: SessionFacts) -> Any:
        if order == "recording_ttl":
            return -sessions[facts.id]["received"]
        return getattr(facts, field)

    expected = sorted(by_id, key=place, reverse=descending)
    assert found == (len(expected), expected[offset : offset + limit])
