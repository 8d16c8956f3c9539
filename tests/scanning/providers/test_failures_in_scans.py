"""Engine 1.6 through real scans: each kind of failure is produced by a vendor, and lands as it is specified."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import pytest

from consumers.scanning import jobs
from consumers.scanning.pauses import JITTER, LONGEST, MAX_TRIES, PAUSES, pause
from consumers.scanning.providers.installed import providers
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import Catalogue
from consumers.scanning.worker import ScanWorker
from tests.live import wait_until
from tests.scanning.providers.vendor_scans import ANSWER, VendorScans
from tests.scanning.scans import Scans
from tests.servers.vendors.all import KEY, PROTOCOLS, access
from tests.servers.vendors.gemini import GenerateContent
from tests.servers.vendors.protocol import Tokens
from tests.servers.vendors.server import Reply, Script, VendorServer

pytestmark = pytest.mark.usefixtures("readable")

GOOGLE = GenerateContent()
CANARY = "canary-0451"
CUT = f'{{"reasoning": "{CANARY}'


def test_an_answer_is_recorded_with_what_it_cost(scans: Scans) -> None:
    for protocol in PROTOCOLS:
        with VendorServer([protocol.answer(ANSWER, Tokens(input=30_000, output=250, cached=10_000))]) as server:
            run = VendorScans.at(scans, protocol, server)
            observation_id = run.request()
            assert run.try_once() is None
            assert len(server.requests) == 1
        *_, event = run.events(observation_id)
        assert event.TOPIC == "ObservationSucceeded"
        assert (event.provider, event.model) == (protocol.provider, protocol.model)
        assert (event.input_tokens, event.output_tokens) == (30_000, 250)
        assert event.cost_usd == Decimal("0.0235"), "20,000 at 1, 10,000 at 0.1, 250 at 10 dollars per million"
        assert event.duration_ms >= 0
        assert event.result["verdict"] == "no"


REJECTED = "provider_rejected"
TRANSIENT = "provider_transient"
INVALID = "validation_failed"

UNREADABLE = "The model provider's answer could not be read."
BROKEN = "The connection to the model provider failed."
LATE = "The model provider did not answer in time."
ELSEWHERE = "The model provider redirects to another address."


def answered(code: int) -> str:
    return f"The model provider answered with HTTP status {code}."


@pytest.mark.rule("4.1/provider-transient")
def test_what_is_worth_another_try(scans: Scans) -> None:
    for reply, message, seconds in (
        *((GOOGLE.error(code, CANARY), answered(code), 20.0) for code in (408, 409, 429, 500, 502, 503, 504)),
        (Reply(cut_at=0), BROKEN, 20.0),
        (Reply({"a": CANARY * 100}, cut_at=50), BROKEN, 20.0),
        (Reply({}, after=30), LATE, 1.0),
        (Reply({"a": "b" * 1000}, between=0.2), LATE, 1.0),
        (Reply(body=b"<html>"), UNREADABLE, 20.0),
    ):
        with VendorServer([reply, GOOGLE.answer(ANSWER)]) as server:
            run = VendorScans.at(scans, GOOGLE, server, seconds=seconds)
            observation_id = run.request()
            assert run.try_once() == timedelta(seconds=15), message
            failed = run.events(observation_id)[-1]
            assert (failed.TOPIC, failed.kind, failed.message) == ("TryFailed", TRANSIENT, message)
            assert scans.observation(observation_id).in_flight
            run.reach_by(access(GOOGLE, server))
            assert run.try_once() is None, message
            assert len(server.requests) == 2, message
        story = ["ObservationRequested", "ScanStarted", "TryFailed", "ScanStarted", "ObservationSucceeded"]
        assert run.history(observation_id) == story, message


def test_what_is_not(scans: Scans) -> None:
    cases: list[tuple[Script | Reply, str, str, int]] = [
        *((GOOGLE.error(code, CANARY), REJECTED, answered(code), 1) for code in (400, 401, 403, 404, 413, 422)),
        (GOOGLE.refusal(CANARY), REJECTED, "The model provider refused to answer: its content filter.", 1),
        (GOOGLE.empty(), REJECTED, "The model provider gave no answer, twice.", 2),
        (Reply(size=20_000_000), REJECTED, "The model provider's answer was longer than an answer may be.", 1),
        (Reply(status=302, headers={"Location": "/"}), REJECTED, ELSEWHERE, 1),
        (GOOGLE.truncated(CUT), INVALID, "The answer was cut off at the model's limit of output.", 2),
    ]
    for script, kind, message, requests in cases:
        with VendorServer([script]) as server:
            run = VendorScans.at(scans, GOOGLE, server)
            observation_id = run.request()
            assert run.try_once() is None, message
            assert len(server.requests) == requests, message
        *before, event = run.events(observation_id)
        assert [each.TOPIC for each in before] == ["ObservationRequested", "ScanStarted"]
        assert (event.TOPIC, event.kind, event.message) == ("ObservationFailed", kind, message)


def test_an_answer_that_stays_wrong(scans: Scans) -> None:
    """It is sent back once, and then the run has failed: another try would cost as much and bring as little."""
    for script in (
        GOOGLE.text(CUT),
        GOOGLE.text(CANARY),
        GOOGLE.answer({"verdikt": CANARY}),
        GOOGLE.answer({**ANSWER, "verdict": CANARY}),
        GOOGLE.answer({**ANSWER, "reasoning": "It was so (t 99999)."}),
    ):
        with VendorServer([script]) as server:
            run = VendorScans.at(scans, GOOGLE, server)
            observation_id = run.request()
            assert run.try_once() is None
        event = run.events(observation_id)[-1]
        assert (event.TOPIC, event.kind) == ("ObservationFailed", INVALID)
        assert len(server.requests) == 2
        assert CANARY not in event.message


def test_the_whole_chain(scans: Scans) -> None:
    """Engine 1.3, step 6: four tries, at 0, 15, 75 and 135 seconds, each of which costs one request."""
    with VendorServer([GOOGLE.error(503, CANARY)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        observation_id = run.request()
        began = run.clock()
        for number, expected in enumerate((15, 60, 60), start=1):
            assert run.try_once() == timedelta(seconds=expected)
            failed = run.events(observation_id)[-1]
            assert (failed.TOPIC, failed.try_number, failed.retry_at) == ("TryFailed", number, run.clock())
        assert run.clock() - began == timedelta(seconds=135)
        assert run.try_once() is None
        assert len(server.requests) == MAX_TRIES
    event = run.events(observation_id)[-1]
    assert (event.TOPIC, event.kind, event.message) == ("ObservationFailed", TRANSIENT, answered(503))
    assert CANARY not in json.dumps([each.model_dump(mode="json") for each in run.events(observation_id)])
    with scans.pool.connection() as connection:
        assert jobs.waiting(connection).queued == 0
        assert connection.execute("SELECT sum(used) FROM store.quota_usage").fetchone() == (0,)


def test_a_wait_that_the_vendor_asks_for_counts(scans: Scans) -> None:
    replies = [
        GOOGLE.error(429, CANARY, {"Retry-After": "42"}),
        GOOGLE.retry_info(429, "7.5s"),
        GOOGLE.error(503, CANARY, {"Retry-After": "86400"}),
        GOOGLE.answer(ANSWER),
    ]
    with VendorServer(replies) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        observation_id = run.request()
        scans.chance = lambda: 0.0
        assert [run.try_once() for _ in range(4)] == [timedelta(seconds=42), timedelta(seconds=7.5), LONGEST, None]
    assert run.history(observation_id)[-1] == "ObservationSucceeded"


def test_pauses_of_ours_are_spread() -> None:
    for failures in range(1, 6):
        base = PAUSES[min(failures, len(PAUSES)) - 1]
        assert pause(failures, None, lambda: 0.5) == pause(failures, 0, lambda: 0.5) == timedelta(seconds=base)
        assert pause(failures, None, lambda: 0.0) == timedelta(seconds=base * (1 - JITTER))
        assert pause(failures, None, lambda: 1.0) == timedelta(seconds=base * (1 + JITTER))
        for none in (-5.0, float("nan")):
            assert pause(failures, none, lambda: 0.5) == timedelta(seconds=base)
        assert pause(failures, 10, lambda: 0.0) == timedelta(seconds=10), "never before the vendor wants it"
        assert pause(failures, 10, lambda: 1.0) == timedelta(seconds=10 * (1 + JITTER))
        assert pause(failures, 1e12, lambda: 0.0) == pause(failures, float("inf"), lambda: 0.0) == LONGEST


def test_a_missing_key_and_a_model_that_is_listed_no_more(scans: Scans) -> None:
    with VendorServer([GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        for installed, told in (
            (providers(Catalogue([]), {"google": Access("google")}), "REPLAY_VISION_GOOGLE_API_KEY is not set on this"),
            (providers(Catalogue([]), {"google": run.reach}), "The scanner's model is not, or no longer, in the"),
            (providers(Catalogue([]), {}), "No provider 'google' is configured on this"),
        ):
            run.scans.providers = installed
            observation_id = run.request()
            assert run.try_once() is None
            event = run.events(observation_id)[-1]
            assert (event.TOPIC, event.kind) == ("ObservationFailed", REJECTED)
            assert event.message.startswith(told)
            assert KEY not in event.message
        assert server.requests == []


def held(scans: Scans, act: Any) -> tuple[VendorScans, VendorServer, Any]:
    """A call that hangs at the vendor, and what `act(run, server)` makes of it."""
    with VendorServer([Reply({}, after=60), GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server, seconds=90.0)
        observation_id = run.request()
        return run, server, act(run, server, observation_id)


def test_a_lost_lease_cancels_the_call(scans: Scans) -> None:
    def lose(run: VendorScans, server: VendorServer, observation_id: Any) -> None:
        lost, ended = Event(), Event()
        job = scans.lease()

        def scan() -> None:
            assert scans.scanning.scan(job, lost) is None
            ended.set()

        thread = Thread(target=scan)
        thread.start()
        server.wait_for(1)
        lost.set()
        thread.join(10)
        assert ended.is_set()
        assert server.gone.wait(5), "nobody pays for an answer that nobody may report"
        assert run.history(observation_id) == ["ObservationRequested", "ScanStarted"]

    held(scans, lose)


def test_a_worker_that_stops_gives_the_call_up_and_the_job_back(scans: Scans) -> None:
    def stop_and_go_on(run: VendorScans, server: VendorServer, observation_id: Any) -> None:
        stop = Event()
        worker = Thread(target=ScanWorker(scans.pool, scans.scanning, "w").run, args=(stop,))
        worker.start()
        server.wait_for(1)
        stop.set()
        worker.join(5)
        assert not worker.is_alive()
        assert server.gone.wait(5)
        failed = run.events(observation_id)[-1]
        assert (failed.TOPIC, failed.kind) == ("TryFailed", "infra_transient")
        assert (failed.requests, failed.answer_digest) == (1, None), "it may have to be paid"
        stop = Event()
        worker = Thread(target=ScanWorker(scans.pool, scans.scanning, "w").run, args=(stop,))
        worker.start()
        wait_until(lambda: run.history(observation_id)[-1] == "ObservationSucceeded", 20, "not taken up again")
        stop.set()
        worker.join(10)
        assert len(server.requests) == 2

    held(scans, stop_and_go_on)
