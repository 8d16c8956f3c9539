"""Over random sessions and queries, the database, the estimate and the schedule say what the slow evaluator says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from consumers.selection.candidates import next_page
from consumers.selection.counting import matched, matched_in
from domain.eligibility import EligibilityLimits
from domain.event import Actor, Stamp
from domain.sampling import sampled
from domain.scanner import Scanner
from domain.tenant import Tenant
from projections.queries.matching import Definitions, condition
from tests.matching import evaluator
from tests.matching.evaluator import NOW
from tests.matching.worlds import actions, fill, queries, test_accounts, worlds

ENVIRONMENTS = count(1000)
NUMBERS = count(1, 100)
LIMITS = EligibilityLimits(5, 0.001, 60)
EXAMPLES = int(os.environ.get("REPLAY_VISION_MATCHING_WORLDS", "25"))
ON_QUERIES = 12
"""Queries of each world."""


def scanner_of(query: Mapping[str, Any], rate: float) -> Scanner:
    stamp = Stamp(NOW, Actor(type="user", user_id=1), uuid4(), 1, UUID(int=7))
    return Scanner.create(
        uuid4(),
        stamp,
        name="n",
        scanner_type="monitor",
        scanner_config={"prompt": "p"},
        query=dict(query),
        sampling_rate=rate,
        provider="builtin",
        model="builtin",
    )


def define(connection: Connection[TupleRow], tenant: Tenant, filters: list[Any], steps: dict[int, list[Any]]) -> None:
    connection.execute(
        "INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at,"
        " test_accounts, actions) VALUES (%s, %s, 'n', 'UTC', %s, now(), %s, %s)",
        (
            tenant.environment_id,
            tenant.organization_id,
            str(tenant.environment_id),
            Jsonb(filters),
            Jsonb([{"id": number, "name": "n", "steps": each} for number, each in steps.items()]),
        ),
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(worlds, test_accounts, actions, st.lists(queries, min_size=ON_QUERIES, max_size=ON_QUERIES), st.floats(0, 1))
def test_everybody_selects_the_same(
    connection: Connection[TupleRow],
    world: dict[str, Any],
    filters: list[Any],
    steps: dict[int, list[Any]],
    asked: list[dict[str, Any]],
    rate: float,
) -> None:
    tenant, first = Tenant(next(ENVIRONMENTS), uuid4()), next(NUMBERS)
    fill(connection, tenant.environment_id, world, first)
    define(connection, tenant, filters, steps)
    definitions = Definitions(filters, {str(number): each for number, each in steps.items()})
    eligible = {
        each["id"]
        for each in world["sessions"]
        if each["last"] - each["first"] >= 5_000 and 1 <= each["active"] <= 60_000
    }
    for query in asked:
        expected = evaluator.matching(query, world, filters, steps)
        made = condition(tenant, query, definitions, NOW)
        assert made.unsupported == []
        statement = f"SELECT s.session_id FROM capture.session s WHERE {made.sql}"
        assert {row[0] for row in connection.execute(statement.encode(), made.values)} == expected, query
        wanted = expected & eligible
        assert matched(connection, tenant, query, LIMITS, NOW).sessions == len(wanted)
        in_order = [each["id"] for each in world["sessions"] if each["id"] in wanted]
        page = next_page(connection, tenant, scanner_of(query, 1), LIMITS, first - 1, NOW)
        assert [each.session_id for each in page.candidates] == in_order
        assert (page.end, page.more) == (first + len(world["sessions"]) - 1, False)
        some = scanner_of(query, round(rate, 4))
        page = next_page(connection, tenant, some, LIMITS, first - 1, NOW)
        assert [each.session_id for each in page.candidates] == [
            each for each in in_order if sampled(some.id, each, some.sampling_rate)
        ]
        below = sum(each["id"] in wanted for each in world["sessions"][:2])
        ranges = [(first, first + 1), (first + 2, first + 99), (5, 4)]
        assert matched_in(connection, tenant, query, LIMITS, ranges, NOW) == [below, len(wanted) - below, 0]
