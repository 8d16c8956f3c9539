"""The sweep over real sessions, watermarks, quota and caps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commands.observations import ObservationLimits, Observations
from commands.store.event_log import EventLog
from consumers.selection.sweep import Sweep, SweepRules
from domain.eligibility import EligibilityLimits
from tests.selection.schedule import PROMPT, SETTLE, Schedule


@pytest.mark.rule("trap/20", "10/16")
def test_sessions_that_settle_after_creation_are_requested_once(schedule: Schedule) -> None:
    schedule.settled("before")
    schedule.now += timedelta(seconds=1)
    scanner = schedule.create()
    assert schedule.watermark(scanner)["swept_at"] == schedule.now - SETTLE
    schedule.now += timedelta(seconds=1)
    schedule.settled("after")
    schedule.sweep()
    schedule.sweep()
    assert schedule.requested(scanner) == ["after"]


def test_a_late_keeper_starts_at_the_time_of_creation(schedule: Schedule) -> None:
    written = schedule.scanners.create(
        schedule.context(),
        name="n",
        scanner_type="monitor",
        scanner_config=PROMPT,
        provider="builtin",
        model="builtin",
    )
    schedule.now += timedelta(seconds=1)
    schedule.settled("between creation and the keeper's hearing of it")
    schedule.hear()
    schedule.sweep()
    assert len(schedule.requested(written.scanner.id)) == 1


@pytest.mark.rule("10/17", "trap/23")
def test_ineligible_sessions_and_other_environments_are_passed_over(schedule: Schedule) -> None:
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    schedule.settled("short", duration=14.9)
    schedule.settled("idle", active=9.9)
    schedule.settled("endless", duration=9000, active=3601)
    schedule.settled("foreign", environment=2)
    schedule.settled("fine")
    schedule.sweep()
    assert schedule.requested(scanner) == ["fine"]
    assert schedule.watermark(scanner)["settle_number"] == 5


@pytest.mark.rule("3.3/evaluated")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["a", "b"]),
        ({"session_ids": ["b", "unknown"]}, ["b"]),
        ({"session_ids": []}, []),
        ({"distinct_ids": ["visitor"]}, ["a", "b"]),
        ({"distinct_ids": ["somebody else"]}, []),
        ({"events": [{"id": "order_placed"}]}, []),
        ({"filter_test_accounts": True}, ["a", "b"]),
        ({"properties": [{"type": "cohort", "key": "id", "value": 12}]}, []),
        ({"kind": "RecordingsQuery", "properties": [], "filter_test_accounts": False}, ["a", "b"]),
    ],
)
def test_a_condition_selects_or_selects_nothing(schedule: Schedule, query: Any, expected: list[str]) -> None:
    scanner = schedule.create(query=query)
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    schedule.settled("b")
    schedule.sweep()
    assert schedule.requested(scanner) == expected


@pytest.mark.rule("3.4/rate-zero", "trap/23", "3.4/watermark-edit")
def test_sampling_zero_requests_nothing_and_moves_on(schedule: Schedule) -> None:
    scanner = schedule.create(sampling_rate=0)
    schedule.now += timedelta(seconds=1)
    schedule.settled("a")
    schedule.sweep()
    schedule.edit(scanner, sampling_rate=1)
    schedule.sweep()
    assert schedule.requested(scanner) == []


@pytest.mark.rule("3.4/disabled-gap", "3.4/watermark-reenable", "trap/35")
def test_the_disabled_gap_is_neither_scanned_nor_charged(schedule: Schedule) -> None:
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    schedule.edit(scanner, enabled=False)
    schedule.now += timedelta(seconds=1)
    schedule.settled("while off")
    schedule.sweep()
    schedule.now += timedelta(seconds=1)
    schedule.edit(scanner, enabled=True)
    assert schedule.watermark(scanner)["swept_at"] == schedule.now - SETTLE
    schedule.now += timedelta(seconds=1)
    schedule.settled("when on again")
    schedule.sweep()
    assert schedule.requested(scanner) == ["when on again"]


@pytest.mark.rule("3.4/watermark-edit", "trap/31", "trap/35")
def test_an_edit_leaves_the_watermark_alone(schedule: Schedule) -> None:
    scanner = schedule.create()
    before = schedule.watermark(scanner)
    schedule.now += timedelta(seconds=1)
    schedule.edit(scanner, query={"session_ids": ["x"]}, sampling_rate=0.5)
    assert schedule.watermark(scanner) == before


@pytest.mark.rule("7/enforced-schedule")
def test_an_exhausted_quota_waits_and_resumes_by_itself(schedule: Schedule) -> None:
    schedule.quota = 2
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for name in "abcd":
        schedule.settled(name)
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b"]
    assert schedule.watermark(scanner)["waiting_for"] == "quota_exhausted"
    schedule.quota = 10
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d"]
    assert schedule.watermark(scanner)["waiting_for"] is None


@pytest.mark.rule("arch/scheduled-per-day")
def test_a_full_day_waits_for_the_next_one(schedule: Schedule) -> None:
    schedule.per_day = 2
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for name in "abcd":
        schedule.settled(name)
    schedule.sweep()
    schedule.now += timedelta(hours=11)
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b"]
    assert schedule.watermark(scanner)["waiting_for"] == "day_full"
    schedule.now = schedule.now.replace(hour=0) + timedelta(days=1)
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d"]
    assert schedule.watermark(scanner)["waiting_for"] is None


def test_a_full_day_may_skip_and_records_the_gap(schedule: Schedule) -> None:
    schedule.per_day, schedule.on_exhausted = 1, "skip"
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for name in "abc":
        schedule.settled(name)
    schedule.sweep()
    with schedule.pool.connection() as connection:
        gaps = [f.event for f in EventLog().read(connection, 0) if f.event.TOPIC == "SweepGapSkipped"]
    assert [gap.model_dump()["reason"] for gap in gaps] == ["day_full"]
    assert (schedule.requested(scanner), schedule.watermark(scanner)["settle_number"]) == (["a"], 3)


def test_an_exhausted_quota_may_skip_and_records_the_gap(schedule: Schedule) -> None:
    schedule.quota, schedule.on_exhausted = 1, "skip"
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for name in "abc":
        schedule.settled(name)
    schedule.sweep()
    schedule.quota = 10
    schedule.sweep()
    assert schedule.requested(scanner) == ["a"]
    with schedule.pool.connection() as connection:
        gaps = [f.event for f in EventLog().read(connection, 0) if f.event.TOPIC == "SweepGapSkipped"]
    assert [(gap.model_dump()["start"], gap.model_dump()["end"]) for gap in gaps] == [(2, 3)]


def test_a_full_cap_asks_for_another_sweep_soon(schedule: Schedule) -> None:
    schedule.per_scanner = 3
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for name in "abcd":
        schedule.settled(name)
    assert schedule.sweep() is not None
    assert schedule.requested(scanner) == ["a", "b"], "one place is kept for requests on demand"
    assert schedule.watermark(scanner)["waiting_for"] == "in_flight_cap"


def test_the_schedules_of_an_environment_leave_room_for_requests_on_demand(schedule: Schedule) -> None:
    schedule.per_environment = 53  # 50 of them are kept
    scanners = [schedule.create("one"), schedule.create("other")]
    schedule.now += timedelta(seconds=1)
    for name in "ab":
        schedule.settled(name)
    assert schedule.sweep() is not None
    assert sum(len(schedule.requested(scanner)) for scanner in scanners) == 3
    assert [schedule.watermark(scanner)["waiting_for"] for scanner in scanners].count("in_flight_cap") == 1
    wanted = [f"d{number}" for number in range(51)]
    answers = schedule.observations.request(schedule.context(), scanners[0], wanted, "on_demand")
    assert [answer.outcome for answer in answers] == ["started"] * 50 + ["capped"]


def test_the_caps_are_those_of_the_operator_interface() -> None:
    assert ObservationLimits().caps("on_demand") == (150, 300)
    assert ObservationLimits().caps("schedule") == (125, 250)


def test_a_deleted_scanner_loses_its_watermark(schedule: Schedule) -> None:
    scanner = schedule.create()
    schedule.scanners.delete(schedule.context(), scanner)
    schedule.sweep()
    schedule.hear()
    with schedule.pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM selection.watermark").fetchone() == (0,)


@pytest.mark.rule("trap/19")
def test_hundreds_of_sessions_are_swept_in_pages(schedule: Schedule) -> None:
    schedule.per_scanner = 1000
    observations = ObservationLimits(default_quota=1000, per_scanner=1000, per_environment=1000)
    scanner = schedule.create()
    schedule.now += timedelta(seconds=1)
    for number in range(450):
        schedule.settled(f"s{number:03d}")
    rules = SweepRules(EligibilityLimits(), SETTLE)
    commands = Observations(schedule.store, observations)
    Sweep(schedule.pool, schedule.scanners, commands, rules, lambda: schedule.now).run()
    assert len(schedule.requested(scanner)) == 450
