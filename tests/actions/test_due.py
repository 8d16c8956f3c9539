"""Claiming: one run for each time an action is due, whoever looks and however often (engine 7.2; traps 38 and 65)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.actions.due import DueActions
from domain.errors import Conflict
from projections.catalogue import ACTION_RUNS, ACTIONS, SCANNERS
from tests.actions.acting import DAILY, Acting, at

FIRST = datetime(2026, 11, 2, 7, tzinfo=UTC)
"""08:00 in Prague on the day after the world begins."""
DAY = timedelta(days=1)
OFF: dict[str, Any] = {"enabled": False}


def daily(acting: Acting, **fields: Any) -> Any:
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY, **fields)
    acting.catch_up()
    assert acting.action(action)["next_run_at"] == FIRST
    return action


def scheduled(acting: Acting, action: Any) -> list[datetime]:
    return sorted(run["scheduled_at"] for run in acting.runs_of(action))


def test_a_due_action_has_one_run_and_moves_on(acting: Acting) -> None:
    action = daily(acting)
    before = acting.action(action)
    at(acting.world.clock, FIRST, seconds=-30)
    acting.tick()
    assert acting.runs_of(action) == []
    at(acting.world.clock, FIRST, seconds=5)
    acting.tick()
    acting.tick()
    (run,) = acting.runs_of(action)
    assert (run["status"], run["scheduled_at"]) == ("running", FIRST)
    assert (run["window_start"], run["window_end"]) == (FIRST - DAY, FIRST)
    shown = acting.action(action)
    assert shown["next_run_at"] == FIRST + DAY
    assert FIRST < shown["last_run_at"] < FIRST + timedelta(minutes=1)
    assert {**shown, "next_run_at": None, "last_run_at": None} == {**before, "next_run_at": None, "last_run_at": None}


@pytest.mark.rule("8.3/once-per-time", "trap/65")
def test_any_number_of_schedulers_claims_once(acting: Acting) -> None:
    action = daily(acting)
    clock = lambda: FIRST + timedelta(seconds=1)  # noqa: E731
    with ThreadPoolExecutor(8) as crowd:
        for done in [crowd.submit(DueActions(acting.pool, acting.runs, clock).run) for _ in range(24)]:
            done.result()
    acting.catch_up()
    assert scheduled(acting, action) == [FIRST]


def test_a_read_side_that_is_late_leads_to_no_second_run(acting: Acting) -> None:
    action = daily(acting)
    at(acting.world.clock, FIRST)
    for _ in range(3):
        DueActions(acting.pool, acting.runs, acting.world.clock).run()
    acting.catch_up([ACTIONS, ACTION_RUNS, SCANNERS])
    assert scheduled(acting, action) == [FIRST]


def test_missed_times_have_one_run_between_them(acting: Acting) -> None:
    action = daily(acting)
    at(acting.world.clock, FIRST, days=9, hours=3)
    acting.tick()
    acting.end_all()
    acting.tick()
    (run,) = acting.runs_of(action)
    assert run["scheduled_at"] == FIRST
    assert acting.action(action)["next_run_at"] == FIRST + 10 * DAY
    # It looks at the last day and not at one long ago.
    assert run["window_end"] - run["window_start"] == DAY
    assert run["window_end"] > FIRST + 9 * DAY
    with acting.pool.connection() as connection:
        assert connection.execute("SELECT name, count FROM actions.counted").fetchall() == [("occurrences_dropped", 9)]


def test_a_clock_that_goes_back_runs_nothing_twice(acting: Acting) -> None:
    action = daily(acting)
    at(acting.world.clock, FIRST, days=2)
    acting.tick()
    acting.end_all()
    for back in (FIRST, FIRST - DAY, FIRST + DAY):
        at(acting.world.clock, back, seconds=10)
        acting.tick()
    assert scheduled(acting, action) == [FIRST]
    at(acting.world.clock, FIRST, days=3)
    acting.tick()
    assert scheduled(acting, action) == [FIRST, FIRST + 3 * DAY]


def test_a_rule_that_comes_to_a_time_again_that_had_its_run_passes_over_it(acting: Acting) -> None:
    """The clock has gone back, and an edit makes a time due that is over."""
    action = daily(acting)
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    acting.end_all()
    at(acting.world.clock, FIRST, hours=-1)
    rule = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0;INTERVAL=1", "timezone": "Europe/Prague"}
    acting.world.actions.edit(acting.world.context(), action, {"trigger_config": rule})
    acting.catch_up()
    assert acting.action(action)["next_run_at"] == FIRST
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    assert scheduled(acting, action) == [FIRST]
    assert acting.action(action)["next_run_at"] == FIRST + DAY


def test_a_disabled_action_waits_and_runs_when_it_is_enabled(acting: Acting) -> None:
    action = daily(acting, **OFF)
    at(acting.world.clock, FIRST, days=3)
    acting.tick()
    assert acting.runs_of(action) == []
    assert acting.action(action)["next_run_at"] == FIRST
    acting.world.actions.edit(acting.world.context(), action, {"enabled": True})
    acting.catch_up()
    acting.tick()
    assert scheduled(acting, action) == [FIRST]


def test_the_scanner_may_be_switched_off(acting: Acting) -> None:
    scanner = acting.world.scanner(enabled=False)
    action = acting.world.action(scanner, trigger_config=DAILY)
    acting.catch_up()
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    assert scheduled(acting, action) == [FIRST]


def test_an_exhausted_rule_is_due_no_more(acting: Acting) -> None:
    rule = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0;COUNT=2", "timezone": "Europe/Prague"}
    action = acting.world.action(acting.world.scanner(), trigger_config=rule)
    acting.catch_up()
    for day in range(4):
        at(acting.world.clock, FIRST, days=day, seconds=1)
        acting.tick()
        acting.end_all()
    assert scheduled(acting, action) == [FIRST, FIRST + DAY]
    assert acting.action(action)["next_run_at"] is None


def test_an_edit_between_reading_and_claiming_wins(acting: Acting) -> None:
    """The claim decides on what it has read; the edit's own next time stands."""
    action = daily(acting)
    at(acting.world.clock, FIRST, seconds=1)
    noon = {"rrule": "FREQ=DAILY;BYHOUR=12;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"}
    acting.world.actions.edit(acting.world.context(), action, {"trigger_config": noon})
    acting.tick()  # what it reads is older than the edit
    assert acting.runs_of(action) == []
    assert acting.action(action)["next_run_at"] == FIRST + timedelta(hours=4)


def test_a_claim_decided_before_an_edit_does_not_undo_it(acting: Acting) -> None:
    action = daily(acting)
    at(acting.world.clock, FIRST, seconds=1)
    DueActions(acting.pool, acting.runs, acting.world.clock).run()
    noon = {"rrule": "FREQ=DAILY;BYHOUR=12;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"}
    acting.world.actions.edit(acting.world.context(), action, {"trigger_config": noon, "name": "Noon"})
    acting.catch_up()
    shown = acting.action(action)
    assert (shown["next_run_at"], shown["name"]) == (FIRST + timedelta(hours=4), "Noon")
    assert scheduled(acting, action) == [FIRST]


def test_one_run_of_an_action_at_a_time(acting: Acting) -> None:
    action = daily(acting)
    other = acting.world.action(acting.world.scanner("Other"), "Other", trigger_config=DAILY)
    acting.catch_up()
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    at(acting.world.clock, FIRST, days=1, seconds=1)
    acting.tick()
    assert scheduled(acting, action) == scheduled(acting, other) == [FIRST]
    with pytest.raises(Conflict):
        acting.runs.run_now(acting.world.context(), action)
    acting.end_all()
    acting.tick()  # it has stayed due
    assert scheduled(acting, action) == [FIRST, FIRST + DAY]


def test_a_run_that_somebody_asks_for_leaves_the_schedule_alone(acting: Acting) -> None:
    action = daily(acting, **OFF)
    asked = acting.runs.run_now(acting.world.context(), action)
    acting.catch_up()
    shown = acting.action(action)
    assert shown["next_run_at"] == FIRST
    assert shown["last_run_at"] is not None
    assert [run["id"] for run in acting.runs_of(action)] == [asked.run.id]


def test_a_deleted_action_has_no_runs(acting: Acting) -> None:
    action = daily(acting)
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    acting.world.actions.delete(acting.world.context(), action)
    acting.catch_up()
    acting.tick()
    assert acting.runs_of(action) == []


@pytest.mark.rule("trap/38")
def test_an_action_that_cannot_be_claimed_stops_no_other(acting: Acting) -> None:
    broken = daily(acting)
    others = [
        acting.world.action(acting.world.scanner(f"Other {number}"), f"Other {number}", trigger_config=DAILY)
        for number in range(2)
    ]
    acting.catch_up()
    with acting.pool.connection() as connection:  # its stream is gone, its row is not
        connection.execute("DELETE FROM store.events WHERE originator_id = %s", (broken,))
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    assert [scheduled(acting, action) for action in (broken, *others)] == [[], [FIRST], [FIRST]]
