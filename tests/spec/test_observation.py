"""Observation: runs, tries, leases and endings (architecture 5)."""

from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import Conflict, LeaseLost
from domain.event import Stamp, TextRef
from domain.ids import observation_id
from domain.observation import (
    GIVEN_BACK,
    UNKNOWN,
    Observation,
    ObservationFailed,
    ObservationIneligible,
    ObservationRequested,
    ObservationRetried,
    ObservationSucceeded,
    ScanStarted,
    TryFailed,
    Usage,
)
from tests.spec.given import NOW, STAMP, Fact, fact, given

SCANNER = UUID("0197a3c0-52f1-7e0a-8f0b-6f1f2d9c1a44")
FIRST, SECOND, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
TEXT = TextRef(id=UUID(int=9), digest="0" * 64)
LATER = NOW + timedelta(seconds=30)
SNAPSHOT: dict[str, Any] = {"name": "Dead ends", "scanner_version": 3, "scanner_config": {"prompt": "Why?"}}
ANSWER: dict[str, Any] = {
    "result": {"verdict": "yes", "confidence": 0.75},
    "text": TEXT,
    "signals_count": 2,
    "evidence_digest": "e" * 64,
    "prompt_digest": "p" * 64,
    "answer_digest": "a" * 64,
    "provider": "builtin",
    "model": "builtin",
    "input_tokens": 1200,
    "output_tokens": 80,
    "cost_usd": Decimal("0.000125"),
    "duration_ms": 1875,
    "reused_from": None,
}

USED = Usage(2, 2400, 160, Decimal("0.00364"), 61_250, "p" * 64, "b" * 64)


def started(run: int = 1, try_number: int = 1, token: UUID = FIRST, subject: TextRef | None = None) -> Fact:
    return fact(ScanStarted, run=run, try_number=try_number, lease_token=token, subject=subject)


def try_failed(
    run: int = 1, try_number: int = 1, token: UUID = FIRST, kind: str = "timeout", usage: Usage = USED
) -> Fact:
    why: dict[str, Any] = {"kind": kind, "message": "Slow.", "retry_at": LATER, **asdict(usage)}
    return fact(TryFailed, run=run, try_number=try_number, lease_token=token, **why)


def succeeded(run: int = 1, token: UUID = FIRST) -> Fact:
    return fact(ObservationSucceeded, run=run, lease_token=token, **ANSWER)


def failed(run: int = 1, token: UUID | None = FIRST, usage: Usage = UNKNOWN) -> Fact:
    why: dict[str, Any] = {"kind": "provider_error", "message": "No answer.", **asdict(usage)}
    return fact(ObservationFailed, run=run, lease_token=token, **why)


def ineligible(run: int = 1, token: UUID = FIRST, usage: Usage = USED) -> Fact:
    why: dict[str, Any] = {"kind": "too_short", "message": "3 s.", **asdict(usage)}
    return fact(ObservationIneligible, run=run, lease_token=token, **why)


def retried(run: int = 2) -> Fact:
    return fact(
        ObservationRetried, run=run, scanner_id=SCANNER, session_id="s-1", triggered_by_user=17, period="2026-12"
    )


REQUESTED = fact(
    ObservationRequested,
    scanner_id=SCANNER,
    session_id="s-1",
    scanner_snapshot=SNAPSHOT,
    triggered_by="on_demand",
    triggered_by_user=17,
    period="2026-11",
)


# What a worker or a person asks for, always with values that fit run 1, token FIRST.


def start(observation: Observation) -> None:
    """A worker that took over with a new token begins the next try."""
    observation.start(STAMP, run=1, try_number=observation.try_number + 1, lease_token=THIRD, subject=TEXT)


def fail_try(observation: Observation) -> None:
    why: dict[str, Any] = {"kind": "timeout", "message": "Slow.", "retry_at": LATER}
    observation.fail_try(STAMP, run=1, lease_token=FIRST, usage=USED, **why)


def succeed(observation: Observation) -> None:
    observation.succeed(STAMP, run=1, lease_token=FIRST, **ANSWER)


def fail(observation: Observation) -> None:
    observation.fail(STAMP, run=1, lease_token=FIRST, kind="provider_error", message="No answer.", usage=USED)


def judge(observation: Observation) -> None:
    observation.judge_ineligible(STAMP, run=1, lease_token=FIRST, kind="too_short", message="3 s.", usage=USED)


def abandon(observation: Observation) -> None:
    """What the reaper does: ends the run whoever held it last, and what they used nobody knows."""
    token = observation.lease_token
    observation.fail(STAMP, run=1, lease_token=token, kind="provider_error", message="No answer.")


def retry(observation: Observation) -> None:
    observation.retry(STAMP, period="2026-12")


STATES: dict[str, tuple[Fact, ...]] = {
    "pending": (REQUESTED,),
    "running": (REQUESTED, started()),
    "waiting": (REQUESTED, started(), try_failed()),
    "succeeded": (REQUESTED, started(), succeeded()),
    "failed": (REQUESTED, started(), failed()),
    "ineligible": (REQUESTED, started(), ineligible()),
    "run 2 pending": (REQUESTED, started(), failed(), retried()),
}
LOST, CONFLICT = LeaseLost, Conflict
TABLE: dict[str, dict[Any, Any]] = {
    "pending": {
        start: started(try_number=1, token=THIRD, subject=TEXT),
        fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: failed(token=None), retry: CONFLICT,
    },
    "running": {
        start: started(try_number=2, token=THIRD, subject=TEXT),
        fail_try: try_failed(), succeed: succeeded(), fail: failed(usage=USED), judge: ineligible(), abandon: failed(),
        retry: CONFLICT,
    },
    "waiting": {
        start: started(try_number=2, token=THIRD, subject=TEXT),
        fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: failed(token=None), retry: CONFLICT,
    },
    "succeeded": {start: LOST, fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: LOST, retry: CONFLICT},
    "failed": {start: LOST, fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: LOST, retry: retried()},
    "ineligible": {
        start: LOST, fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: LOST, retry: retried(),
    },
    "run 2 pending": {
        start: LOST, fail_try: LOST, succeed: LOST, fail: LOST, judge: LOST, abandon: LOST, retry: CONFLICT,
    },
}  # fmt: skip


@pytest.mark.rule("trap/5")
@pytest.mark.parametrize(
    ("state", "decide"),
    [(state, decide) for state, row in TABLE.items() for decide in row],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_the_table_of_states(state: str, decide: Any) -> None:
    expected = TABLE[state][decide]
    decided = given(Observation, *STATES[state]).when(decide)
    if isinstance(expected, Fact):
        decided.then(expected)
    else:
        decided.then_refused(expected)


@pytest.mark.parametrize("state", STATES)
def test_the_contracts_status_of_each_state(state: str) -> None:
    observation = given(Observation, *STATES[state]).when(lambda _: None).then_nothing()
    contract = {"waiting": "running", "run 2 pending": "pending"}.get(state, state)
    assert observation.status == contract
    assert observation.in_flight is (contract in ("pending", "running"))


# --- request --------------------------------------------------------------------------------------------------------


def request(stamp: Stamp = STAMP) -> Observation:
    return Observation.request(
        stamp,
        scanner_id=SCANNER,
        session_id="s-1",
        scanner_snapshot=SNAPSHOT,
        triggered_by="on_demand",
        period="2026-11",
    )


@pytest.mark.rule("4.1/snapshot-frozen")
def test_requesting_freezes_the_scanner_and_opens_run_one() -> None:
    observation = given(Observation).when(lambda _: request()).then(REQUESTED)
    assert observation.id == observation_id(7, SCANNER, "s-1")
    assert (observation.run, observation.try_number, observation.lease_token) == (1, 0, None)


def test_an_observation_needs_an_environment() -> None:
    with pytest.raises(ValueError, match="environment"):
        request(Stamp(recorded_at=NOW, actor=STAMP.actor, correlation_id=uuid4()))


# --- leases ---------------------------------------------------------------------------------------------------------


def test_beginning_the_same_try_again_with_the_same_token_records_nothing() -> None:
    given(Observation, REQUESTED, started()).when(
        lambda o: o.start(STAMP, run=1, try_number=1, lease_token=FIRST, subject=None)
    ).then_nothing()


def test_a_new_try_is_recorded_also_under_the_same_token() -> None:
    given(Observation, REQUESTED, started()).when(
        lambda o: o.start(STAMP, run=1, try_number=2, lease_token=FIRST, subject=None)
    ).then(started(try_number=2))


@pytest.mark.parametrize("try_number", [0, 1])
def test_a_worker_cannot_begin_a_try_that_another_has_begun(try_number: int) -> None:
    given(Observation, REQUESTED, started()).when(
        lambda o: o.start(STAMP, run=1, try_number=try_number, lease_token=SECOND, subject=None)
    ).then_refused(LeaseLost)


def test_a_failed_try_cannot_begin_again_under_its_own_number_or_token() -> None:
    waiting = given(Observation, REQUESTED, started(), try_failed())
    for token in (FIRST, SECOND):
        waiting.when(
            lambda o, token=token: o.start(STAMP, run=1, try_number=1, lease_token=token, subject=None)
        ).then_refused(LeaseLost)


@pytest.mark.parametrize("decide", [fail_try, succeed, fail, judge])
def test_a_worker_that_was_taken_over_can_end_nothing(decide: Any) -> None:
    taken_over = given(Observation, REQUESTED, started(), started(try_number=2, token=SECOND))
    taken_over.when(decide).then_refused(LeaseLost)


def test_the_worker_that_took_over_ends_the_run() -> None:
    given(Observation, REQUESTED, started(), started(try_number=2, token=SECOND)).when(
        lambda o: o.succeed(STAMP, run=1, lease_token=SECOND, **ANSWER)
    ).then(succeeded(token=SECOND))


@pytest.mark.parametrize("decide", [fail_try, succeed, fail, judge])
def test_the_worker_of_an_earlier_run_can_end_nothing_even_with_the_same_token(decide: Any) -> None:
    second_run = given(Observation, REQUESTED, started(), failed(), retried(), started(run=2, token=FIRST))
    second_run.when(decide).then_refused(LeaseLost)


def test_a_run_that_is_yet_to_come_cannot_begin() -> None:
    given(Observation, REQUESTED).when(
        lambda o: o.start(STAMP, run=2, try_number=1, lease_token=FIRST, subject=None)
    ).then_refused(LeaseLost)


# --- what tries without an answer leave ------------------------------------------------------------------------------


def test_tries_given_back_are_no_failures_and_a_retry_counts_from_none() -> None:
    history = [REQUESTED]
    for number, kind in enumerate(("timeout", GIVEN_BACK, "timeout"), start=1):
        token = UUID(int=number)
        history += [started(try_number=number, token=token), try_failed(1, number, token, kind)]
    waiting = given(Observation, *history).when(lambda _: None).then_nothing()
    assert (waiting.try_number, waiting.failures) == (3, 2)
    abandoned = (*history, failed(token=None), retried())
    assert given(Observation, *abandoned).when(lambda _: None).then_nothing().failures == 0


def test_answers_whose_price_is_recorded_are_known_in_every_later_run() -> None:
    silent = replace(USED, answer_digest=None)
    history = (
        *(REQUESTED, started(), try_failed(usage=silent), started(try_number=2, token=SECOND)),
        *(failed(token=SECOND, usage=USED), retried()),
    )
    assert given(Observation, *history).when(lambda _: None).then_nothing().told == (USED.answer_digest,)


# --- retry ----------------------------------------------------------------------------------------------------------


def test_a_retry_counts_tries_from_one_again_and_charges_its_own_period() -> None:
    history = (REQUESTED, started(), try_failed(), started(try_number=2, token=SECOND), failed(token=SECOND))
    observation = given(Observation, *history).when(retry).then(retried())
    assert (observation.run, observation.try_number, observation.lease_token) == (2, 0, None)
    assert (observation.period, observation.status) == ("2026-12", "pending")
    given(Observation, *history, retried()).when(
        lambda o: o.start(STAMP, run=2, try_number=1, lease_token=THIRD, subject=None)
    ).then(started(run=2, token=THIRD))


def test_runs_count_on() -> None:
    history = (REQUESTED, started(), ineligible(), retried(), started(run=2, token=SECOND), ineligible(2, SECOND))
    given(Observation, *history).when(retry).then(retried(run=3))


def test_a_success_in_the_second_run_is_for_good() -> None:
    history = (REQUESTED, started(), failed(), retried(), started(run=2, token=SECOND), succeeded(2, SECOND))
    given(Observation, *history).when(retry).then_refused(Conflict)
