"""Jobs to endings: eligibility, evidence, checks, tries, takeovers and the reaper, on a real recording."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest

from consumers.scanning import jobs
from consumers.scanning.evidence import Evidence
from consumers.scanning.pauses import MAX_TRIES
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, ProviderError, Question
from consumers.scanning.worker import MAX_EXPIRIES, Reaper, ScanWorker
from domain.eligibility import EligibilityLimits
from tests.live import wait_until
from tests.scanning.answering import Answering
from tests.scanning.scans import Scans, now

pytestmark = pytest.mark.usefixtures("readable")


@pytest.mark.parametrize(
    ("scanner_type", "config"),
    [
        ("monitor", {"prompt": "Did the visitor complete an order?"}),
        ("classifier", {"prompt": "How did it end?", "tags": ["converted", "abandoned"]}),
        ("scorer", {"prompt": "How frustrated was the visitor?", "scale": {"min": 0, "max": 10}}),
        ("summarizer", {"prompt": "What happened?"}),
    ],
)
def test_every_type_succeeds_on_a_real_recording(scans: Scans, scanner_type: str, config: dict[str, Any]) -> None:
    observation_id = scans.request(scans.scanner(scanner_type=scanner_type, scanner_config=config))
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert event["type"] == "ObservationSucceeded"
    assert event["result"]["scanner_type"] == scanner_type
    assert not {"reasoning", "summary", "title"} & event["result"].keys(), "free text belongs in private text"
    with scans.pool.connection() as connection:
        row = connection.execute("SELECT body FROM store.private_text WHERE id = %s", (event["text"]["id"],)).fetchone()
    assert row is not None
    assert row[0].keys() & {"reasoning", "summary"}


@pytest.mark.rule("4.1/no-recording", "5/unscannable")
def test_an_unknown_session_is_ineligible(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner(), "nobody-recorded-this")
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationIneligible", "no_recording")


@pytest.mark.rule("10/17", "4.1/too-short")
def test_limits_are_checked_again_by_the_scan(scans: Scans) -> None:
    scans.limits = EligibilityLimits(min_duration_seconds=10_000)
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    assert scans.last(observation_id)["kind"] == "too_short"


@pytest.mark.rule("trap/18")
def test_a_provider_that_is_not_configured_says_so(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner(provider="google", model="g"))
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationFailed", "provider_rejected")
    assert "google" in event["message"]


@pytest.mark.rule("4.1/provider-transient")
def test_a_transient_failure_is_tried_again_and_then_ends_the_run(scans: Scans) -> None:
    provider = Answering([ProviderError("provider_transient", "HTTP 503", retry_after=7)])
    scans.providers = {"builtin": provider}
    observation_id = scans.request(scans.scanner())
    for number in range(1, MAX_TRIES + 1):
        job = scans.lease()
        assert job.try_number == number
        retry = scans.scanning.scan(job, Event())
        if number < MAX_TRIES:
            assert retry is not None
            assert timedelta(seconds=5) < retry.at - now() < timedelta(seconds=8)
            with scans.pool.connection() as connection:
                assert jobs.retry_at(connection, job, now() - timedelta(seconds=1))
        else:
            assert retry is None
    assert provider.asked == MAX_TRIES
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationFailed", "provider_transient")


@pytest.mark.rule("4.1/provider-transient", "4.1/provider-rejected")
@pytest.mark.parametrize("kind", ["provider_rejected", "validation_failed", "internal_error"])
def test_a_permanent_failure_is_not_tried_again(scans: Scans, kind: Any) -> None:
    provider = Answering([ProviderError(kind, "no")])
    scans.providers = {"builtin": provider}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    assert (provider.asked, scans.last(observation_id)["kind"]) == (1, kind)


@pytest.mark.rule("4.1/validation-failed")
@pytest.mark.parametrize(
    "output",
    [
        {},
        {"reasoning": "x", "verdict": "maybe", "confidence": 0.5},
        {"reasoning": "at (t 99999)", "verdict": "yes", "confidence": 0.5},
        {"reasoning": "x", "verdict": "yes", "confidence": 7},
    ],
)
def test_an_answer_that_breaks_the_rules_fails_closed(scans: Scans, output: dict[str, Any]) -> None:
    scans.providers = {"builtin": Answering([Answer(output, "builtin", "builtin")])}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    assert scans.last(observation_id)["kind"] == "validation_failed"


@pytest.mark.rule("4.1/internal-error")
def test_a_provider_that_breaks_fails_the_run_only(scans: Scans) -> None:
    scans.providers = {"builtin": Answering([ZeroDivisionError("secret page text")])}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert event["kind"] == "internal_error"
    assert "secret" not in event["message"]


@pytest.mark.parametrize("extra", [{}, {"Jane Doe": 1}])
def test_a_failure_quotes_nothing_of_the_answer(scans: Scans, extra: dict[str, Any]) -> None:
    output = {"reasoning": "x", "tags": ["Jane Doe jane@example.org"], "tags_freeform": [], "confidence": 0.5, **extra}
    scans.providers = {"builtin": Answering([Answer(output, "builtin", "builtin")])}
    config = {"prompt": "How did it end?", "tags": ["converted"]}
    observation_id = scans.request(scans.scanner(scanner_type="classifier", scanner_config=config))
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert event["kind"] == "validation_failed"
    assert "Jane" not in event["message"]


def test_a_damaged_recording_fails_its_run_at_once(scans: Scans) -> None:
    for blob in (scans.folder / "1").rglob("*"):
        if blob.is_file():
            blob.write_bytes(blob.read_bytes()[:50] + b"\x00" * 100 + blob.read_bytes()[150:])
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationFailed", "internal_error")


def test_a_missing_blob_fails_its_run_at_once(scans: Scans) -> None:
    for blob in (scans.folder / "1").rglob("*"):
        if blob.is_file():
            blob.unlink()
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    assert scans.last(observation_id)["kind"] == "internal_error"


def test_a_blob_store_that_is_away_fails_nothing_however_often_it_is_asked(scans: Scans) -> None:
    """Here a folder stands where each blob was: that cannot be read, and is not missing either."""
    moved = [(blob, blob.with_name("moved")) for blob in (scans.folder / "1").rglob("*") if blob.is_file()]
    for blob, away in moved:
        blob.rename(away)
        blob.mkdir()
    observation_id = scans.request(scans.scanner())
    for _ in range(MAX_TRIES + 2):
        job = scans.lease()
        retry = scans.scanning.scan(job, Event())
        assert retry is not None
        assert retry.unused
        assert timedelta(seconds=5) < retry.at - now() < timedelta(seconds=20)
        with scans.pool.connection() as connection:
            assert jobs.give_back(connection, job, now() - timedelta(seconds=1))
            assert not jobs.give_back(connection, job, now()), "it is no longer this lease's"
    assert scans.last(observation_id)["type"] == "ObservationRequested"
    for blob, away in moved:
        blob.rmdir()
        away.rename(blob)
    job = scans.lease()
    assert (job.try_number, job.expiries) == (1, 0)
    assert scans.scanning.scan(job, Event()) is None
    assert scans.last(observation_id)["type"] == "ObservationSucceeded"


def test_a_worker_waits_for_the_blob_store_without_holding_the_job(scans: Scans) -> None:
    for blob in (scans.folder / "1").rglob("*"):
        if blob.is_file():
            blob.unlink()
            blob.mkdir()
    observation_id = scans.request(scans.scanner())
    stop = Event()
    thread = Thread(target=ScanWorker(scans.pool, scans.scanning, "w").run, args=(stop,))
    thread.start()
    later = "SELECT count(*) FROM scanning.job WHERE state = 'queued' AND try_number = 0 AND available_at > now()"
    deadline = time.monotonic() + 20
    with scans.pool.connection() as connection:
        while connection.execute(later).fetchone() != (1,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert scans.last(observation_id)["type"] == "ObservationRequested"


@pytest.mark.rule("10/25", "trap/12")
def test_a_worker_that_was_taken_over_reports_nothing(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner())
    slow = scans.lease(seconds=0.2)
    time.sleep(0.3)
    with scans.pool.connection() as connection:
        assert [job.observation_id for job in jobs.expired(connection, 10)] == [observation_id]
    Reaper(scans.pool, scans.observations, now).run()
    quick = scans.lease()
    assert quick.try_number == 2
    assert scans.scanning.scan(quick, Event()) is None
    version = scans.observation(observation_id).version
    assert scans.scanning.scan(slow, Event()) is None
    assert scans.observation(observation_id).version == version
    assert scans.observation(observation_id).status == "succeeded"


def test_a_lost_lease_discards_the_answer(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner())
    lost = Event()
    lost.set()
    assert scans.scanning.scan(scans.lease(), lost) is None
    assert scans.observation(observation_id).status == "running"


class LosesItsLease:
    """The lease runs out in mid-call, and nobody has taken the job yet. The renewals notice."""

    def __init__(self, scans: Scans, seconds: float) -> None:
        self._scans = scans
        self._seconds = seconds

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        with self._scans.pool.connection() as connection:
            connection.execute("UPDATE scanning.job SET lease_expires_at = now() - interval '1 s'")
        time.sleep(self._seconds)
        return BuiltinProvider().analyse(question, evidence)


@pytest.mark.rule("10/25", "trap/11")
def test_a_lease_that_ran_out_and_was_not_taken_yet_is_the_reapers(scans: Scans) -> None:
    """The worker must not end the job, though its token still fits: the run would be in flight for ever."""
    scans.providers = {"builtin": LosesItsLease(scans, 1.0)}
    observation_id = scans.request(scans.scanner())
    stop = Event()
    thread = Thread(target=ScanWorker(scans.pool, scans.scanning, "w", lease_seconds=1.2).run, args=(stop,))
    thread.start()
    wait_until(lambda: scans.observation(observation_id).status == "running", 20, "not begun")
    stop.set()
    thread.join(20)
    assert scans.observation(observation_id).in_flight
    Reaper(scans.pool, scans.observations, now).run()
    scans.providers = {"builtin": BuiltinProvider()}
    assert scans.scan() is None
    assert scans.observation(observation_id).status == "succeeded"


def test_an_answer_that_cannot_be_stored_is_paid_for_once(scans: Scans) -> None:
    right = {"reasoning": "x (t 1)", "verdict": "yes", "confidence": 0.5}
    nobodys: Any = ("no finding",)
    scans.providers = {"builtin": Answering([Answer(right, "builtin", "builtin", findings=nobodys)])}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationFailed", "internal_error")


def test_what_breaks_is_told_by_its_place_and_not_by_its_words(scans: Scans, caplog: pytest.LogCaptureFixture) -> None:
    """An error's text can quote the page, and with it the person who was recorded."""
    scans.providers = {"builtin": Answering([ValueError("canary-0451 is not a name")])}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is None
    assert scans.last(observation_id)["message"] == "The analysis broke with ValueError."
    assert "answering.py" in caplog.text
    assert "canary-0451" not in caplog.text


def test_a_score_beyond_whole_numbers_is_stored_as_it_is(scans: Scans) -> None:
    output = {"reasoning": "x (t 1)", "score": 1e300, "confidence": 0.5}
    scans.providers = {"builtin": Answering([Answer(output, "builtin", "builtin")])}
    config = {"prompt": "How far?", "scale": {"min": 0, "max": 1e300}}
    observation_id = scans.request(scans.scanner(scanner_type="scorer", scanner_config=config))
    assert scans.scan() is None
    assert scans.last(observation_id)["result"]["score"] == 1e300


@pytest.mark.rule("4.1/orphaned", "10/25", "trap/6")
def test_three_dead_workers_end_the_run_as_orphaned(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner())
    reaper = Reaper(scans.pool, scans.observations, now)
    for _ in range(MAX_EXPIRIES):
        scans.lease(seconds=0.05)
        time.sleep(0.1)
        reaper.run()
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationFailed", "orphaned")
    with scans.pool.connection() as connection:
        assert connection.execute("SELECT sum(used) FROM store.quota_usage").fetchone() == (0,)
        assert jobs.waiting(connection).queued == 0


@pytest.mark.rule("3.4/delete-in-flight")
def test_a_deleted_scanner_ends_its_work_without_a_word(scans: Scans) -> None:
    scanner_id = scans.scanner()
    observation_id = scans.request(scanner_id)
    job = scans.lease()
    scans.scanners.delete(scans.context(), scanner_id)
    assert scans.scanning.scan(job, Event()) is None
    assert scans.last(observation_id)["type"] == "ObservationRequested"


def test_a_retry_is_a_new_run_of_the_same_observation(scans: Scans) -> None:
    scans.providers = {"builtin": Answering([ProviderError("provider_rejected", "no")])}
    observation_id = scans.request(scans.scanner())
    scans.scan()
    scans.observations.retry(scans.context(), observation_id)
    scans.hear()
    scans.providers = {"builtin": BuiltinProvider()}
    job = scans.lease()
    assert (job.run, job.try_number) == (2, 1)
    assert scans.scanning.scan(job, Event()) is None
    assert scans.observation(observation_id).status == "succeeded"


def test_a_worker_works_until_it_is_told_to_stop(scans: Scans) -> None:
    stop = Event()
    worker = ScanWorker(scans.pool, scans.scanning, "w")
    thread = Thread(target=worker.run, args=(stop,))
    thread.start()
    observation_id = scans.request(scans.scanner())
    deadline = time.monotonic() + 20
    while scans.observation(observation_id).in_flight:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert scans.observation(observation_id).status == "succeeded"
