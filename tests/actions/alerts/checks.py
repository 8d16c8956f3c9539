"""One alert on a real database: observations that end, and runs that measure them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from commands.action_runs import ActionRuns, RunLease
from consumers.actions.alerting import SKIPPED, Outcome, evaluate
from consumers.actions.window import window_of
from domain.action_run import ActionRun
from projections.queries import actions
from projections.queries.actions import alert_state
from tests.projections.world import World, catch_up

RULE = {"rrule": "FREQ=HOURLY", "timezone": "Europe/Prague"}


@dataclass
class Checks:
    """`run` does what a worker does, and its clock is the world's."""

    world: World
    connection: Connection
    scanner_id: UUID
    scanner_type: str
    action_id: UUID
    runs: ActionRuns = field(init=False)
    sessions: int = 0

    def __post_init__(self) -> None:
        self.runs = ActionRuns(self.world.store)

    @classmethod
    def of(
        cls,
        world: World,
        connection: Connection,
        scanner_type: str,
        alert_config: dict[str, Any],
        *,
        name: str = "Watch",
        selection: dict[str, Any] | None = None,
    ) -> Checks:
        scanner_id = world.scanner(f"Of {name}", scanner_type)
        action_id = world.action(
            scanner_id, name, mode="alert", alert_config=alert_config, selection=selection or {}, trigger_config=RULE
        )
        return cls(world, connection, scanner_id, scanner_type, action_id)

    def end(self, private: dict[str, Any] | None = None, **result: Any) -> UUID:
        """One more observation that succeeds."""
        self.sessions += 1
        (observation_id,) = self.world.observe(self.scanner_id, f"s{self.sessions}")
        self.world.succeed(self.world.start(observation_id), self.scanner_type, private, **result)
        return observation_id

    def claim(self) -> ActionRun:
        """A run of the schedule, when it is due."""
        due = self.shown()["next_run_at"]
        self.world.clock.now = max(self.world.clock.now, due)
        version = self.world.actions.load(self.world.context(), self.action_id).schedule_version
        claimed = self.runs.claim_due(self.world.context(None, None), self.action_id, due, version)
        assert claimed is not None, "it was not due"
        return claimed.run

    def start(self, run: ActionRun) -> tuple[ActionRun, RunLease]:
        catch_up(self.connection)
        lease = RunLease(run.id, uuid4())
        window = window_of(
            self.connection, self.world.tenant, run, alert_state(self.connection, self.world.tenant, self.action_id)
        )
        context = self.world.context(None, None)
        return self.runs.start(context, lease, try_number=1, window_start=window.start, since=window.since), lease

    def evaluate(self, run: ActionRun) -> Outcome:
        return evaluate(self.connection, self.world.tenant, run, "Checkout", self.world.clock())

    def finish(self, lease: RunLease, outcome: Outcome) -> ActionRun:
        context = self.world.context(None, None)
        if outcome.report is not None:
            return self.runs.write_report(context, lease, outcome.report, outcome.measured)
        message = SKIPPED[outcome.reason]
        return self.runs.skip(context, lease, reason=outcome.reason, message=message, measured=outcome.measured)

    def run(self, *, ask: bool = False) -> Outcome:
        """A whole run, of the schedule or of somebody who asks."""
        claimed = self.runs.run_now(self.world.context(), self.action_id).run if ask else self.claim()
        started, lease = self.start(claimed)
        outcome = self.evaluate(started)
        self.finish(lease, outcome)
        return outcome

    def shown(self) -> dict[str, Any]:
        """The action as the API shows it."""
        catch_up(self.connection)
        found = actions.action(self.connection, self.world.tenant, self.action_id)
        assert found is not None
        return found[1]

    def state(self) -> tuple[str, float | None]:
        shown = self.shown()["alert_state"]
        assert isinstance(shown["since"], datetime)
        return shown["state"], shown["last_value"]

    def markdown(self, run: ActionRun) -> str:
        assert run.report_id is not None
        text = self.runs.private(run.report_id)
        assert text is not None
        return text["markdown"]
