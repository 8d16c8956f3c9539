"""What `/metrics` says of actions (engine 9): times that were dropped, runs that were reaped, jobs that wait."""

from __future__ import annotations

from datetime import timedelta

from api.metrics import action_families
from consumers.actions import jobs
from consumers.actions.counts import counts
from consumers.actions.worker import MAX_EXPIRIES
from tests.actions.acting import DAILY, Acting


def counted(acting: Acting) -> dict[str, float]:
    with acting.pool.connection() as connection:
        families = action_families(counts(connection))
    return {sample.name: sample.value for family in families for sample in family.samples}


def waiting(acting: Acting) -> list[tuple[str, int, int]]:
    with acting.pool.connection() as connection:
        return [(one.kind, one.queued, one.leased) for one in jobs.waiting(connection)]


def test_dropped_times_and_reaped_runs_are_counted(acting: Acting) -> None:
    dropped, reaped = (f"replay_vision_action_{name}_total" for name in ("occurrences_dropped", "runs_reaped"))
    assert counted(acting) == {dropped: 0, reaped: 0}
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY)
    acting.catch_up()
    acting.world.clock.now = acting.action(action)["next_run_at"] + timedelta(days=3, seconds=1)
    acting.tick()
    assert counted(acting) == {dropped: 3, reaped: 0}

    for left in reversed(range(MAX_EXPIRIES)):
        acting.hear()
        assert waiting(acting) == [("run", 1, 0)]
        acting.lease(seconds=-1)
        assert waiting(acting) == [("run", 0, 1)]
        acting.reap()
        assert [run["status"] for run in acting.runs_of(action)] == ["running" if left else "failed"]
    assert waiting(acting) == []
    assert counted(acting) == {dropped: 3, reaped: 1}
