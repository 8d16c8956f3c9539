"""Workers that lease scan jobs, and the reaper of leases that ran out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import Observations
from consumers.scanning import jobs
from consumers.scanning.jobs import LEASE_SECONDS, Job, LeaseKeeper
from consumers.scanning.scan import OUTAGES, Scanning
from domain.errors import LeaseLost, NotFound
from domain.event import Actor
from domain.tenant import Tenant

log = logging.getLogger("replay_vision.scanning")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]

KEPT = timedelta(days=14)
"""Done jobs refuse repeated requests for this long: longer than the transport keeps the records that made them."""

MAX_EXPIRIES = 3
"""Expired leases after which a run ends (architecture 5)."""

REAPED = 100
"""Expired leases looked at in one run of the reaper."""


class ScanWorker:
    """One thread that does one job at a time. Any number may run, in any number of processes."""

    def __init__(self, pool: Pool, scanning: Scanning, name: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._pool = pool
        self._scanning = scanning
        self._name = name
        self._lease_seconds = lease_seconds

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; an outage of the database is waited out."""
        while not stop.is_set():
            try:
                if not self._once(stop):
                    jobs.wait_for_work(self._pool, stop)
            except OUTAGES as error:
                log.warning("a scan worker waits for the database: %s", error)
                stop.wait(1.0)
            except Exception:
                log.exception("a scan broke; its lease runs out and the reaper decides")
                stop.wait(1.0)

    def _once(self, stop: Event) -> bool:
        """Does one job; False when there is none."""
        with self._pool.connection() as connection:
            job = jobs.lease(connection, self._name, seconds=self._lease_seconds)
        if job is None:
            return False
        with LeaseKeeper(self._pool, job, seconds=self._lease_seconds) as keeper:
            retry = self._scanning.scan(job, keeper.lost, stop)
        if retry is None and keeper.lost.is_set():
            return True  # the run may not have ended, and the token may still fit: the reaper decides
        with self._pool.connection() as connection:
            if retry is None:
                jobs.finish(connection, job)
            elif retry.unused:
                jobs.give_back(connection, job, retry.at)
            else:
                jobs.retry_at(connection, job, retry.at)
        return True


class Reaper:
    """Gives jobs whose lease ran out to somebody else; after MAX_EXPIRIES the run ends as `orphaned`."""

    def __init__(self, pool: Pool, observations: Observations, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._observations = observations
        self._clock = clock

    def run(self) -> None:
        """One round. Safe to repeat and to run twice at once."""
        with self._pool.connection() as connection:
            found = jobs.expired(connection, REAPED)
            jobs.clear(connection, older_than=KEPT)
        for job in found:
            try:
                self._reap(job)
            except OUTAGES:
                raise
            except Exception:
                log.exception("an expired job could not be reaped; the others go on")

    def _reap(self, job: Job) -> None:
        if job.expiries + 1 >= MAX_EXPIRIES:
            self._abandon(job)
            return
        with self._pool.connection() as connection:
            jobs.requeue(connection, job)

    def _abandon(self, job: Job) -> None:
        message = f"The workers of {job.expiries + 1} tries stopped without an answer."
        context = Context(
            actor=Actor(type="system", role="reaper"),
            now=self._clock(),
            correlation_id=uuid4(),
            tenant=Tenant(job.environment_id, job.organization_id),
        )
        try:
            self._observations.abandon(context, job.observation_id, job.run, message=message)
        except (LeaseLost, NotFound):
            log.info("an expired job had ended already", extra={"observation": str(job.observation_id)})
        with self._pool.connection() as connection:
            jobs.finish(connection, job)
