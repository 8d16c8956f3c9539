"""One attempt of a delivery: a leased job sends the run's message and records what came of it (architecture 2).

What was sent is recorded before the job moves on. Whoever dies in between has sent once more than is known: the next
attempt carries the same id.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool
from pydantic import JsonValue

from commands.action_runs import ActionRuns, Attempted
from commands.context import Context
from commands.endpoints import Endpoints
from consumers.actions.jobs import Job
from consumers.actions.worker import Again
from consumers.delivery import health
from consumers.delivery.port import Attempt, Kind, Message, Sender
from consumers.delivery.retries import next_attempt
from consumers.delivery.targets import Targets, Undeliverable
from domain.action_run import ActionRun
from domain.errors import LeaseLost, NotFound
from domain.event import Actor
from domain.run_deliveries import Objects, delivery_items
from domain.tenant import Tenant
from projections.engine.waiting import wait_for
from projections.queries import action_runs, scanners

log = logging.getLogger("replay_vision.actions")

READS = ("action_runs", "scanners")
PASSING_SECONDS = 5.0
LATE = timedelta(seconds=2)

KINDS: dict[str, Kind] = {"fired": "replay_vision.alert_fired", "resolved": "replay_vision.alert_resolved"}
ERASED = "The report was erased."


class Delivering:
    """Does the jobs of deliveries. Shared by all worker threads of a process. `public_url` has no trailing slash."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        runs: ActionRuns,
        targets: Targets,
        endpoints: Endpoints,
        sender: Sender,
        clock: Callable[[], datetime],
        *,
        public_url: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._runs = runs
        self._targets = targets
        self._endpoints = endpoints
        self._sender = sender
        self._clock = clock
        self._public_url = public_url
        self._chance = chance

    def work(self, job: Job, _lost: Event, _stop: Event) -> Again | None:
        """Does one job (`consumers.actions.worker.Work`). Outages of the database are raised."""
        if not wait_for(self._pool, READS, job.position, PASSING_SECONDS):
            return Again(LATE, unused=True)
        try:
            return self._deliver(job)
        except NotFound:
            return None
        except LeaseLost as error:
            log.info("a delivery went on without this worker: %s", error.message, extra={"run": str(job.run_id)})
            return None

    def _deliver(self, job: Job) -> Again | None:
        tenant = Tenant(job.environment_id, job.organization_id)
        run = self._runs.load(self._context(job, tenant), job.run_id)
        stands = run.deliveries.get(str(job.delivery_id))
        item = next((one for one in delivery_items(run.action) if one["id"] == str(job.delivery_id)), None)
        if stands is None or item is None or stands.status != "pending" or stands.round != job.round:
            return None
        item = {name: value for name, value in item.items() if name != "id"}
        try:
            target = self._targets.look_up(job.environment_id, item)
            message = self._message(tenant, run)
        except Undeliverable as error:
            self._runs.abandon_delivery(self._context(job, tenant), run.id, job.delivery_id, reason=str(error))
            return None
        began, number = self._clock(), stands.attempts + 1
        attempt = self._sender.send(target, message, number, began)
        pause = self._pause(job, attempt)
        self._runs.attempted(
            self._context(job, tenant), run.id, job.delivery_id, job.round, _attempted(attempt, number, began, pause)
        )
        self._note(job, tenant, item, attempt)
        return None if pause is None else Again(pause)

    def _pause(self, job: Job, attempt: Attempt) -> timedelta | None:
        """Before the next attempt of this round; None when there is none."""
        if attempt.verdict != "again":
            return None
        return next_attempt(job.failures + 1, attempt.retry_after, self._chance())

    def _note(self, job: Job, tenant: Tenant, item: Objects, attempt: Attempt) -> None:
        """Counts for the endpoint, which is switched off when nothing succeeds there any more."""
        with self._pool.connection() as connection:
            since = health.note(connection, job.environment_id, item, attempt, self._clock())
        if since is not None:
            context = self._context(job, tenant)
            self._endpoints.disable(context, item, reason=attempt.error or "It is gone.", failing_since=since)
            log.warning(
                "an endpoint kept failing and is switched off: %s", attempt.error, extra={"run": str(job.run_id)}
            )

    def _message(self, tenant: Tenant, run: ActionRun) -> Message:
        """Raises Undeliverable when there is nothing to say any more."""
        text = self._runs.private(run.report_id) if run.report_id else None
        if text is None:
            raise Undeliverable(ERASED)
        with self._pool.connection() as connection:
            scanner = scanners.scanner(connection, tenant, run.scanner_id)
            figures = action_runs.written(connection, tenant, run.id)
        if figures is None:
            raise Undeliverable(ERASED)
        count, at = figures
        markdown = str(text["markdown"])
        data: dict[str, JsonValue] = {
            "vision_action_id": str(run.action_id),
            "run_id": str(run.id),
            "scanner_id": str(run.scanner_id),
            "action_name": run.action["name"],
            "scanner_name": str(scanner["name"]) if scanner else "",
            "observation_count": count,
            "report": markdown,
            "run_url": self._address(tenant, run),
        }
        kind = KINDS.get(run.change or "", "replay_vision.digest")
        return Message(id=run.id, kind=kind, at=at, data=data, markdown=markdown)

    def _address(self, tenant: Tenant, run: ActionRun) -> str:
        base = f"{self._public_url}/api/projects/{tenant.environment_id}/vision/actions"
        return f"{base}/{run.action_id}/runs/{run.id}/"

    def _context(self, job: Job, tenant: Tenant) -> Context:
        return Context(
            actor=Actor(type="system", role="delivery"),
            now=self._clock(),
            correlation_id=job.correlation_id,
            tenant=tenant,
            causation_id=f"{job.run_id}:{job.delivery_id}:{job.round}",
        )


def _attempted(attempt: Attempt, number: int, began: datetime, pause: timedelta | None) -> Attempted:
    ended = began + timedelta(milliseconds=attempt.duration_ms)
    succeeded = attempt.verdict == "succeeded"
    return Attempted(
        number=number,
        at=began,
        status_code=attempt.status_code,
        duration_ms=attempt.duration_ms,
        error=attempt.error,
        response=attempt.response_excerpt or None,
        retry_at=None if pause is None else ended + pause,
        ending="succeeded" if succeeded else "abandoned" if pause is None else None,
    )
