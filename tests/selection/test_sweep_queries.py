"""Queries that find little, and queries that take too long: nothing is lost, and nobody else waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from commands.store.event_log import EventLog
from consumers.selection import candidates, sweep
from consumers.selection.candidates import next_page
from consumers.selection.redrive import Redriving
from consumers.selection.sweep import Sweep, SweepRules
from domain.eligibility import EligibilityLimits
from domain.ids import gap_id
from domain.scanner import SweepGapSkipped
from tests.selection.schedule import SETTLE, TENANT, Schedule

RULES = SweepRules(EligibilityLimits(), SETTLE, select_seconds=0.15)
ORDERS = {"events": [{"id": "order_placed"}]}
_EVENT = """
INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, properties, received_at, arrived_at)
VALUES (1, %s, gen_random_uuid(), 'order_placed', 0, '{}', now(), now())
"""
# The events of the sessions in `heavy` take a second each to read.
_HEAVY = """
CREATE TABLE heavy (session_id text);
CREATE FUNCTION slowly(session text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT FROM heavy h WHERE h.session_id = session) THEN PERFORM pg_sleep(1); END IF;
    RETURN true;
END $$;
ALTER TABLE capture.analytics_event RENAME TO stored_event;
CREATE VIEW capture.analytics_event AS SELECT * FROM capture.stored_event WHERE slowly(session_id);
"""


def ordered(schedule: Schedule, *sessions: str) -> None:
    with schedule.pool.connection() as connection:
        for session in sessions:
            connection.execute(_EVENT, (session,))


def swept(schedule: Schedule, rules: SweepRules = RULES) -> float | None:
    return Sweep(schedule.pool, schedule.scanners, schedule.observations, rules, lambda: schedule.now).run()


def many(schedule: Schedule, count: int) -> None:
    """Sessions that settle one after the other, in two environments by turns."""
    with schedule.pool.connection() as connection:
        connection.execute(
            "INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp,"
            " active_milliseconds, settle_number, settled_at, last_received_at, first_received_at)"
            " SELECT 1 + n %% 2, 's' || n, 0, 60000, 30000, n, %(now)s, %(now)s, %(now)s"
            " FROM generate_series(1, %(count)s) n",
            {"now": schedule.now, "count": count},
        )
        connection.execute("UPDATE capture.settle_counter SET number = %s", (count,))


def test_a_sparse_query_walks_over_thousands_of_sessions_in_one_sweep(schedule: Schedule) -> None:
    scanner = schedule.create(query=ORDERS)
    schedule.now += timedelta(seconds=1)
    many(schedule, 24_000)
    ordered(schedule, "s2", "s10000", "s23998", "s3")
    assert schedule.sweep() is None
    assert schedule.requested(scanner) == ["s2", "s10000", "s23998"], "s3 is of the other environment"
    assert schedule.watermark(scanner)["settle_number"] == 24_000


def test_a_page_ends_with_its_last_session_or_its_stretch(schedule: Schedule) -> None:
    scanner = schedule.scanners.load(schedule.context(), schedule.create(query=ORDERS))
    many(schedule, 30)
    ordered(schedule, "s4", "s8", "s20")
    limits = EligibilityLimits()
    with schedule.pool.connection() as connection, patch.object(candidates, "PAGE", 2):
        pages = [
            next_page(connection, TENANT, scanner, limits, after, schedule.now, stretch=8) for after in (0, 8, 24, 30)
        ]
        gap = next_page(connection, TENANT, scanner, limits, 4, schedule.now, last=9, stretch=8)
    assert [[each.settle_number for each in page.candidates] for page in pages] == [[4, 8], [20], [], []]
    assert [(page.after, page.end, page.more) for page in pages] == [
        (0, 8, True), (8, 24, True), (24, 30, False), (30, None, False),
    ]  # fmt: skip
    assert ([each.session_id for each in gap.candidates], gap.end, gap.more) == (["s8"], 8, False)


def test_a_query_that_takes_too_long_waits_and_stops_nobody(schedule: Schedule, database_url: str) -> None:
    slow, quick = schedule.create("slow", query=ORDERS), schedule.create("quick")
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    schedule.settled("b")
    ordered(schedule, "b")
    before = schedule.watermark(slow)
    with psycopg.connect(database_url) as holding:
        holding.execute("LOCK TABLE capture.analytics_event IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):
            swept(schedule)
            assert schedule.requested(quick) == ["a", "b"]
            assert schedule.requested(slow) == []
            assert schedule.watermark(slow) == {**before, "waiting_for": "too_slow"}
    swept(schedule)
    assert schedule.requested(slow) == ["b"]
    assert schedule.watermark(slow)["waiting_for"] is None


def test_slow_queries_share_a_part_of_the_sweep_that_leaves_time_for_gaps(
    schedule: Schedule, database_url: str
) -> None:
    slow = [schedule.create(f"slow {number}", query=ORDERS) for number in range(4)]
    schedule.quota, schedule.on_exhausted = 1, "skip"
    other = schedule.create("other")
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    schedule.settled("b")
    schedule.sweep()
    schedule.quota = 100
    schedule.scanners.redrive_gap(schedule.context(), other, gap_id(other, 2))
    schedule.hear()
    schedule.settled("c")
    with psycopg.connect(database_url) as holding, patch.object(sweep, "SLOW_SECONDS", 0.2):
        holding.execute("LOCK TABLE capture.analytics_event IN ACCESS EXCLUSIVE MODE")
        swept(schedule)
        assert [schedule.watermark(each)["waiting_for"] for each in slow] == ["too_slow"] * 4
        schedule.settled("d")
        swept(schedule)
        assert schedule.requested(other) == ["a", "c", "b", "d"]
    assert swept(schedule) is None
    assert {schedule.watermark(each)["waiting_for"] for each in slow} == {None}


def test_a_gap_whose_query_takes_too_long_stays_open_and_stops_no_other(schedule: Schedule, database_url: str) -> None:
    schedule.quota, schedule.on_exhausted = 0, "skip"
    slow, quick = schedule.create("slow", query={}), schedule.create("quick")
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    schedule.sweep()
    schedule.quota = 10
    schedule.edit(slow, query=ORDERS)
    for scanner in (slow, quick):
        schedule.scanners.redrive_gap(schedule.context(), scanner, gap_id(scanner, 1))
    schedule.hear()
    ordered(schedule, "a")
    redriving = Redriving(
        schedule.pool, schedule.scanners, schedule.observations, EligibilityLimits(), lambda: schedule.now, 0.15
    )
    with psycopg.connect(database_url) as holding:
        holding.execute("LOCK TABLE capture.analytics_event IN ACCESS EXCLUSIVE MODE")
        assert redriving.run(1e12) is False
        assert (schedule.requested(slow), schedule.requested(quick)) == ([], ["a"])
    redriving.run(1e12)
    assert schedule.requested(slow) == ["a"]


def heavy(schedule: Schedule, *sessions: str) -> UUID:
    """A scanner whose query takes long with these sessions: their events are slow to read."""
    scanner = schedule.create(query=ORDERS)
    schedule.now += timedelta(seconds=1)
    with schedule.pool.connection() as connection:
        connection.execute(_HEAVY)
        connection.execute("INSERT INTO heavy SELECT unnest(%s::text[])", (list(sessions),))
    return scanner


def skipped(schedule: Schedule) -> list[tuple[int, int, str]]:
    with schedule.pool.connection() as connection:
        events = [found.event for found in EventLog().read(connection, 0, 10_000)]
    return [(each.start, each.end, each.reason) for each in events if isinstance(each, SweepGapSkipped)]


def test_a_session_that_takes_too_long_by_itself_is_passed_over_as_a_gap(schedule: Schedule) -> None:
    scanner = heavy(schedule, "hostile")
    for name in ("a", "hostile", "b"):
        schedule.settled(name)
        ordered(schedule, name)
    assert swept(schedule) is None
    assert schedule.requested(scanner) == ["a", "b"]
    assert skipped(schedule) == [(2, 2, "session_too_slow")]
    assert (schedule.watermark(scanner)["settle_number"], schedule.watermark(scanner)["waiting_for"]) == (3, None)
    with schedule.pool.connection() as connection:
        connection.execute("DELETE FROM heavy")
    schedule.scanners.redrive_gap(schedule.context(), scanner, gap_id(scanner, 2))
    schedule.hear()
    swept(schedule)
    assert schedule.requested(scanner) == ["a", "b", "hostile"], "asked for after all, as any other gap"


def test_several_such_sessions_in_a_row_are_passed_over_when_they_have_been_waited_for(schedule: Schedule) -> None:
    scanner = heavy(schedule, "one", "two")
    for name in ("one", "two", "b"):
        schedule.settled(name)
        ordered(schedule, name)
    swept(schedule)
    schedule.now += sweep.GIVE_UP - timedelta(seconds=1)
    swept(schedule)
    assert (skipped(schedule), schedule.watermark(scanner)["waiting_for"]) == ([], "too_slow"), (
        "may be the query's fault"
    )
    schedule.now += timedelta(seconds=1)
    swept(schedule)
    assert skipped(schedule) == [(1, 1, "session_too_slow"), (2, 2, "session_too_slow")]
    assert schedule.requested(scanner) == ["b"]


def test_a_redriven_gap_goes_on_behind_a_session_that_takes_too_long(schedule: Schedule) -> None:
    schedule.quota, schedule.on_exhausted = 0, "skip"
    scanner = heavy(schedule)
    for name in ("a", "hostile", "b"):
        schedule.settled(name)
        ordered(schedule, name)
    schedule.sweep()
    schedule.quota = 10
    schedule.scanners.redrive_gap(schedule.context(), scanner, gap_id(scanner, 1))
    schedule.hear()
    with schedule.pool.connection() as connection:
        connection.execute("INSERT INTO heavy VALUES ('hostile')")
    swept(schedule)
    assert schedule.requested(scanner) == ["a", "b"]


@pytest.mark.rule("3.3/evaluated")
def test_definitions_are_those_of_the_moment(schedule: Schedule) -> None:
    """An action that is defined later selects from then on; a scanner that refers to it never looks at less."""
    scanner = schedule.create(query={"actions": [{"id": 5}], "filter_test_accounts": True})
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    ordered(schedule, "a", "b")
    schedule.sweep()
    assert schedule.requested(scanner) == []
    define(schedule, [], [{"id": 5, "name": "Order", "steps": [{"event": "order_placed"}]}])
    schedule.now += timedelta(seconds=1)
    schedule.settled("b")
    schedule.settled("c")
    schedule.sweep()
    assert schedule.requested(scanner) == ["b"]


def define(schedule: Schedule, test_accounts: list[Any], actions: list[Any]) -> None:
    with schedule.pool.connection() as connection:
        connection.execute(
            "INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at,"
            " test_accounts, actions) VALUES (1, %s, 'n', 'UTC', 't', now(), %s, %s)",
            (UUID(int=7), Jsonb(test_accounts), Jsonb(actions)),
        )
