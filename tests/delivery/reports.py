"""Runs that have their report, without anybody who writes one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from commands.action_runs import RunLease, WrittenReport
from consumers.actions.jobs import Job
from tests.actions.acting import Acting
from tests.delivery.messages import REPORT


def reported(acting: Acting, actions: Sequence[UUID]) -> set[str]:
    """Runs of the actions with a report each, and the jobs of their deliveries."""
    world = acting.world
    made = {str(acting.runs.run_now(world.context(), action).run.id) for action in actions}

    def write(job: Job, _lost: object, _stop: object) -> None:
        lease = RunLease(job.run_id, job.lease_token)
        acting.runs.start(world.context(), lease, try_number=1, window_start=world.clock(), since=None)
        report = WrittenReport(REPORT, [], 3, 3, "builtin", "builtin", 0, 0, Decimal(0))
        acting.runs.write_report(world.context(), lease, report)

    assert acting.work("run", write) == len(actions)
    acting.hear()
    return made
