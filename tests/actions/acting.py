"""A database with a scanner, actions and their runs: ticks, jobs and projections move when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns
from commands.store.event_log import EventLog
from consumers.actions import jobs
from consumers.actions.due import DueActions
from consumers.actions.requests import JobMaker
from consumers.actions.worker import Reaper, Work, Worker
from consumers.relay import outgoing
from consumers.transports.port import Record
from projections.catalogue import PROJECTIONS
from projections.engine.projection import Projection
from projections.queries import action_runs, actions
from tests.projections.world import World, catch_up

DAILY: dict[str, Any] = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"}
NEVER = Event()


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Acting:
    """The parts of the role `actions`, called one by one. `clock` is what its schedulers see."""

    def __init__(self, world: World, pool: ConnectionPool, clock: Callable[[], datetime] | None = None) -> None:
        self.world = world
        self.pool = pool
        self.runs = ActionRuns(world.store)
        self.clock = clock or world.clock
        self.heard = 0

    def catch_up(self, projections: Sequence[Projection] = PROJECTIONS) -> None:
        with self.pool.connection() as connection:
            catch_up(connection, projections)

    def tick(self) -> None:
        """What a scheduler's tick leads to; the read side follows."""
        DueActions(self.pool, self.runs, self.clock).run()
        self.catch_up()

    def hear(self) -> None:
        """Makes jobs of what was recorded since, each message twice, as the relay and the transport would."""
        with self.pool.connection() as connection, connection.transaction():
            while rows := EventLog().read_raw(connection, self.heard):
                for row in rows:
                    made = outgoing(row)
                    record = Record("events", 0, row.position, made.key, made.value, made.all_headers(), self.clock())
                    JobMaker().handle(connection, [record, record])
                    self.heard = row.position

    def work(self, kind: jobs.Kind, work: Work) -> int:
        """Does every job of the kind that is due now; how many there were."""
        worker = Worker(self.pool, kind, work, "test")
        self.hear()
        self.catch_up()
        done = 0
        while worker.once(NEVER):
            done += 1
            self.catch_up()
        return done

    def lease(self, kind: jobs.Kind = "run", seconds: float = 60) -> jobs.Job:
        self.hear()
        with self.pool.connection() as connection:
            job = jobs.lease(connection, kind, "test", seconds=seconds)
        assert job is not None
        return job

    def reap(self) -> None:
        Reaper(self.pool, self.runs, self.clock).run()
        self.catch_up()

    def action(self, action_id: UUID) -> dict[str, Any]:
        with self.pool.connection() as connection:
            found = actions.action(connection, self.world.tenant, action_id)
        assert found is not None
        return found[1]

    def runs_of(self, action_id: UUID) -> list[dict[str, Any]]:
        """Newest first."""
        with self.pool.connection() as connection:
            return action_runs.page(connection, self.world.tenant, action_id, 1_000)[1]

    def run(self, action_id: UUID, run_id: UUID) -> dict[str, Any]:
        with self.pool.connection() as connection:
            found = action_runs.run(connection, self.world.tenant, action_id, run_id)
        assert found is not None
        return found

    def end_all(self, projections: Sequence[Projection] = PROJECTIONS) -> None:
        """Ends every run that is in progress, without a worker."""
        with self.pool.connection() as connection:
            found = connection.execute("SELECT id FROM read_action_runs.run WHERE status = 'running'").fetchall()
        for (run_id,) in found:
            self.runs.abandon(self.world.context(), run_id, message="Ended by the test.")
        self.catch_up(projections)


def at(clock: Any, moment: datetime, **later: float) -> datetime:
    """Sets a clock and returns its time."""
    clock.now = moment + timedelta(**later)
    return clock.now
