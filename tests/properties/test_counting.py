"""The count of an estimate equals the rule of the sweep, over any sessions and queries (contract 10 row 17)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers.selection.candidates import wanted
from consumers.selection.counting import matched, matched_in
from domain.eligibility import EligibilityLimits
from domain.tenant import Tenant
from projections.queries.sessions import sessions_settled_after

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCANNER = UUID(int=1)
ENVIRONMENTS = count(1000)
NUMBERS = count(1)

ids = st.sampled_from(["a", "b", "Ä", "a,b", '"{}\\', " ", "c"])
visitors = st.sampled_from(["one", "two", "{three}", "ONE"])
milliseconds = st.sampled_from([0, 9_999, 10_000, 14_999, 15_000, 3_600_000, 3_600_001]) | st.integers(0, 10**7)
sessions = st.dictionaries(ids, st.tuples(milliseconds, milliseconds, st.sets(visitors)), max_size=7)
nothing = st.sampled_from([None, [], {}, False])
queries = st.fixed_dictionaries(
    {},
    optional={
        "session_ids": st.none() | st.lists(ids | st.just("nul\x00")),
        "distinct_ids": st.none() | st.lists(visitors | st.just("")),
        "operand": st.sampled_from(["AND", "OR", None]),
        "events": nothing | st.just([{"id": "checkout"}]),
        "properties": nothing,
        "filter_test_accounts": st.sampled_from([None, False, False, True]),
        "limit": st.integers(0, 3),
    },
)
limits = st.builds(
    EligibilityLimits,
    st.sampled_from([0, 15, 0.1, 14.999]),
    st.sampled_from([0, 10, 9.999, 1 / 3]),
    st.sampled_from([3600, 3600.001, 12.5]),
)


def settle(connection: Connection, tenant: Tenant, made: dict[str, Any]) -> None:
    began = round(NOW.timestamp() * 1000) - 20_000_000
    for session_id, (duration, active, who) in made.items():
        connection.execute(
            "INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp,"
            " active_milliseconds, distinct_ids, settle_number, settled_at, first_received_at, last_received_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (tenant.environment_id, session_id, began, began + duration, active, list(who), next(NUMBERS), *[NOW] * 3),
        )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sessions, queries, limits)
def test_the_count_is_the_number_of_sessions_that_the_sweep_wants(
    readable: None, pool: ConnectionPool, made: dict[str, Any], query: dict[str, Any], limits: EligibilityLimits
) -> None:
    """At a rate of 1: the count is before sampling."""
    tenant = Tenant(next(ENVIRONMENTS), uuid4())
    with pool.connection() as connection:
        settle(connection, tenant, made)
        seen = sessions_settled_after(connection, tenant, 0, 100, NOW)
        chosen = [session.settle_number for session in seen if wanted(SCANNER, query, 1, limits, session)]
        assert matched(connection, tenant, query, limits, NOW).sessions == len(chosen)
        middle = seen[len(seen) // 2].settle_number if seen else 0
        ranges = [(0, middle), (middle + 1, 10**9), (5, 4)]
        below = sum(number <= middle for number in chosen)
        assert matched_in(connection, tenant, query, limits, ranges, NOW) == [below, len(chosen) - below, 0]
