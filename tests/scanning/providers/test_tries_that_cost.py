"""What a try took of a model is in the record also when it brought no answer, once, and in what `/metrics` says."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import pytest

from api.metrics import model_call_families
from consumers.scanning.model_calls import counted, counts
from consumers.scanning.pauses import MAX_TRIES
from consumers.scanning.providers.calls import GivenUp
from consumers.scanning.providers.port import ProviderError, Question
from tests.scanning.answering import Answering
from tests.scanning.providers.vendor_scans import ANSWER, VendorScans
from tests.scanning.recorded import evidence
from tests.scanning.scans import Scans
from tests.servers.vendors.all import PROTOCOLS
from tests.servers.vendors.gemini import GenerateContent
from tests.servers.vendors.server import Reply, VendorServer

pytestmark = pytest.mark.usefixtures("readable")

GOOGLE = GenerateContent()
WRONG = {**ANSWER, "verdict": "perhaps"}
PRICE = Decimal("0.00182")
"""Of one answer as the servers give it: 1000 tokens at 1, 200 at 0.1 and 80 at 10 dollars per million."""


def spent(event: Any) -> tuple[Any, ...]:
    return event.requests, event.input_tokens, event.output_tokens, event.cost_usd


def test_a_failed_try_says_what_it_took_and_so_does_an_ending_without_an_answer(scans: Scans) -> None:
    for protocol in PROTOCOLS:
        wrong = protocol.answer(WRONG)
        with VendorServer([wrong, protocol.error(503, "away"), wrong]) as server:
            run = VendorScans.at(scans, protocol, server)
            observation_id = run.request()
            assert run.try_once() is not None
            assert run.try_once() is None
            assert len(server.requests) == 4
        _, _, failed, _, ended = run.events(observation_id)
        assert (failed.TOPIC, spent(failed)) == ("TryFailed", (2, 1200, 80, PRICE)), protocol.name
        assert (ended.TOPIC, spent(ended)) == ("ObservationFailed", (2, 2400, 160, 2 * PRICE)), protocol.name
        assert ended.prompt_digest == failed.prompt_digest
        assert {len(digest) for digest in (failed.prompt_digest, failed.answer_digest, ended.answer_digest)} == {64}
        assert ended.answer_digest != failed.answer_digest, "one answer, and two"
        assert failed.duration_ms >= 0


def test_what_never_reached_a_model_is_known_to_cost_nothing(scans: Scans) -> None:
    with VendorServer([GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        run.scans.providers = {}
        observation_id = run.request()
        assert run.try_once() is None
    event = run.events(observation_id)[-1]
    assert spent(event) == (0, 0, 0, 0)
    assert (event.prompt_digest, event.answer_digest) == (None, None)


def test_stops_are_tries_and_no_failures(scans: Scans) -> None:
    """However often an operator stops the workers, the vendor's trouble alone ends the run; each call is recorded."""
    stopping = MAX_TRIES + 1
    replies = [*[Reply({}, after=60)] * stopping, GOOGLE.error(503, "away")]
    with VendorServer(replies) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        observation_id = run.request()
        for number in range(1, stopping + 1):
            stop = Event()
            thread = Thread(target=lambda number=number, stop=stop: (server.wait_for(number), stop.set()))
            thread.start()
            assert run.try_once(stop=stop) == timedelta(0), "another worker begins at once"
            thread.join()
        assert [run.try_once() for _ in range(MAX_TRIES)] == [*map(timedelta, [0] * 3, [15, 60, 60]), None]
        assert len(server.requests) == stopping + MAX_TRIES
    events = run.events(observation_id)
    given_back = [event for event in events if getattr(event, "kind", "") == "infra_transient"]
    assert [event.try_number for event in given_back] == list(range(1, stopping + 1))
    assert {spent(event) for event in given_back} == {(1, 0, 0, 0)}, "asked, and nobody knows what the vendor counts"
    assert all(event.prompt_digest and event.answer_digest is None for event in given_back)
    assert (events[-1].TOPIC, events[-1].kind) == ("ObservationFailed", "provider_transient")


def test_a_provider_that_is_not_reached_is_no_outage_of_ours(scans: Scans) -> None:
    scans.providers = {"builtin": Answering([ConnectionRefusedError("secret")])}
    observation_id = scans.request(scans.scanner())
    assert scans.scan() is not None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("TryFailed", "provider_transient")
    assert "secret" not in event["message"]


# --- metrics --------------------------------------------------------------------------------------------------------


def measured(scans: Scans, name: str, **labels: str) -> float:
    """What Prometheus would add up of the samples that have these labels."""
    with scans.pool.connection() as connection:
        families = model_call_families(counts(connection))
    samples = [sample for family in families for sample in family.samples if sample.name == f"replay_vision_{name}"]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_calls_are_counted_by_how_they_ended(scans: Scans) -> None:
    with VendorServer([GOOGLE.answer(WRONG), GOOGLE.error(503, "away"), GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        scans.providers = counted(scans.providers, scans.models, scans.pool)
        run.request()
        assert run.try_once() is not None
        assert run.try_once() is None
    model = {"provider": "google", "model": GOOGLE.model}
    for outcome in ("ok", "provider_transient"):
        labels = {**model, "scanner_type": "monitor", "outcome": outcome}
        assert measured(scans, "provider_call_seconds_count", **labels) == 1
        assert 0 < measured(scans, "provider_call_seconds_sum", **labels) < 60
    assert measured(scans, "provider_call_seconds_count") == 2
    assert measured(scans, "model_requests_total", **model) == 3
    assert measured(scans, "model_tokens_total", direction="input", **model) == 2400
    assert measured(scans, "model_tokens_total", direction="output", **model) == 160
    assert measured(scans, "model_cost_usd_total", **model) == float(2 * PRICE)


def test_labels_are_bounded_and_buckets_add_up(scans: Scans) -> None:
    provider = Answering([ProviderError("provider_rejected", "no"), RuntimeError("broken"), GivenUp()])
    (asked,) = counted({"google": provider}, {"google": ["listed"]}, scans.pool).values()
    for model in ("listed", "typed", "any", "listed"):
        with pytest.raises((ProviderError, RuntimeError, GivenUp)):
            asked.analyse(Question("monitor", {"prompt": "p"}, model), evidence("card_declined"))
    for labels, number in (
        ({"model": "listed", "outcome": "provider_rejected"}, 1),
        ({"model": "other", "outcome": "internal_error"}, 1),
        ({"model": "other", "outcome": "given_up"}, 1),
        ({"model": "listed", "outcome": "given_up"}, 1),
        ({}, 4),
    ):
        assert measured(scans, "provider_call_seconds_count", **labels) == number
        assert measured(scans, "provider_call_seconds_bucket", le="+Inf", **labels) == number
        assert measured(scans, "provider_call_seconds_bucket", le="0.5", **labels) == number
    with scans.pool.connection() as connection:
        connection.execute("UPDATE scanning.model_call SET at_most = 'infinity' WHERE outcome = 'given_up'")
    assert measured(scans, "provider_call_seconds_bucket", le="600.0") == 2
    assert measured(scans, "provider_call_seconds_bucket", le="+Inf") == 4


def test_builtin_is_no_model(scans: Scans) -> None:
    assert counted(scans.providers, scans.models, scans.pool) == scans.providers
