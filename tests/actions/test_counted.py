"""What `/metrics` says of actions (engine 9): times that were dropped, runs that were reaped, jobs that wait."""

from __future__ import annotations

from datetime import timedelta

from consumers.actions import jobs
from consumers.actions.counts import DROPPED, REAPED, counts
from consumers.actions.worker import MAX_EXPIRIES
from tests.actions.acting import DAILY, Acting


def counted(acting: Acting) -> dict[str, int]:
    with acting.pool.connection() as connection:
        return counts(connection)


def waiting(acting: Acting) -> list[tuple[str, int, int]]:
    with acting.pool.connection() as connection:
        return [(one.kind, one.queued, one.leased) for one in jobs.waiting(connection)]


def test_dropped_times_and_reaped_runs_are_counted(acting: Acting) -> None:
    assert counted(acting) == {DROPPED: 0, REAPED: 0}
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY)
    acting.catch_up()
    acting.world.clock.now = acting.action(action)["next_run_at"] + timedelta(days=3, seconds=1)
    acting.tick()
    assert counted(acting) == {DROPPED: 3, REAPED: 0}

    for left in reversed(range(MAX_EXPIRIES)):
        acting.hear()
        assert waiting(acting) == [("run", 1, 0)]
        acting.lease(seconds=-1)
        assert waiting(acting) == [("run", 0, 1)]
        acting.reap()
        assert [run["status"] for run in acting.runs_of(action)] == ["running" if left else "failed"]
    assert waiting(acting) == []
    assert counted(acting) == {DROPPED: 3, REAPED: 1}
