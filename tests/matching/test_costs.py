"""What a visitor sends and what a query asks cost no more together than their sizes say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import TupleRow

from consumers.capture.analytics.elements import elements_of
from domain.tenant import Tenant
from projections.queries import in_time, session_list
from projections.queries.matching import NONE, Condition, Definitions, condition
from projections.queries.session_list import SessionFilters
from tests.matching.worlds import COUNTS, fill

TENANT = Tenant(77, UUID(int=7))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEEP = ";".join(['div.card:attr__class="card"'] * 500)


def by_selector(value: Any) -> dict[str, Any]:
    return {"properties": [{"type": "element", "key": "selector", "operator": "exact", "value": value}]}


@pytest.fixture(scope="module")
def hostile(connection: psycopg.Connection[TupleRow]) -> psycopg.Connection[TupleRow]:
    """A session of 500 clicks, each deep inside boxes of one kind."""
    elements = elements_of(DEEP)
    events = [
        {"uuid": UUID(int=number), "name": "$autocapture", "at": number, "distinct_id": "eve", "current_url": None,
         "properties": {}, "elements": elements}
        for number in range(500)
    ]  # fmt: skip
    recorded = {
        "id": "hostile", "first": 0, "last": 60_000, "active": 30_000, **dict.fromkeys(COUNTS, 0), "distinct_ids": [],
        "start_url": None, "urls": [], "snapshot_source": "web", "snapshot_library": "web", "events": events,
        "lines": [],
    }  # fmt: skip
    fill(connection, TENANT.environment_id, {"sessions": [recorded], "persons": []}, 700)
    return connection


@pytest.mark.parametrize("selector", ["div div div a.buy", "div > div div > div div > div.buy", "* * * * * .buy"])
def test_a_deep_chain_costs_its_elements_and_not_their_combinations(hostile: Any, selector: str) -> None:
    """A join of four steps would compare 50 ** 4 elements an event."""
    made = condition(TENANT, by_selector(selector), NONE, NOW)
    assert made.unsupported == []
    statement = f"SELECT s.session_id FROM capture.session s WHERE {made.sql}"
    with hostile.transaction():
        hostile.execute("SET LOCAL statement_timeout = '5s'")
        assert hostile.execute(statement.encode(), made.values).fetchall() == []


def test_the_parts_of_a_querys_selectors_are_bounded_together(hostile: Any) -> None:
    """The database plans each step: thousands take it seconds and gigabytes."""
    named = ["selectors of more than 300 steps, classes and attributes together"]
    many = [", ".join(f"a{number}" for number in range(40))] * 50
    assert condition(TENANT, by_selector(many), NONE, NOW).unsupported == named
    several = {"properties": by_selector("div div div div div div")["properties"] * 51}
    assert condition(TENANT, several, NONE, NOW).unsupported == named
    actions = Definitions([], {"5": [{"event": "x", "selector": "a b c d e f"}] * 51})
    assert condition(TENANT, {"actions": [{"id": 5}]}, actions, NOW).unsupported == named
    assert condition(TENANT, by_selector("a" + ".b[c]" * 150), NONE, NOW).unsupported == named
    made = condition(TENANT, by_selector(["div > div div div > a.buy"] * 50), NONE, NOW)
    assert made.unsupported == []
    statement = f"SELECT s.session_id FROM capture.session s WHERE {made.sql}"
    with hostile.transaction():
        hostile.execute("SET LOCAL statement_timeout = '2s'")
        assert hostile.execute(f"EXPLAIN {statement}".encode(), made.values).fetchall()


TOO_COMPLEX = "(?:a?b?c?d?e?f?g?){255}"
"""What PostgreSQL itself refuses; our own bound is smaller, so only a condition written by hand gets there."""


def test_a_pattern_that_the_database_gives_up_at_is_no_failure_of_ours(hostile: Any) -> None:
    with pytest.raises(in_time.TooSlow), in_time.in_time(hostile, 5):
        hostile.execute("SELECT 'ab' ~ %s::text", (TOO_COMPLEX,))
    asked = SessionFilters(matching=Condition("('ab' ~ %(match_0)s::text)", {"match_0": TOO_COMPLEX}, []))
    with pytest.raises(session_list.TooSlow):
        session_list.page(hostile, TENANT, asked, datetime(2026, 10, 1, tzinfo=UTC), limit=1, offset=0)
