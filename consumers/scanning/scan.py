"""One scan: a leased job becomes an ending of its observation, or another try."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Event
from typing import Any

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import Lease, Observations, Success
from commands.store.application import STORE_OUTAGES
from consumers.capture.store.blobs import Blobs, MissingBlob
from consumers.scanning.answers import Answers, Asked, Told
from consumers.scanning.evidence import Evidence
from consumers.scanning.jobs import Job
from consumers.scanning.kept_evidence import KeptEvidence
from consumers.scanning.pauses import MAX_TRIES, pause
from consumers.scanning.providers.calls import GivenUp, until
from consumers.scanning.providers.checks import check_answer, refusal
from consumers.scanning.providers.port import Answer, Provider, ProviderError, Question, Used
from consumers.scanning.session_evidence import evidence_of
from domain.eligibility import NO_RECORDING, EligibilityLimits, Ineligible, ineligible
from domain.errors import LeaseLost, NotFound
from domain.event import Actor
from domain.observation import GIVEN_BACK, Observation, Usage
from domain.scanner_types import FINDINGS, model_output, split_findings, split_private
from domain.session_facts import SessionFacts
from domain.tenant import Tenant
from projections.queries.people import person_of_session
from projections.queries.sessions import session_facts

log = logging.getLogger("replay_vision.scanning")

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, *STORE_OUTAGES, OSError)
"""Database or blob store away: nobody's fault, so no run fails because of it."""

_BLOBS_PAUSE = timedelta(seconds=15)
"""Before a recording is looked for again that the blob store could not give."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The job shall be leased again at this time. `unused`: nothing was begun, so this lease was no try."""

    at: datetime
    unused: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a session gives to judge, or why it gives nothing."""

    began: datetime
    facts: SessionFacts | None
    found: Evidence | Ineligible | ProviderError


class Scanning:
    """Does jobs. Shared by all worker threads of a process."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        observations: Observations,
        blobs: Blobs,
        providers: Mapping[str, Provider],
        limits: EligibilityLimits,
        clock: Callable[[], datetime],
        *,
        answers: Answers | None = None,
        chance: Callable[[], float] = random.random,
        masked: bool = True,
    ) -> None:
        """Without `answers` every question is asked, whether it was before or not."""
        self._pool = pool
        self._observations = observations
        self._blobs = blobs
        self._providers = providers
        self._limits = limits
        self._clock = clock
        self._answers = answers
        self._kept = KeptEvidence(pool, blobs, clock)
        self._chance = chance
        self._masked = masked

    def scan(self, job: Job, lost: Event, stop: Event | None = None) -> Retry | None:
        """Does one try. Returns when to try again, or None when the run has ended or is somebody else's.

        `lost` is set by the lease's keeper; a call of a model is then cancelled, and nothing is reported. `stop` means
        that the process ends: a call is cancelled, and the try given back. Database outages are raised: the lease
        then runs out and the job is taken up again. While the blob store is away no try begins, however long that is.
        """
        lease = Lease(job.observation_id, job.run, job.lease_token)
        try:
            reading = self._reading(job)
        except OSError as away:
            log.warning("a scan waits for the blob store: %s", away, extra={"observation": str(job.observation_id)})
            return Retry(self._clock() + _BLOBS_PAUSE, unused=True)
        try:
            subject = self._subject(job, reading.facts)
            observation = self._observations.start(
                self._context(job), lease, try_number=job.try_number, subject=subject
            )
            try:
                with until(lambda: lost.is_set() or (stop is not None and stop.is_set())):
                    return self._judge(job, lease, observation, reading, lost)
            except GivenUp as given_up:
                if lost.is_set():
                    return _unreported(job, given_up.used)
                return self._stopped(job, lease, self._usage(reading, given_up.used))
        except (LeaseLost, NotFound) as gone:
            log.info("a scan was given up: %s", gone.message, extra={"observation": str(job.observation_id)})
            return None

    def _judge(self, job: Job, lease: Lease, observation: Observation, reading: _Reading, lost: Event) -> Retry | None:
        found = reading.found
        if isinstance(found, Ineligible):
            return self._end_ineligible(job, lease, found, self._usage(reading, Used()))
        question = _question(observation)
        try:
            if isinstance(found, ProviderError):
                raise found
            told = self._told(job, observation, question, found, reading.facts)
            if self._facts(job) is None:
                # Deleted while it was judged: what was said of it goes nowhere, and was paid for all the same.
                return self._end_ineligible(job, lease, NO_RECORDING, self._usage(reading, told.answer.used))
            with _breaking("Storing the answer", told.answer.used):
                success = _success(question, found, told, reading.facts, self._clock() - reading.began)
            # Before the ending, so that there is none without it.
            with _breaking("Keeping the evidence", told.answer.used):
                self._kept.keep(_tenant(job), job.session_id, found)
        except ProviderError as error:
            if lost.is_set():
                return _unreported(job, error.used)
            return self._failed(job, lease, observation, error, self._usage(reading, error.used))
        if lost.is_set():
            return _unreported(job, told.answer.used)
        self._observations.succeed(self._context(job), lease, success)
        return None

    def _told(
        self, job: Job, observation: Observation, question: Question, evidence: Evidence, facts: SessionFacts | None
    ) -> Told:
        """Raises ProviderError."""

        def ask() -> Answer:
            return self._ask(observation, question, evidence)

        if self._answers is None:
            return Told(ask())
        provider = str(observation.scanner_snapshot["provider"])
        subject = facts.distinct_id if facts else None
        asked = Asked(job.observation_id, provider, job.session_id, subject, observation.told)
        return self._answers.told(_tenant(job), asked, question, evidence, ask)

    def _ask(self, observation: Observation, question: Question, evidence: Evidence) -> Answer:
        """Raises ProviderError, also for an answer that breaks a rule: checks fail closed, whoever answered."""
        name = str(observation.scanner_snapshot["provider"])
        provider = self._providers.get(name)
        if provider is None:
            message = f"No provider '{name}' is configured on this server."
            raise ProviderError("provider_rejected", message)
        with _breaking("The analysis"):
            try:
                answer = provider.analyse(question, evidence)
            except OSError as error:
                # Not one of our outages: it is the provider that was not reached.
                raise ProviderError("provider_transient", "The provider could not be reached.") from error
        with _breaking("The analysis", answer.used):
            problems = check_answer(question, evidence, answer.output)
        if problems:
            refused = refusal(question, problems)
            refused.used = answer.used
            raise refused
        return answer

    def _failed(
        self, job: Job, lease: Lease, observation: Observation, error: ProviderError, usage: Usage
    ) -> Retry | None:
        failures = observation.failures + 1
        why: dict[str, Any] = {"kind": error.kind, "message": error.message, "usage": usage}
        if error.kind == "provider_transient" and failures < MAX_TRIES:
            at = self._clock() + pause(failures, error.retry_after, self._chance)
            self._observations.fail_try(self._context(job), lease, retry_at=at, **why)
            return Retry(at)
        self._observations.fail(self._context(job), lease, **why)
        return None

    def _end_ineligible(self, job: Job, lease: Lease, why: Ineligible, usage: Usage) -> None:
        self._observations.judge_ineligible(self._context(job), lease, kind=why.kind, message=why.message, usage=usage)

    def _stopped(self, job: Job, lease: Lease, usage: Usage) -> Retry:
        """The process ends in the middle of a call. Another worker begins anew, at once.

        It is recorded as a try, since it may have to be paid, and is none of the failures that end a run.
        """
        why: dict[str, Any] = {"kind": GIVEN_BACK, "message": "The worker was stopped during the call."}
        at = self._clock()
        self._observations.fail_try(self._context(job), lease, retry_at=at, usage=usage, **why)
        return Retry(at)

    def _usage(self, reading: _Reading, used: Used) -> Usage:
        """What the try took, as its event tells it."""
        return Usage(
            requests=used.requests,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cost_usd=used.cost_usd,
            duration_ms=_milliseconds(self._clock() - reading.began),
            prompt_digest=used.prompt_digest or None,
            answer_digest=used.answer_digest or None,
        )

    def _ineligible(self, facts: SessionFacts | None) -> Ineligible | None:
        if facts is None:
            return NO_RECORDING
        return ineligible(facts.recording_duration, facts.active_seconds, self._limits)

    def _reading(self, job: Job) -> _Reading:
        """Comes before the try begins, so that none has to fail because the store is away: that is raised."""
        began, facts = self._clock(), self._facts(job)
        try:
            found = self._ineligible(facts) or self._evidence(job)
        except ProviderError as error:
            found = error
        # Deleted while it was read: part of a recording is no evidence, and a missing blob no defect.
        gone = facts is not None and self._facts(job) is None
        return _Reading(began, facts, NO_RECORDING if gone else found)

    def _facts(self, job: Job) -> SessionFacts | None:
        with self._pool.connection() as connection:
            return session_facts(connection, _tenant(job), job.session_id, self._clock())

    def _subject(self, job: Job, facts: SessionFacts | None) -> dict[str, str | None] | None:
        """Who was recorded: the id that the recording names first, and the address that the site's analytics tell.

        As known now; what is learned later does not change what a run has stored.
        """
        if facts is None or facts.distinct_id is None:
            return None
        with self._pool.connection() as connection:
            person = person_of_session(connection, _tenant(job), job.session_id)
        return {"distinct_id": facts.distinct_id, "email": person.email if person else None}

    def _evidence(self, job: Job) -> Evidence:
        """Raises ProviderError for a recording that cannot be read; outages of database and blobs are raised."""
        with self._pool.connection() as connection, _breaking("Reading the recording"):
            return evidence_of(connection, self._blobs, _tenant(job), job.session_id, masked=self._masked)

    def _context(self, job: Job) -> Context:
        return Context(
            actor=Actor(type="system", role="scanning"),
            now=self._clock(),
            correlation_id=job.correlation_id,
            tenant=_tenant(job),
            causation_id=f"{job.observation_id}:run{job.run}",
        )


def _unreported(job: Job, used: Used) -> None:
    """Whoever has lost the lease may record nothing, so the log says it. An answer that is kept brings its price."""
    if used.requests:
        told = "a lease was lost over a call of %d requests, %d and %d tokens, %s US dollars"
        where = {"observation": str(job.observation_id)}
        log.info(told, used.requests, used.input_tokens, used.output_tokens, used.cost_usd, extra=where)


@contextmanager
def _breaking(what: str, used: Used | None = None) -> Generator[None]:
    """Turns whatever breaks inside, outages apart, into the failure of this one run, which has `used` so much.

    The log gets where it broke and not what was said: an error's text can quote the page or the answer.
    """
    try:
        yield
    except (ProviderError, GivenUp, *OUTAGES):
        raise
    except MissingBlob as error:
        message = "A part of the recording is missing from the blob store."
        raise ProviderError("internal_error", message, used=used) from error
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s broke with %s\n%s", what, type(error).__name__, places)  # noqa: TRY400 - see above
        message = f"{what} broke with {type(error).__name__}."
        raise ProviderError("internal_error", message, used=used) from error


def _milliseconds(took: timedelta) -> int:
    return round(took.total_seconds() * 1000)


def _tenant(job: Job) -> Tenant:
    return Tenant(job.environment_id, job.organization_id)


def _question(observation: Observation) -> Question:
    """From the snapshot, which later edits of the scanner leave as it is."""
    snapshot = observation.scanner_snapshot
    config = snapshot["scanner_config"]
    return Question(
        scanner_type=str(snapshot["scanner_type"]),
        scanner_config=dict(config) if isinstance(config, dict) else {},
        model=str(snapshot["model"]),
        emits_signals=bool(snapshot["emits_signals"]),
    )


def _success(
    question: Question, evidence: Evidence, told: Told, facts: SessionFacts | None, took: timedelta
) -> Success:
    answer = told.answer
    document = model_output(question.scanner_type, question.scanner_config, answer.output, evidence.duration_ms)
    result, private = split_private(document)
    found, texts = split_findings(answer.findings)
    if found:
        result[FINDINGS], private[FINDINGS] = found, texts
    asked = orjson.dumps([question.scanner_type, question.scanner_config], option=orjson.OPT_SORT_KEYS)
    raw = orjson.dumps(answer.output, option=orjson.OPT_SORT_KEYS)
    return Success(
        result=orjson.loads(orjson.dumps(result)),
        private=private,
        subject=facts.distinct_id if facts else None,
        signals_count=len(answer.findings),
        evidence_digest=evidence.digest,
        prompt_digest=answer.prompt_digest or sha256(asked).hexdigest(),
        answer_digest=answer.answer_digest or sha256(raw).hexdigest(),
        provider=answer.provider,
        model=answer.model,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cost_usd=answer.cost_usd,
        duration_ms=_milliseconds(took),
        reused_from=told.paid_by,
    )
