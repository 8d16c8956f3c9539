"""Traps of the sweep: edges of the watermark, pages, caps, failures and pairs that exist (engine 10)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import Lease, ObservationLimits, Observations, Requested
from consumers.selection.candidates import PAGE
from consumers.selection.sweep import Sweep, SweepRules
from domain.eligibility import EligibilityLimits
from domain.observation import Trigger
from tests.selection.schedule import SETTLE, Schedule
from tests.store.world import success

RULES = SweepRules(EligibilityLimits(), SETTLE)
SECOND = timedelta(seconds=1)


def later(schedule: Schedule, *sessions: str, duration: float = 60) -> None:
    """The sessions settle a second later."""
    schedule.now += SECOND
    for session in sessions:
        schedule.settled(session, duration)


@pytest.mark.rule("trap/20", "trap/19")
def test_the_moment_of_creation_is_left_out_and_everything_after_it_is_taken(schedule: Schedule) -> None:
    schedule.settled("at the very moment")
    scanner = schedule.create()
    later(schedule, "a", "b")
    schedule.sweep()
    later(schedule, "c")
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c"]


@pytest.mark.rule("3.4/watermark-start", "3.4/watermark-sweep", "trap/32", "trap/31")
def test_only_a_sweep_moves_the_watermark_and_it_moves_nothing_else(schedule: Schedule) -> None:
    scanner = schedule.create()
    created = schedule.now
    assert schedule.watermark(scanner)["swept_at"] == created - SETTLE
    later(schedule, "a")
    schedule.edit(scanner, description="edited", scanner_config={"prompt": "another"})
    assert schedule.watermark(scanner)["swept_at"] == created - SETTLE
    before = schedule.scanners.load(schedule.context(), scanner)
    schedule.now += SECOND
    schedule.sweep()
    assert schedule.watermark(scanner)["swept_at"] == schedule.now - SECOND - SETTLE, "as far as what it has seen"
    schedule.sweep()
    assert schedule.watermark(scanner)["swept_at"] == schedule.now - SETTLE, "nothing is left: up to now"
    after = schedule.scanners.load(schedule.context(), scanner)
    assert (after.version, after.scanner_version, after.updated_at) == (2 + 1, 2, before.updated_at)


@pytest.mark.rule("trap/23", "trap/24")
def test_a_page_of_nothing_that_is_wanted_is_passed_in_the_same_sweep(schedule: Schedule) -> None:
    scanner = schedule.create()
    later(schedule, *(f"short {number}" for number in range(PAGE)), duration=1)
    later(schedule, "good")
    schedule.sweep()
    assert schedule.requested(scanner) == ["good"]


@dataclass
class Interrupted:
    """A pool that lets something happen before it lends a connection for the n-th time."""

    pool: ConnectionPool
    happening: Callable[[], None]
    before: int
    lent: int = 0

    @contextmanager
    def connection(self) -> Generator[Any]:
        self.lent += 1
        if self.lent == self.before:
            self.happening()
        with self.pool.connection() as connection:
            yield connection


@pytest.mark.rule("trap/25")
@pytest.mark.parametrize("before", [1, 2, 3])
def test_what_settles_while_a_sweep_finds_nothing_is_found_by_the_next(schedule: Schedule, before: int) -> None:
    """A sweep lends a connection for its list of scanners, for a page, and to move the watermark."""
    scanner = schedule.create()
    schedule.now += SECOND
    pool: Any = Interrupted(schedule.pool, lambda: schedule.settled("just now"), before)
    Sweep(pool, schedule.scanners, schedule.observations, RULES, lambda: schedule.now).run()
    assert pool.lent >= 3
    schedule.sweep()
    assert schedule.requested(scanner) == ["just now"]


class Failing(Observations):
    """Requests that fail in a way that nobody foresaw, for one scanner."""

    scanner: UUID

    def request(
        self, context: Context, scanner_id: UUID, session_ids: Sequence[str], triggered_by: Trigger
    ) -> list[Requested]:
        if scanner_id == self.scanner:
            raise RuntimeError("broken")
        return super().request(context, scanner_id, session_ids, triggered_by)


@pytest.mark.rule("trap/26")
def test_a_failed_request_moves_nothing_and_stops_nobody_else(schedule: Schedule) -> None:
    broken, whole = schedule.create("broken"), schedule.create("whole")
    later(schedule, "a")
    before = schedule.watermark(broken)
    failing = Failing(schedule.store, ObservationLimits())
    failing.scanner = broken
    Sweep(schedule.pool, schedule.scanners, failing, RULES, lambda: schedule.now).run()
    assert (schedule.requested(broken), schedule.requested(whole)) == ([], ["a"])
    assert schedule.watermark(broken) == before
    schedule.sweep()
    assert schedule.requested(broken) == ["a"]


@pytest.mark.rule("trap/26", "trap/29", "4/one-per-pair")
@pytest.mark.parametrize("ending", ["pending", "running", "succeeded", "failed", "ineligible"])
def test_a_pair_that_exists_is_passed_over_whatever_its_status(schedule: Schedule, ending: str) -> None:
    scanner = schedule.create()
    context, commands = schedule.context(), schedule.observations
    (asked,) = commands.request(context, scanner, ["a"], "on_demand")
    lease = Lease(asked.observation_id, 1, uuid4())
    if ending != "pending":
        commands.start(context, lease, try_number=1, subject=None)
    if ending == "succeeded":
        commands.succeed(context, lease, success())
    if ending == "failed":
        commands.fail(context, lease, kind="internal_error", message="m")
    if ending == "ineligible":
        commands.judge_ineligible(context, lease, kind="too_short", message="m")
    later(schedule, "a", "b")
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b"]
    assert commands.load(context, asked.observation_id).status == ending
    assert schedule.watermark(scanner)["settle_number"] == 2


@pytest.mark.rule("trap/37", "trap/39", "7/enforced-schedule")
@pytest.mark.parametrize("reason", ["in_flight_cap", "quota_exhausted"])
def test_what_a_limit_holds_back_follows_when_there_is_room(schedule: Schedule, reason: str) -> None:
    limit = 3 if reason == "in_flight_cap" else 2
    schedule.per_scanner, schedule.quota = (limit, 100) if reason == "in_flight_cap" else (100, limit)
    scanner = schedule.create()
    later(schedule, "a", "b", "c", "d")
    for _ in range(3):
        schedule.sweep()
    standing = schedule.watermark(scanner)
    assert (standing["settle_number"], standing["waiting_for"]) == (2, reason)
    assert schedule.requested(scanner) == ["a", "b"]
    schedule.per_scanner = schedule.quota = 100
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c", "d"]
    assert schedule.watermark(scanner)["waiting_for"] is None


@pytest.mark.rule("trap/35", "3.4/watermark-reenable", "3.4/disabled-gap")
def test_switching_on_resets_the_watermark_also_beside_other_changes(schedule: Schedule) -> None:
    scanner = schedule.create()
    schedule.edit(scanner, enabled=False, description="off")
    later(schedule, "while off")
    schedule.now += SECOND
    schedule.edit(scanner, enabled=True, description="on", sampling_rate=1, query={"limit": 1})
    reset = schedule.watermark(scanner)
    assert reset == {"settle_number": 1, "swept_at": schedule.now - SETTLE, "waiting_for": None}
    schedule.now += SECOND
    schedule.edit(scanner, enabled=True, description="still on")
    schedule.edit(scanner, scanner_config={"prompt": "another"}, enabled=True)
    assert schedule.watermark(scanner) == reset
    later(schedule, "on")
    schedule.sweep()
    assert schedule.requested(scanner) == ["on"]


@pytest.mark.rule("3.4/watermark-edit", "3.3/limit-offset-after")
@pytest.mark.parametrize(
    "query",
    [{"limit": 1}, {"offset": 5}, {"after": "x", "order": "duration", "order_direction": "ASC"}, {"date_from": "-1h"}],
)
def test_the_schedule_owns_time_and_pages(schedule: Schedule, query: dict[str, Any]) -> None:
    scanner = schedule.create(query=query)
    later(schedule, "a", "b", "c")
    schedule.sweep()
    schedule.edit(scanner, query={}, scanner_config={"prompt": "another"})
    schedule.sweep()
    assert schedule.requested(scanner) == ["a", "b", "c"], "and nothing is scanned again after an edit"
