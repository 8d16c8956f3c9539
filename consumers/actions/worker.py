"""Workers that lease jobs of actions, and the reaper of what its workers have left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns
from commands.context import Context
from consumers.actions import jobs
from consumers.actions.counts import REAPED, count
from consumers.actions.jobs import LEASE_SECONDS, Job, Kind
from consumers.actions.outages import OUTAGES
from domain.errors import LeaseLost, NotFound
from domain.event import Actor
from domain.tenant import Tenant

log = logging.getLogger("replay_vision.actions")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]

KEPT = timedelta(days=14)
"""Done jobs refuse repeated requests for this long: longer than the transport keeps the records that made them."""

MAX_EXPIRIES = 3
"""Expired leases after which a run, or a delivery, ends (architecture 5)."""

REAPED_AT_ONCE = 100

STUCK = timedelta(hours=2)
"""After this a run without a job is over, whatever became of its job (engine 8)."""

NOBODY = "Nobody works on it any more."

_STUCK = """
SELECT r.environment_id, r.organization_id, r.id FROM read_action_runs.run r
WHERE r.status = 'running' AND r.created_at < %s
      AND r.action_id NOT IN (SELECT t.action_id FROM read_action_runs.tombstone t)
      AND NOT EXISTS (SELECT FROM actions.job j WHERE j.run_id = r.id AND j.kind = 'run' AND j.state <> 'done')
ORDER BY r.created_at LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Again:
    """The job shall be leased again after this time.

    `unused`: nothing was begun, so this lease was no try. `failed`: the try failed by itself.
    """

    after: timedelta
    unused: bool = False
    failed: bool = True


Work = Callable[[Job, Event, Event], Again | None]
"""Does a leased job; told when the lease is lost, and when the process stops. None: the job is done."""


class Worker:
    """One thread that does one job at a time. Any number may run, in any number of processes."""

    def __init__(self, pool: Pool, kind: Kind, work: Work, name: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._pool = pool
        self._kind: Kind = kind
        self._work = work
        self._name = name
        self._lease_seconds = lease_seconds

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; an outage of the database is waited out."""
        while not stop.is_set():
            try:
                if not self.once(stop):
                    jobs.wait_for_work(self._pool, self._kind, stop)
            except OUTAGES as error:
                log.warning("%s waits for the database: %s", self._name, error)
                stop.wait(1.0)
            except Exception:
                log.exception("%s broke; its lease runs out and the reaper decides", self._name)
                stop.wait(1.0)

    def once(self, stop: Event) -> bool:
        """Does one job; False when there is none."""
        with self._pool.connection() as connection:
            job = jobs.lease(connection, self._kind, self._name, seconds=self._lease_seconds)
        if job is None:
            return False
        with jobs.keeper(self._pool, job, seconds=self._lease_seconds) as keeper:
            again = self._work(job, keeper.lost, stop)
        if again is None and keeper.lost.is_set():
            return True  # the run may not have ended, and the token may still fit: the reaper decides
        with self._pool.connection() as connection:
            if again is None:
                jobs.finish(connection, job)
            elif again.unused:
                jobs.give_back(connection, job, again.after)
            else:
                jobs.retry(connection, job, again.after, failed=again.failed)
        return True


class Reaper:
    """Gives jobs whose lease ran out to somebody else; after MAX_EXPIRIES what they were about ends."""

    def __init__(self, pool: Pool, runs: ActionRuns, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._runs = runs
        self._clock = clock

    def run(self) -> None:
        """One round. Safe to repeat and to run twice at once."""
        with self._pool.connection() as connection:
            found = jobs.expired(connection, REAPED_AT_ONCE)
            jobs.clear(connection, older_than=KEPT)
            stuck = connection.execute(_STUCK, (self._clock() - STUCK, REAPED_AT_ONCE)).fetchall()
        for job in found:
            self._each(lambda job=job: self._reap(job))
        for environment_id, organization_id, run_id in stuck:
            tenant = Tenant(environment_id, organization_id)
            self._each(
                lambda tenant=tenant, run_id=run_id: self._abandon(tenant, run_id, "Nobody works on it any more.")
            )

    def _each(self, reap: Callable[[], None]) -> None:
        try:
            reap()
        except OUTAGES:
            raise
        except Exception:
            log.exception("something could not be reaped; the others go on")

    def _reap(self, job: Job) -> None:
        if job.expiries + 1 < MAX_EXPIRIES:
            with self._pool.connection() as connection:
                jobs.requeue(connection, job)
            return
        tenant = Tenant(job.environment_id, job.organization_id)
        message = f"The workers of {job.expiries + 1} tries stopped without an answer."
        if job.kind == "run":
            self._abandon(tenant, job.run_id, message)
        else:
            self._abandon_delivery(tenant, job, message)
        with self._pool.connection() as connection:
            jobs.finish(connection, job)

    def _abandon(self, tenant: Tenant, run_id: UUID, message: str) -> None:
        try:
            self._runs.abandon(self._context(tenant), run_id, message=message)
        except (LeaseLost, NotFound):
            log.info("an expired run had ended already", extra={"run": str(run_id)})
            return
        with self._pool.connection() as connection:
            count(connection, REAPED)

    def _abandon_delivery(self, tenant: Tenant, job: Job, message: str) -> None:
        try:
            self._runs.abandon_delivery(self._context(tenant), job.run_id, job.delivery_id, reason=message)
        except (LeaseLost, NotFound):
            log.info("an expired delivery had ended already", extra={"run": str(job.run_id)})

    def _context(self, tenant: Tenant) -> Context:
        actor = Actor(type="system", role="reaper")
        return Context(actor=actor, now=self._clock(), correlation_id=uuid4(), tenant=tenant)
