"""Counting among 200,000 sessions: through the index, in time, and cancelled when it takes too long."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import TupleRow

from consumers.selection.counting import TooSlow, matched
from consumers.selection.estimate import monthly
from domain.eligibility import EligibilityLimits
from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine.installing import install
from tests.selection.schedule import Schedule

pytestmark = pytest.mark.usefixtures("readable")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = EligibilityLimits()
TENANT = Tenant(1, UUID(int=1))
SESSIONS = 200_000

# A session a minute in each of two environments: 43,200 of the first one's 100,000 are in the window.
_FILL = """
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, active_milliseconds,
    distinct_ids, first_received_at, last_received_at)
SELECT 1 + n %% 2, 'session ' || n, at_ms, at_ms + 60000, 30000, ARRAY['visitor ' || n %% 1000],
       to_timestamp(at_ms / 1000.0), to_timestamp(at_ms / 1000.0)
FROM (SELECT n, %(now)s::bigint - n * 30000::bigint AS at_ms FROM generate_series(1, %(sessions)s) n) s
"""


class Explaining(psycopg.Connection[TupleRow]):
    """Notes the plan of each statement that counts."""

    plans: list[str]

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if b"count(*)" in (query if isinstance(query, bytes) else b""):
            rows = super().execute(b"EXPLAIN " + query, params).fetchall()
            self.plans.append("\n".join(row[0] for row in rows))
        return super().execute(query, params, **options)


def filled(database_url: str) -> Explaining:
    connection = Explaining.connect(database_url, autocommit=True)
    connection.plans = []
    install(connection, [ACCOUNTS])
    connection.execute(_FILL, {"now": round(NOW.timestamp() * 1000), "sessions": SESSIONS})
    connection.execute("VACUUM ANALYZE capture.session")
    return connection


def test_a_count_among_200000_sessions_goes_through_an_index_and_is_quick(database_url: str) -> None:
    with filled(database_url) as connection:
        began = time.monotonic()
        found = matched(connection, TENANT, {}, LIMITS, NOW)
        assert (found.sessions, found.window_days) == (43_200, 30)
        one = matched(connection, TENANT, {"session_ids": ["session 2", "session 3"]}, LIMITS, NOW)
        assert one.sessions == 1
        assert matched(connection, TENANT, {"distinct_ids": ["visitor 2"]}, LIMITS, NOW).sessions == 87
        assert time.monotonic() - began < 5
        assert "session_began" in connection.plans[0]
        assert "session_pkey" in connection.plans[1]
        assert "session_began" in connection.plans[2]
        assert not any("Seq Scan on session" in plan for plan in connection.plans)


def test_a_count_that_takes_too_long_is_cancelled_and_the_connection_is_good(database_url: str) -> None:
    with psycopg.connect(database_url) as holding, psycopg.connect(database_url, autocommit=True) as connection:
        install(connection, [ACCOUNTS])
        holding.execute("LOCK TABLE capture.session IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TooSlow):
            matched(connection, TENANT, {}, LIMITS, NOW, seconds=0.1)
        holding.rollback()
        assert matched(connection, TENANT, {}, LIMITS, NOW).sessions == 0
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)


_KEPT = """
INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at, retention_days)
VALUES (1, %s, 'Web', 'UTC', 'phc_1', %s, %s)
"""
# One a day for 40 days, each an hour long, and one that began before the shortest look-back and came in within it.
_DAILY = """
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, active_milliseconds,
    first_received_at, last_received_at)
SELECT 1, 'day ' || n, extract(epoch FROM began) * 1000, extract(epoch FROM began) * 1000 + 3600000, 30000, began,
       began + interval '1 hour'
FROM (SELECT n, %(now)s::timestamptz - make_interval(hours => 24 * n) + interval '30 minutes' AS began
      FROM generate_series(1, 40) n UNION ALL SELECT 0, %(now)s::timestamptz - interval '7 days 30 minutes') s
"""


@pytest.mark.rule("6/window", "trap/64")
@pytest.mark.parametrize(
    ("retention", "removed", "sessions", "days"),
    [(7, False, 7, 7), (7, True, 7, 7), (1, True, 1, 1), (60, False, 31, 30), (None, False, 31, 30)],
)
def test_the_look_back_is_no_longer_than_the_retention(
    schedule: Schedule, *, retention: int | None, removed: bool, sessions: int, days: int
) -> None:
    """What is past its retention cannot match, so its days must not divide either, whether it is removed yet or not."""
    with schedule.pool.connection() as connection:
        connection.execute(_KEPT, (TENANT.organization_id, NOW, retention))
        connection.execute(_DAILY, {"now": NOW})
        if removed:
            gone = NOW - timedelta(days=retention or 30)
            connection.execute("DELETE FROM capture.session WHERE last_received_at < %s", (gone,))
            connection.execute("INSERT INTO capture.day VALUES (1, %s, 0, 1, 0)", (NOW - timedelta(days=40),))
        found = matched(connection, TENANT, {}, LIMITS, NOW)
    assert (found.sessions, found.window_days) == (sessions, days)
    assert monthly(found, 1.0) in (30, 31)
