"""Runs of alerts on a real database: windows, transitions, what is recorded, and what the action then shows."""

from typing import Any
from uuid import uuid4

import pytest
from psycopg import Connection

from commands.store.event_log import EventLog
from projections.queries import actions
from tests.actions.alerts.checks import Checks
from tests.projections.world import World

HALF_NO: dict[str, Any] = {"metric": "verdict_share", "verdict": "no", "threshold": 0.5}
ANY: dict[str, Any] = {"metric": "count", "threshold": 1, "frequency": "every_match"}


@pytest.mark.rule("trap/70")
def test_it_fires_and_resolves_and_the_action_shows_it(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", HALF_NO)
    armed_at = checks.shown()["created_at"]
    assert checks.shown()["alert_state"] == {"state": "clear", "since": armed_at, "last_value": None}
    assert checks.run().reason == "nothing_to_measure"
    assert checks.state() == ("clear", None)
    checks.end(verdict="no")
    fired = checks.run()
    assert fired.measured is not None
    assert (fired.measured.change, fired.measured.told, fired.measured.value) == ("fired", True, 1.0)
    assert fired.report is not None
    assert checks.state() == ("firing", 1.0)
    checks.end(verdict="no")
    assert checks.run().reason == "still_breached"
    for _ in range(3):
        checks.end(verdict="yes")
    resolved = checks.run()
    assert resolved.measured is not None
    assert (resolved.measured.change, resolved.measured.told) == ("resolved", True)
    assert checks.state() == ("clear", 0.4)
    shown = checks.shown()
    assert shown["alert_state"]["since"] > armed_at
    assert shown["updated_at"] == shown["created_at"]


def test_a_reading_is_in_the_stream_of_its_run(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", HALF_NO)
    checks.end(verdict="no")
    started, lease = checks.start(checks.claim())
    outcome = checks.evaluate(started)
    ended = checks.finish(lease, outcome)
    assert (ended.status, ended.change) == ("completed", "fired")
    assert ended.report_id is not None
    log = EventLog()
    rows = log.read_stream_raw(connection, started.id, 0, log.head(connection))
    assert [row.topic for row in rows] == [
        "ActionRunClaimed", "ActionRunStarted", "AlertFired", "ReportWritten", "ActionRunCompleted",
    ]  # fmt: skip


@pytest.mark.rule("trap/68")
def test_a_window_is_of_the_times_at_which_observations_ended(world: World, connection: Connection) -> None:
    """Engine 10, trap 68: asked for in one window and answered in the next, it is in the next one alone."""
    checks = Checks.of(world, connection, "monitor", ANY)
    (late,) = world.observe(checks.scanner_id, "late")
    lease = world.start(late)
    assert checks.run().reason == "not_breached"
    world.succeed(lease)
    fired = checks.run()
    assert fired.measured is not None
    assert fired.measured.value == 1.0
    assert checks.run().reason == "recovered"


@pytest.mark.rule("trap/69")
def test_every_match_measures_each_observation_once_however_runs_end(world: World, connection: Connection) -> None:
    """Engine 10, trap 69."""
    checks = Checks.of(world, connection, "monitor", ANY)
    counted: list[float | None] = []
    checks.end()
    first = checks.run()
    counted.append(first.measured.value if first.measured else None)
    checks.end()
    failed, lease = checks.start(checks.claim())
    checks.end()
    assert checks.evaluate(failed).measured is not None
    checks.runs.fail(world.context(None, None), lease, reason="orphaned", message="The worker stopped.")
    assert checks.state() == ("firing", 1.0)
    claimed = checks.claim()
    checks.end()
    started, lease = checks.start(claimed)
    outcome = checks.evaluate(started)
    checks.finish(lease, outcome)
    counted.append(outcome.measured.value if outcome.measured else None)
    last = checks.run()
    counted.append(last.measured.value if last.measured else None)
    assert counted == [1.0, 2.0, 1.0]


def test_nothing_from_before_the_alert_was_set_is_a_match(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", {"metric": "count", "threshold": 1})
    checks.end()
    world.actions.edit(world.context(), checks.action_id, {"mode": "group_summary"})
    assert checks.shown()["alert_state"] is None
    world.actions.edit(world.context(), checks.action_id, {"mode": "alert", "alert_config": ANY})
    assert checks.run().reason == "not_breached"


def test_a_run_that_somebody_asks_for_takes_no_match_away(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", ANY)
    checks.end()
    for ask in (True, False):
        outcome = checks.run(ask=ask)
        assert outcome.measured is not None
        assert (outcome.measured.value, outcome.measured.told) == (1.0, True)
    assert checks.run().reason == "recovered"


@pytest.mark.rule("trap/75")
def test_a_change_during_a_check_wins(world: World, connection: Connection) -> None:
    """Engine 10, trap 75: both when the check sees it and when it comes just before the check's own write."""
    checks = Checks.of(world, connection, "monitor", HALF_NO)
    checks.end(verdict="no")
    started, lease = checks.start(checks.claim())
    found = checks.evaluate(started)
    assert found.measured is not None
    assert found.measured.change == "fired"
    world.actions.edit(world.context(), checks.action_id, {"alert_config": {**HALF_NO, "threshold": 0.9}})
    checks.state()
    unseen = checks.evaluate(started)
    assert (unseen.measured, unseen.report, unseen.reason) == (None, None, "reconfigured")
    checks.finish(lease, found)
    assert checks.state() == ("clear", None)
    assert checks.run().report is not None


def test_another_condition_clears_and_another_name_does_not(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", HALF_NO)
    checks.end(verdict="no")
    checks.run()
    for changes in ({"name": "Other"}, {"enabled": False}, {"enabled": True}, {"synthesis_config": {}}):
        world.actions.edit(world.context(), checks.action_id, changes)
        assert checks.state() == ("firing", 1.0)
    world.actions.edit(world.context(), checks.action_id, {"selection": {"verdict": "no"}})
    assert checks.state() == ("clear", None)


def test_an_action_without_an_alert_has_no_state(world: World, connection: Connection) -> None:
    checks = Checks.of(world, connection, "monitor", HALF_NO)
    digest = world.action(checks.scanner_id, "Digest")
    checks.shown()
    found = actions.action(connection, world.tenant, digest)
    assert found is not None
    assert (found[1]["alert_config"], found[1]["alert_state"]) == ({}, None)
    assert actions.alert_state(connection, world.tenant, digest) is None
    assert actions.alert_state(connection, world.tenant, uuid4()) is None
