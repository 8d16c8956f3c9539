"""What was paid for is not paid twice, and goes with the recording that it is about."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event, Thread
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from commands.sealing import Seal
from consumers.capture.ending import retention
from consumers.capture.ending.erasing import Eraser
from consumers.capture.ending.settler import settle
from consumers.capture.store.blobs import FolderBlobs
from consumers.scanning import answers as module
from consumers.scanning import jobs
from consumers.scanning.answers import Answers, Asked, forget, uses
from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.port import Answer, ProviderError, Question
from consumers.scanning.session_evidence import evidence_of
from domain.scanner_types import Finding
from domain.tenant import Tenant
from tests.capture.test_erasing import event, hear
from tests.scanning.answering import Answering
from tests.scanning.scans import SESSION, TENANT, Scans, now

pytestmark = pytest.mark.usefixtures("readable")

SECRET = b"of this test"
CONFIG = {"prompt": "Did the visitor complete an order?"}
OUTPUT = {"reasoning": "The visitor looked around (t 3).", "verdict": "no", "confidence": 0.9}
FINDING = Finding(
    description="It did not react.",
    problem_type="bug",
    start_time=3,
    end_time=4,
    headline="Dead button",
    confidence=0.8,
)
PAID = Answer(
    OUTPUT, "google", "g", 1200, 80, Decimal("0.0125"), prompt_digest="p" * 64, answer_digest="a" * 64, requests=1
)  # fmt: skip
QUESTION = Question("monitor", CONFIG, "g")


@pytest.fixture
def paying(scans: Scans) -> Scans:
    """Scans by a model that costs something, with the answers kept."""
    scans.models = {"builtin": ("builtin",), "google": ("g", "h")}
    scans.__post_init__()
    scans.answers = Answers(scans.pool, Seal(SECRET), lambda: scans.clock())  # noqa: PLW0108 - the clock is changed later
    scans.providers = {"google": Answering([PAID])}
    return scans


def asked(scans: Scans) -> int:
    provider = scans.providers["google"]
    assert isinstance(provider, Answering)
    return provider.asked


def scanned(scans: Scans, **fields: Any) -> UUID:
    given = {"provider": "google", "model": "g", "scanner_config": CONFIG, **fields}
    observation_id = scans.request(scans.scanner(**given))
    assert scans.scan() is None
    return observation_id


def rows(scans: Scans, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
    with scans.pool.connection() as connection:
        return connection.execute(statement.encode(), values).fetchall()


def change(scans: Scans, statement: str, *values: Any) -> None:
    with scans.pool.connection() as connection:
        connection.execute(statement.encode(), values)


def body(scans: Scans, observation_id: UUID) -> Any:
    ((found,),) = rows(
        scans, "SELECT body FROM store.private_text WHERE id = %s", scans.last(observation_id)["text"]["id"]
    )
    return found


def test_the_same_question_on_the_same_evidence_is_paid_once(paying: Scans) -> None:
    first, second = scanned(paying), scanned(paying)
    assert asked(paying) == 1
    paid, reused = paying.last(first), paying.last(second)
    assert (paid["reused_from"], paid["input_tokens"], paid["cost_usd"]) == (None, 1200, Decimal("0.0125"))
    assert (reused["reused_from"], reused["input_tokens"], reused["output_tokens"]) == (first, 0, 0)
    assert reused["cost_usd"] == 0
    same = ("result", "provider", "model", "evidence_digest", "prompt_digest", "answer_digest", "signals_count")
    assert {name: reused[name] for name in same} == {name: paid[name] for name in same}
    assert body(paying, second) == body(paying, first)
    with paying.pool.connection() as connection:
        assert uses(connection) == {"hit": 1, "miss": 1}


def test_findings_are_reused_with_their_text(paying: Scans) -> None:
    paying.providers = {"google": Answering([replace(PAID, findings=(FINDING,))])}
    first, second = (scanned(paying, emits_signals=True) for _ in range(2))
    assert asked(paying) == 1
    assert paying.last(second)["signals_count"] == 1
    assert body(paying, second) == body(paying, first)
    assert body(paying, second)["findings"][0]["headline"] == "Dead button"


@pytest.mark.parametrize(
    "fields",
    [
        {"scanner_config": {"prompt": "Did the visitor leave without an order?"}},
        {"scanner_config": {**CONFIG, "allow_inconclusive": True}},
        {"model": "h"},
        {"emits_signals": True},
    ],
    ids=str,
)
def test_another_question_is_asked(paying: Scans, fields: dict[str, Any]) -> None:
    scanned(paying)
    assert paying.last(scanned(paying, **fields))["reused_from"] is None
    assert asked(paying) == 2


def test_what_no_answer_depends_on_is_no_other_question(paying: Scans) -> None:
    scanned(paying)
    scanned(paying, description="Another one.", scanner_config={**CONFIG, "allow_inconclusive": False})
    assert asked(paying) == 1


def test_another_server_behind_the_same_provider_is_asked(paying: Scans) -> None:
    scanned(paying)
    paying.answers = Answers(paying.pool, Seal(SECRET), now, servers={"google": "http://127.0.0.1:9"})
    scanned(paying)
    assert asked(paying) == 2


def test_other_evidence_of_the_same_session_is_asked_about(paying: Scans) -> None:
    scanned(paying)
    change(
        paying, "DELETE FROM capture.part WHERE uuid = (SELECT uuid FROM capture.part ORDER BY arrival DESC LIMIT 1)"
    )
    assert paying.last(scanned(paying))["reused_from"] is None
    assert asked(paying) == 2


def test_switched_off_every_question_is_asked(paying: Scans) -> None:
    paying.answers = None
    scanned(paying)
    scanned(paying)
    assert asked(paying) == 2
    assert rows(paying, "SELECT 1 FROM scanning.answer") == []


def test_builtin_answers_are_not_kept(paying: Scans) -> None:
    paying.providers = {"builtin": Answering([replace(PAID, provider="builtin", model="builtin")])}
    for _ in range(2):
        scanned(paying, provider="builtin", model="builtin")
    assert rows(paying, "SELECT 1 FROM scanning.answer UNION ALL SELECT 1 FROM scanning.answer_use") == []


@pytest.mark.parametrize(
    "wrong", [ProviderError("provider_rejected", "no"), replace(PAID, output={**OUTPUT, "verdict": "maybe"})]
)
def test_a_failed_run_that_a_person_retries_gets_no_kept_failure(paying: Scans, wrong: Answer | ProviderError) -> None:
    paying.providers = {"google": Answering([wrong, PAID])}
    observation_id = scanned(paying)
    assert paying.last(observation_id)["type"] == "ObservationFailed"
    paying.observations.retry(paying.context(), observation_id)
    paying.hear()
    assert paying.scan() is None
    assert paying.last(observation_id)["type"] == "ObservationSucceeded"
    assert asked(paying) == 2


@dataclass
class Outlived:
    """A model that answers when the worker that asked has lost its lease."""

    lost: Event
    asked: int = 0

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        del question, evidence
        self.asked += 1
        self.lost.set()
        return PAID


def test_what_a_lost_worker_has_paid_for_serves_the_next_try_and_its_price_is_told(paying: Scans) -> None:
    model = Outlived(Event())
    paying.providers = {"google": model}
    observation_id = paying.request(paying.scanner(provider="google", model="g", scanner_config=CONFIG))
    job = paying.lease(seconds=0.05)
    assert paying.scanning.scan(job, model.lost) is None
    assert paying.last(observation_id)["type"] == "ScanStarted"
    time.sleep(max(0.0, (job.lease_expires_at - now()).total_seconds() + 0.05))
    with paying.pool.connection() as connection:
        assert jobs.requeue(connection, job)
    assert paying.scan() is None
    last = paying.last(observation_id)
    assert (model.asked, last["reused_from"]) == (1, observation_id)
    assert (last["input_tokens"], last["output_tokens"], last["cost_usd"]) == (1200, 80, Decimal("0.0125"))


class Broken(FolderBlobs):
    """It can keep no evidence, for a reason that is no outage."""

    def put(self, environment_id: int, session_id: str, data: bytes) -> str:
        raise ValueError("broken")


def test_what_a_failed_run_has_recorded_as_paid_is_not_told_again_by_the_next(paying: Scans) -> None:
    paying.providers = {"google": Answering([PAID])}
    blobs, paying.blobs = paying.blobs, Broken(paying.folder)
    observation_id = scanned(paying)
    failed = paying.last(observation_id)
    assert (failed["type"], failed["kind"]) == ("ObservationFailed", "internal_error")
    assert (failed["requests"], failed["input_tokens"], failed["cost_usd"]) == (1, 1200, Decimal("0.0125"))
    assert (failed["prompt_digest"], failed["answer_digest"]) == ("p" * 64, "a" * 64)
    paying.blobs = blobs
    paying.observations.retry(paying.context(), observation_id)
    paying.hear()
    assert paying.scan() is None
    last = paying.last(observation_id)
    assert (asked(paying), last["type"], last["reused_from"]) == (1, "ObservationSucceeded", observation_id)
    assert (last["input_tokens"], last["output_tokens"], last["cost_usd"]) == (0, 0, 0)


def tell(scans: Scans, tenant: Tenant = TENANT) -> bool:
    """Whether a model had to be asked for an answer in an environment, about the evidence of the recorded session."""
    with scans.pool.connection() as connection:
        evidence = evidence_of(connection, scans.blobs, TENANT, SESSION)
    calls: list[int] = []

    def ask() -> Answer:
        calls.append(1)
        return PAID

    assert scans.answers is not None
    told = scans.answers.told(tenant, Asked(uuid4(), "google", SESSION, None), QUESTION, evidence, ask)
    assert told.answer.output == OUTPUT
    assert (told.paid_by is None) is bool(calls)
    return bool(calls)


def test_no_environment_uses_the_answers_of_another(paying: Scans) -> None:
    other = Tenant(2, TENANT.organization_id)
    assert tell(paying)
    assert not tell(paying)
    change(
        paying,
        "INSERT INTO capture.session (environment_id, session_id, last_received_at) VALUES (2, %s, now())",
        SESSION,
    )
    assert tell(paying, other)
    # Nor a row that somebody has moved: what is sealed names its place.
    change(paying, "DELETE FROM scanning.answer WHERE environment_id = 2")
    change(paying, "UPDATE scanning.answer SET environment_id = 2")
    assert tell(paying, other)


def test_what_is_kept_can_be_read_with_the_secret_only(paying: Scans) -> None:
    scanned(paying)
    ((sealed,),) = rows(paying, "SELECT sealed FROM scanning.answer")
    assert "looked around" not in sealed
    assert "looked around" in Seal(SECRET).unseal(sealed)
    paying.answers = Answers(paying.pool, Seal(b"another"), now)
    assert paying.last(scanned(paying))["reused_from"] is None
    assert asked(paying) == 2
    assert paying.last(scanned(paying))["reused_from"] is not None, "the new one has taken its place"


def test_an_answer_that_no_longer_passes_the_checks_is_asked_for_anew(paying: Scans) -> None:
    scanned(paying)
    ((sealed,),) = rows(paying, "SELECT sealed FROM scanning.answer")
    document = orjson.loads(Seal(SECRET).unseal(sealed))
    document["output"]["reasoning"] = 'It says "words that nobody has recorded here" (t 3).'
    change(paying, "UPDATE scanning.answer SET sealed = %s", Seal(SECRET).seal(orjson.dumps(document).decode()))
    assert paying.last(scanned(paying))["reused_from"] is None
    assert asked(paying) == 2
    scanned(paying)
    assert asked(paying) == 2


def test_two_workers_at_once_both_pay_and_one_answer_is_kept(paying: Scans) -> None:
    both = Barrier(2, timeout=20)

    class Meeting(Answering):
        def analyse(self, question: Question, evidence: Evidence) -> Answer:
            both.wait()
            return super().analyse(question, evidence)

    paying.providers = {"google": Meeting([PAID])}
    scanners = [paying.scanner(provider="google", model="g", scanner_config=CONFIG) for _ in range(2)]
    observations = [paying.request(scanner_id) for scanner_id in scanners]
    threads = [Thread(target=paying.scanning.scan, args=(paying.lease(), Event())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [paying.last(one)["reused_from"] for one in observations] == [None, None]
    assert len(rows(paying, "SELECT 1 FROM scanning.answer")) == 1


# --- the end of an answer -------------------------------------------------------------------------------------------


def test_the_answers_of_a_deleted_session_go_with_it_and_none_comes_after(paying: Scans) -> None:
    scanned(paying)
    hear(paying.pool, event(SESSION))
    assert Eraser(paying.pool, paying.blobs, Event(), now).work(Event())
    assert rows(paying, "SELECT 1 FROM scanning.answer") == []

    def ask() -> Answer:
        return PAID

    assert paying.answers is not None
    with paying.pool.connection() as connection:
        nothing = evidence_of(connection, paying.blobs, TENANT, SESSION)
    slow = Asked(uuid4(), "google", SESSION, None)
    assert paying.answers.told(TENANT, slow, QUESTION, nothing, ask).answer is PAID
    assert rows(paying, "SELECT 1 FROM scanning.answer") == []


def received(scans: Scans, at: datetime) -> None:
    change(scans, "UPDATE capture.session SET last_received_at = %s, last_arrived_at = %s", at, at)


def test_the_answers_of_a_session_past_its_retention_are_not_used_and_are_removed(paying: Scans) -> None:
    scanned(paying)
    with paying.pool.connection() as connection:
        settle(connection, now() + timedelta(hours=1), 0)
        connection.execute(
            "INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at)"
            " VALUES (1, %s, 'Web', 'UTC', 'phc_1', now())",
            (TENANT.organization_id,),
        )
    received(paying, now() - timedelta(days=30, seconds=1))
    assert tell(paying)
    assert retention.Retention(paying.pool, paying.blobs, now).run() is None
    assert rows(paying, "SELECT 1 FROM scanning.answer") == []


def test_answers_are_bounded_in_age_number_and_size(paying: Scans, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned(paying)
    received(paying, now() + timedelta(days=40))
    paying.clock = lambda: now() + module.MAX_AGE + timedelta(seconds=5)
    assert tell(paying), "it is too old to be used"
    change(paying, "UPDATE scanning.answer SET made_at = %s", now())
    with paying.pool.connection() as connection:
        assert forget(connection, now() + timedelta(days=29)) == 0
        assert forget(connection, paying.clock()) == 1
        assert forget(connection, paying.clock()) == 0
    paying.clock = now
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    for number in range(4):
        scanned(paying, scanner_config={"prompt": f"Did the visitor complete {number} orders?"})
    assert len(rows(paying, "SELECT 1 FROM scanning.answer")) == 2
    before = asked(paying)
    scanned(paying, scanner_config={"prompt": "Did the visitor complete 3 orders?"})
    assert asked(paying) == before, "the newest are kept"
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    scanned(paying, scanner_config={"prompt": "Did the visitor complete 9 orders?"})
    assert len(rows(paying, "SELECT 1 FROM scanning.answer")) == 2
