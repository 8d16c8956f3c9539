"""Gaps that are asked for after all (extensions "Observing"): durable, within quota and caps, nothing doubled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commands.observations import Observations, Requested
from commands.store.event_log import EventLog
from consumers.selection.redrive import Redriving
from consumers.selection.sweep import Sweep, SweepRules
from domain.eligibility import EligibilityLimits
from domain.ids import gap_id
from domain.scanner import SweepGapSkipped
from tests.selection.schedule import SETTLE, Schedule


def gaps(schedule: Schedule) -> list[SweepGapSkipped]:
    with schedule.pool.connection() as connection:
        events = [found.event for found in EventLog().read(connection, 0, 10_000)]
    return [event for event in events if isinstance(event, SweepGapSkipped)]


def open_gaps(schedule: Schedule) -> list[tuple[int, int]]:
    """(progress, end) of each that is being worked through."""
    with schedule.pool.connection() as connection:
        rows = connection.execute("SELECT settle_number, last_number FROM selection.redrive ORDER BY last_number")
        return [(row[0], row[1]) for row in rows]


def redrive(schedule: Schedule, scanner_id: UUID, first: int) -> None:
    schedule.scanners.redrive_gap(schedule.context(), scanner_id, gap_id(scanner_id, first))
    schedule.hear()


def with_a_gap(schedule: Schedule, sessions: str = "abcde", **fields: Any) -> UUID:
    """A scanner that got the first session and whose schedule passed over the others: numbers 2 and on."""
    schedule.quota, schedule.on_exhausted = 1, "skip"
    scanner = schedule.create(**fields)
    schedule.now += timedelta(seconds=1)
    for name in sessions:
        schedule.settled(name)
    schedule.sweep()
    assert [(gap.start, gap.end) for gap in gaps(schedule)] == [(2, len(sessions))]
    return scanner


@pytest.mark.parametrize("on_exhausted", ["skip", "wait"])
def test_a_redriven_gap_is_worked_through_once_there_is_quota(schedule: Schedule, on_exhausted: str) -> None:
    scanner = with_a_gap(schedule)
    schedule.on_exhausted = on_exhausted
    schedule.sweep()
    redrive(schedule, scanner, 2)
    schedule.sweep()
    assert schedule.requested(scanner) == ["a"], "it stands still, and no gap of a gap comes of it"
    assert open_gaps(schedule) == [(1, 5)]
    schedule.quota = 3
    schedule.sweep()
    assert (schedule.requested(scanner), open_gaps(schedule)) == (["a", "b", "c"], [(3, 5)])
    schedule.quota = 10
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]
    assert open_gaps(schedule) == []
    assert len(gaps(schedule)) == 1


def test_a_gap_that_nobody_asked_for_stays_one(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    schedule.sweep()
    assert schedule.requested(scanner) == ["a"]


def test_it_asks_as_the_schedule_with_what_the_scanner_wants_now(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.settled("after the gap")
    schedule.quota = 10
    schedule.edit(scanner, query={"session_ids": ["c", "e", "after the gap"]})
    redrive(schedule, scanner, 2)
    schedule.sweep()
    with schedule.pool.connection() as connection:
        events = [found.event for found in EventLog().read(connection, 0, 10_000)]
    asked = [event for event in events if event.TOPIC == "ObservationRequested"][1:]
    assert [(getattr(each, "session_id", ""), getattr(each, "triggered_by", "")) for each in asked] == [
        ("after the gap", "schedule"),
        ("c", "schedule"),
        ("e", "schedule"),
    ]


def test_sampling_stays_that_of_the_schedule(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    schedule.edit(scanner, sampling_rate=0)
    redrive(schedule, scanner, 2)
    schedule.sweep()
    assert (schedule.requested(scanner), open_gaps(schedule)) == (["a"], [])


def test_hearing_of_it_again_doubles_nothing(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    redrive(schedule, scanner, 2)
    schedule.heard = 0
    schedule.hear()
    schedule.sweep()
    schedule.heard = 0
    schedule.hear()
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]
    assert open_gaps(schedule) == []


def test_a_crash_between_request_and_progress_doubles_nothing(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    redrive(schedule, scanner, 2)

    class Crash(BaseException):
        """The process ends here."""

    class Crashing(Observations):
        def request(self, *args: Any, **named: Any) -> list[Requested]:
            super().request(*args, **named)
            raise Crash

    limits = schedule.observations._limits  # noqa: SLF001 - the same limits
    dying = Crashing(schedule.store, limits)
    with pytest.raises(Crash):
        Redriving(schedule.pool, schedule.scanners, dying, EligibilityLimits(), lambda: schedule.now).run(1e12)
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]
    assert open_gaps(schedule) == [(1, 5)]
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]
    assert open_gaps(schedule) == []


def test_a_full_cap_is_waited_for(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota, schedule.per_scanner = 10, 3
    redrive(schedule, scanner, 2)
    assert schedule.sweep() is not None, "another sweep soon"
    assert (schedule.requested(scanner), open_gaps(schedule)) == (["a", "b"], [(2, 5)])
    schedule.per_scanner = 100
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]


def test_a_disabled_scanner_waits_until_it_is_enabled_again(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    schedule.now += timedelta(seconds=1)
    schedule.edit(scanner, enabled=False)
    redrive(schedule, scanner, 2)
    schedule.sweep()
    assert (schedule.requested(scanner), open_gaps(schedule)) == (["a"], [(1, 5)])
    schedule.edit(scanner, enabled=True)
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]


def test_hundreds_of_sessions_go_in_pages_and_other_environments_are_left_alone(schedule: Schedule) -> None:
    for number in range(450):
        schedule.settled(f"s{number:03d}")
        if number == 300:
            schedule.settled("foreign", environment=2)
    schedule.now += timedelta(seconds=1)
    scanner = schedule.create()
    schedule.scanners.skip_gap(schedule.context(), scanner, 1, 451, "quota_exhausted")
    redrive(schedule, scanner, 1)
    schedule.per_scanner = 10_000
    rules = SweepRules(EligibilityLimits(), SETTLE)
    for _ in range(3):  # the environment's cap is 250 for the schedule: work ends in between
        Sweep(schedule.pool, schedule.scanners, schedule.observations, rules, lambda: schedule.now).run()
        with schedule.pool.connection() as connection:
            connection.execute("UPDATE store.in_flight SET count = 0")
    assert schedule.requested(scanner) == [f"s{number:03d}" for number in range(450)]
    assert open_gaps(schedule) == []


def test_a_deleted_scanner_takes_its_gaps_along(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    redrive(schedule, scanner, 2)
    schedule.scanners.delete(schedule.context(), scanner)
    schedule.sweep()
    assert open_gaps(schedule) == [], "also when the sweep is the first to see it"
    schedule.hear()
    assert open_gaps(schedule) == []


def test_two_sweeps_at_once_double_nothing(schedule: Schedule) -> None:
    scanner = with_a_gap(schedule)
    schedule.quota = 10
    redrive(schedule, scanner, 2)

    class Overtaken(Observations):
        """Another copy of the sweep works through the gap while this one has its page in hand."""

        def request(self, *args: Any, **named: Any) -> list[Requested]:
            schedule.sweep()
            return super().request(*args, **named)

    slow = Overtaken(schedule.store, schedule.observations._limits)  # noqa: SLF001 - the same limits
    Redriving(schedule.pool, schedule.scanners, slow, EligibilityLimits(), lambda: schedule.now).run(1e12)
    assert schedule.requested(scanner) == ["a", "b", "c", "d", "e"]
    assert open_gaps(schedule) == []
