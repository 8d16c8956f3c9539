"""One run: a leased job becomes a report, or the reason why there is none."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns, RunLease, WrittenReport
from commands.context import Context
from consumers.actions.alerting import SKIPPED, evaluate
from consumers.actions.jobs import Job
from consumers.actions.outages import OUTAGES
from consumers.actions.report.port import Material, NothingToSay, Report, Writer
from consumers.actions.selection import CAP, Gathered, gather
from consumers.actions.window import window_of
from consumers.actions.worker import Again
from consumers.scanning.pauses import MAX_TRIES, pause
from consumers.scanning.providers.calls import GivenUp, until
from consumers.scanning.providers.port import ProviderError
from domain.action import ALERT
from domain.action_run import ActionRun, Cited
from domain.errors import LeaseLost, NotFound
from domain.event import Actor
from domain.tenant import Tenant
from projections.engine.waiting import wait_for
from projections.queries import actions, scanners
from projections.queries.selected import Selected, Window

log = logging.getLogger("replay_vision.actions")

READS = ("observations", "actions", "action_runs", "scanners")
"""Projections that a run looks at, and that must have passed its claim."""

PASSING_SECONDS = 5.0
LATE = timedelta(seconds=2)
"""Before a run is looked at again whose projections are late."""

AT_ONCE = timedelta(0)

EMPTY = "skipped_empty"


class Ended(Exception):
    """The run is skipped, for a reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the read side knows of a run."""

    window: Window
    scanner: Mapping[str, Any]


class Running:
    """Does the jobs of runs. Shared by all worker threads of a process."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        runs: ActionRuns,
        writer: Writer,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        most: int = CAP,
    ) -> None:
        """`most` observations are read for a report (`selection.gather`)."""
        self._pool = pool
        self._runs = runs
        self._writer = writer
        self._clock = clock
        self._chance = chance
        self._most = most

    def work(self, job: Job, lost: Event, stop: Event) -> Again | None:
        """Does one job (`consumers.actions.worker.Work`). Outages of the database are raised."""
        tenant = Tenant(job.environment_id, job.organization_id)
        context = self._context(job, tenant)
        try:
            run = self._runs.load(context, job.run_id)
        except NotFound:
            return None
        if run.status != "running":
            return None
        if not wait_for(self._pool, READS, job.position, PASSING_SECONDS):
            return Again(LATE, unused=True)
        lease = RunLease(job.run_id, job.lease_token)
        try:
            return self._begin(job, tenant, run, lease, lambda: lost.is_set() or stop.is_set())
        except LeaseLost as error:
            log.info("a run went on without this worker: %s", error.message, extra={"run": str(job.run_id)})
            return None
        except GivenUp:
            return None if lost.is_set() else Again(AT_ONCE, failed=False)

    def _begin(
        self, job: Job, tenant: Tenant, run: ActionRun, lease: RunLease, unwanted: Callable[[], bool]
    ) -> Again | None:
        context = self._context(job, tenant)
        with self._pool.connection() as connection:
            alert = actions.alert_state(connection, tenant, run.action_id) if run.action["mode"] == ALERT else None
            window = window_of(connection, tenant, run, alert)
            scanner = scanners.scanner(connection, tenant, run.scanner_id)
        run = self._runs.start(context, lease, try_number=job.try_number, window_start=window.start, since=window.since)
        try:
            self._check_alive(context, run, scanner)
            if run.action["mode"] == ALERT:
                return self._measure(job, tenant, run, lease, scanner or {})
            return self._report(job, tenant, run, lease, _Reading(window, scanner or {}), unwanted)
        except Ended as ended:
            self._runs.skip(self._context(job, tenant), lease, reason=ended.reason, message=ended.message)
        return None

    def _report(
        self,
        job: Job,
        tenant: Tenant,
        run: ActionRun,
        lease: RunLease,
        reading: _Reading,
        unwanted: Callable[[], bool],
    ) -> Again | None:
        """Raises Ended, GivenUp, LeaseLost."""
        gathered = self._gathered(tenant, run, reading.window)
        try:
            report = self._written(tenant, run, reading, gathered, unwanted)
        except ProviderError as error:
            return self._failed(job, tenant, lease, error)
        self._runs.write_report(self._context(job, tenant), lease, _recorded(report, gathered))
        return None

    def _measure(self, job: Job, tenant: Tenant, run: ActionRun, lease: RunLease, scanner: Mapping[str, Any]) -> None:
        """Raises LeaseLost."""
        with self._pool.connection() as connection:
            found = evaluate(connection, tenant, run, str(scanner["name"]), self._clock())
        context = self._context(job, tenant)
        if found.report is not None:
            self._runs.write_report(context, lease, found.report, found.measured)
        else:
            message = SKIPPED[found.reason]
            self._runs.skip(context, lease, reason=found.reason, message=message, measured=found.measured)

    def _check_alive(self, context: Context, run: ActionRun, scanner: Mapping[str, Any] | None) -> None:
        """Raises Ended. Who asks for a run of a disabled action gets it."""
        if scanner is None:
            raise Ended("not_found", "The scanner was deleted.")
        try:
            enabled = self._runs.is_enabled(context, run.action_id)
        except NotFound as error:
            raise Ended("not_found", "The action was deleted.") from error
        if run.cause == "schedule" and not enabled:
            raise Ended("disabled", "The action was switched off.")

    def _gathered(self, tenant: Tenant, run: ActionRun, window: Window) -> Gathered:
        """Raises Ended when nothing matched."""
        selection = run.action.get("selection")
        selected = Selected.of(selection if isinstance(selection, dict) else {}, run.scanner_id)
        with self._pool.connection() as connection:
            gathered = gather(connection, tenant, selected, window, run.scanner_id, self._most)
        if not gathered.observations:
            raise Ended(EMPTY, "No observation matched.")
        return gathered

    def _written(
        self, tenant: Tenant, run: ActionRun, reading: _Reading, gathered: Gathered, unwanted: Callable[[], bool]
    ) -> Report:
        """Raises Ended, ProviderError, GivenUp."""
        material = _material(run, reading, gathered)
        scanner = reading.scanner
        try:
            with until(unwanted):
                return self._writer.write(tenant, run.id, material, str(scanner["provider"]), str(scanner["model"]))
        except NothingToSay as error:
            raise Ended(EMPTY, "There was nothing to report.") from error
        except (ProviderError, GivenUp, *OUTAGES):
            raise
        except Exception as error:
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("writing a report broke with %s\n%s", type(error).__name__, places)  # noqa: TRY400 - not its words
            message = f"Writing the report broke with {type(error).__name__}."
            raise ProviderError("internal_error", message) from error

    def _failed(self, job: Job, tenant: Tenant, lease: RunLease, error: ProviderError) -> Again | None:
        failures = job.failures + 1
        if error.kind == "provider_transient" and failures < MAX_TRIES:
            return Again(pause(failures, error.retry_after, self._chance))
        self._runs.fail(self._context(job, tenant), lease, reason=error.kind, message=error.message)
        return None

    def _context(self, job: Job, tenant: Tenant) -> Context:
        return Context(
            actor=Actor(type="system", role="actions"),
            now=self._clock(),
            correlation_id=job.correlation_id,
            tenant=tenant,
            causation_id=f"{job.run_id}:1",
        )


def _material(run: ActionRun, reading: _Reading, gathered: Gathered) -> Material:
    scanner = reading.scanner
    synthesis = run.action.get("synthesis_config")
    guide = synthesis.get("prompt_guide") if isinstance(synthesis, dict) else None
    return Material(
        action_name=str(run.action["name"]),
        scanner_name=str(scanner["name"]),
        scanner_type=str(scanner["scanner_type"]),
        timezone=str(run.action["timezone"]),
        prompt_guide=guide if isinstance(guide, str) else "",
        window_start=reading.window.start,
        window_end=reading.window.end,
        matched=gathered.matched,
        observations=gathered.observations,
        current=gathered.current,
        previous=gathered.previous,
    )


def _recorded(report: Report, gathered: Gathered) -> WrittenReport:
    by_index = {noted.index: noted for noted in gathered.observations}
    cited = [by_index[index] for index in report.cited if index in by_index]
    return WrittenReport(
        markdown=report.markdown,
        observations=[Cited(index=one.index, id=one.id, session_id=one.session_id) for one in cited],
        observation_count=len(gathered.observations),
        matched=gathered.matched,
        provider=report.provider,
        model=report.model,
        input_tokens=report.input_tokens,
        output_tokens=report.output_tokens,
        cost_usd=report.cost_usd,
        digests=report.digests,
    )
