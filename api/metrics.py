"""What `/metrics` says about the work behind the API, read from the database at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from api.bootstrap import OUTAGES, Runtime
from commands.store.event_log import EventLog
from consumers.actions.counts import DROPPED, REAPED
from consumers.actions.counts import counts as action_counts
from consumers.actions.jobs import Waiting
from consumers.actions.jobs import waiting as action_jobs
from consumers.capture.analytics.events import left_out_counts
from consumers.capture.digest.deletions import dropped_batches
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.ending import removed
from consumers.relay import Relay
from consumers.scanning.answers import uses
from consumers.scanning.jobs import waiting
from consumers.scanning.model_calls import BOUNDS, Counted
from consumers.scanning.model_calls import counts as model_calls
from consumers.transports.gauges import CATALOGUE as TRANSPORT
from projections.engine.parking import lag

PREFIX = "replay_vision_"

_MODEL = ("provider", "model")

CATALOGUE = {
    "up": "1 when the database answered this scrape",
    "projection_lag_positions": "Log positions that a projection has not taken in",
    "projection_still_seconds": "How long a projection has been behind without moving",
    "projection_parked_streams": "Streams that wait for `projections replay` because an event could not be applied",
    "relay_lag_positions": "Log positions that are not in the transport yet; an upper bound of the events",
    "relay_lag_seconds": "Age of the oldest event that is not in the transport yet",
    "scan_jobs": "Scan jobs by state",
    "model_answers": "Questions for models: `hit`, the answer was there already; `miss`, it had to be asked for; ever",
    "scan_job_oldest_seconds": "How long the longest queued scan job has been due",
    "action_jobs": "Runs of actions and deliveries, by kind and state; what waits for its next try is queued",
    "action_job_oldest_seconds": "How long the longest queued job of an action has been due, by kind",
    "deleted_session_batches": "Batches that came after their session was deleted, and were passed over, ever",
    "removed": "Rows and blobs that retention and deletion have removed, ever, by kind",
    "undecodable_recordings": "Messages that could not be decoded or were over a limit, ever, by reason",
    "analytics_left_out": "What analytics events said and was not kept, ever, by reason",
}
"""Every gauge of this module; those of the transport are in consumers.transports.gauges."""

ACTIONS = {
    "action_occurrences_dropped": "Times that actions were due and had no run of their own: they were missed together, "
    "and one run stood for them",
    "action_runs_reaped": "Runs of actions that ended because their workers died",
}
"""What is counted of actions, ever (engine 9)."""

MODEL_CALLS = {
    "provider_call_seconds": "Calls of models and the time they took, by how they ended; a call is one try of a scan",
    "model_requests": "Requests that models were sent, answered or not; a call has one to three",
    "model_tokens": "Tokens of answered requests, by direction: `input` or `output`",
    "model_cost_usd": "US dollars for answered requests, by the catalogue's prices",
}
"""What model calls come to, ever (engine 9). The prices of observations are in their events."""


class WorkCollector(Collector):
    """Register once per process. A scrape while the database is away answers `up 0` and nothing else."""

    def __init__(self, running: Runtime) -> None:
        self._running = running

    def describe(self) -> Iterable[Metric]:
        """Names only, so that registering asks no database."""
        return [*(_family(name, CATALOGUE[name], ()) for name in CATALOGUE), *model_call_families([])]

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(self._read())
        except OUTAGES:
            found = []
        up = _family("up", CATALOGUE["up"], ())
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found

    def _read(self) -> Iterator[Metric]:
        running = self._running
        with running.pool.connection(timeout=2) as connection:
            behind = lag(connection, EventLog())
            relay = Relay(running.database_url, EventLog(), running.transport).lag(connection)
            jobs = waiting(connection)
            undecodable = undecodable_counts(connection)
            left_out = left_out_counts(connection)
            late = dropped_batches(connection)
            gone = removed.counts(connection)
            answers = uses(connection)
            calls = model_calls(connection)
            acted, counted = action_jobs(connection), action_counts(connection)
        yield _each("projection_lag_positions", "projection", ((one.name, one.behind) for one in behind))
        yield _each("projection_still_seconds", "projection", ((one.name, one.still_seconds) for one in behind))
        yield _each("projection_parked_streams", "projection", ((one.name, one.parked) for one in behind))
        yield _one("relay_lag_positions", relay.positions)
        yield _one("relay_lag_seconds", relay.seconds)
        yield _each("scan_jobs", "state", [("queued", jobs.queued), ("leased", jobs.leased)])
        yield _one("scan_job_oldest_seconds", max(0.0, jobs.oldest_seconds))
        yield _each("model_answers", "outcome", answers.items())
        yield _each("undecodable_recordings", "reason", undecodable.items())
        yield _each("analytics_left_out", "reason", left_out.items())
        yield _one("deleted_session_batches", late)
        yield _each("removed", "kind", gone.items())
        yield from _of_actions(acted)
        for name, counter in (("action_occurrences_dropped", DROPPED), ("action_runs_reaped", REAPED)):
            yield CounterMetricFamily(PREFIX + name, ACTIONS[name], value=counted[counter])
        yield from model_call_families(calls)
        yield from self._transport()

    def _transport(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in self._running.transport.gauges():
            if gauge.name not in families:
                families[gauge.name] = _family(gauge.name, TRANSPORT[gauge.name], tuple(gauge.labels))
            families[gauge.name].add_metric(list(gauge.labels.values()), gauge.value)
        yield from families.values()


def _of_actions(waiting: Iterable[Waiting]) -> Iterator[GaugeMetricFamily]:
    jobs = _family("action_jobs", CATALOGUE["action_jobs"], ("kind", "state"))
    oldest = _family("action_job_oldest_seconds", CATALOGUE["action_job_oldest_seconds"], ("kind",))
    for one in waiting:
        jobs.add_metric([one.kind, "queued"], one.queued)
        jobs.add_metric([one.kind, "leased"], one.leased)
        oldest.add_metric([one.kind], max(0.0, one.oldest_seconds))
    yield jobs
    yield oldest


def model_call_families(calls: Sequence[Counted]) -> list[Metric]:
    """The families of MODEL_CALLS."""
    seconds = HistogramMetricFamily(*_named("provider_call_seconds"), labels=[*_MODEL, "scanner_type", "outcome"])
    kinds = groupby(calls, key=lambda one: (one.provider, one.model, one.scanner_type, one.outcome))
    for labels, found in kinds:
        of_kind = list(found)
        buckets = [(str(bound), sum(one.calls for one in of_kind if one.at_most <= bound)) for bound in BOUNDS]
        whole = ("+Inf", sum(one.calls for one in of_kind))
        seconds.add_metric(labels, [*buckets, whole], sum(one.seconds for one in of_kind))
    requests = CounterMetricFamily(*_named("model_requests"), labels=_MODEL)
    tokens = CounterMetricFamily(*_named("model_tokens"), labels=[*_MODEL, "direction"])
    cost = CounterMetricFamily(*_named("model_cost_usd"), labels=_MODEL)
    for model, found in groupby(calls, key=lambda one: (one.provider, one.model)):
        of_model = list(found)
        requests.add_metric(model, sum(one.requests for one in of_model))
        tokens.add_metric((*model, "input"), sum(one.input_tokens for one in of_model))
        tokens.add_metric((*model, "output"), sum(one.output_tokens for one in of_model))
        cost.add_metric(model, float(sum(one.cost_usd for one in of_model)))
    return [seconds, requests, tokens, cost]


def register(running: Runtime) -> None:
    """Adds the collector to the process's registry. Once per process."""
    REGISTRY.register(WorkCollector(running))


def _named(name: str) -> tuple[str, str]:
    return PREFIX + name, MODEL_CALLS[name]


def _family(name: str, text: str, labels: Iterable[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=list(labels))


def _one(name: str, value: float) -> GaugeMetricFamily:
    family = _family(name, CATALOGUE[name], ())
    family.add_metric([], value)
    return family


def _each(name: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = _family(name, CATALOGUE[name], (label,))
    for value in values:
        family.add_metric([value[0]], value[1])
    return family
