"""What the HTTP room is given: the parts of a Runtime, and answers to "are you ready?"."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from api.bootstrap import OUTAGES, Runtime
from api.http.services import Readiness, Services
from api.http.tokens import Tokens
from commands.accounts import hash_key
from commands.store.event_log import EventLog
from consumers.capture.digest.handler import GROUP as CAPTURE_GROUP
from consumers.capture.posting.allowance import Allowance
from consumers.key_use import KeyUse
from consumers.rate_limits import RateLimits
from consumers.relay import Relay
from consumers.scanning.kept_evidence import PastEvidence
from consumers.scanning.providers.installed import lacking
from consumers.scanning.requests import GROUP as SCANNING_GROUP
from consumers.scanning.timelines import Timelines
from consumers.selection.estimate import Estimates
from consumers.transports.installation import may_publish_to_kafka
from consumers.transports.port import Unavailable
from projections.engine.parking import lag
from projections.engine.waiting import wait_for
from projections.queries.delivery import count_disabled_endpoints

WAIT_SECONDS = 2.0
"""How long a write waits for the read side (architecture 6)."""

PROJECTION_LAG = 5_000
"""Log positions a projection may be behind; at 25,000 events a second that is under a second of work."""

RELAY_SECONDS = 60.0
"""Age of the oldest event that may be missing in the transport: without the relay nothing is scanned."""

FAILURES_TOLD = 3
FAILURES_TOO_MANY = 10
"""Errors in a row of a group in one partition, which waits longer after each: 10 of them take two minutes."""

PATIENCE_SWEEPS = 3
PATIENCE_SECONDS = 60.0
"""Sweeps that may pass over a session before its scanner no longer counts as healthy, and the least time for them."""

TRANSPORT_LAG = 20_000
"""Records a consumer group may be behind."""


def services_for(running: Runtime) -> Services:
    """The services of one HTTP process."""
    timelines = Timelines(running.pool, running.blobs, running.clock, masked=running.settings.masked)
    return Services(
        pool=running.pool,
        scanners=running.scanners,
        actions=running.actions,
        action_runs=running.action_runs,
        observations=running.observations,
        recordings=running.recordings,
        timelines=timelines,
        past_evidence=PastEvidence(running.pool, running.blobs, timelines, running.clock),
        limits=running.settings.observation_limits,
        estimates=Estimates(running.pool, running.settings.eligibility, running.clock),
        transport=running.transport,
        blobs=running.blobs,
        tokens=Tokens(running.pool),
        allowance=Allowance(running.pool, running.settings.capture_bytes_per_day, running.clock),
        wait=lambda position, projections: wait_for(running.pool, projections, position, WAIT_SECONDS),
        clock=running.clock,
        settle=timedelta(seconds=running.settings.settle_seconds),
        key_use=KeyUse(),
        hash_key=partial(hash_key, running.secret),
        readiness=partial(_readiness, running),
        catalogue=running.models.ids,
        providers=lacking(running.settings.vendors),
        patience=timedelta(seconds=max(PATIENCE_SECONDS, PATIENCE_SWEEPS * running.settings.sweep_seconds)),
        public_url=running.settings.links,
        outages=OUTAGES,
        rates=RateLimits() if running.settings.rate_limit == "upstream" else None,
        capture_prefix=running.settings.capture_prefix,
        capture_origins=running.settings.capture_origins,
        capture_sdk_folder=running.settings.capture_sdk_folder,
    )


def _readiness(running: Runtime) -> Readiness:
    """Ready while the database answers, nothing is stopped, and nothing is further behind than its limit.

    Parked streams, dead letters and a partition that has failed a few times are warnings: the rest goes on.
    """
    reasons: list[str] = []
    warnings: list[str] = []
    try:
        _look_at_log(running, reasons, warnings)
        _look_at_transport(running, reasons, warnings)
    except Unavailable as error:
        reasons.append(f"transport: {error}")
    except OUTAGES as error:
        reasons.append(f"database: {type(error).__name__}")
    return Readiness(ready=not reasons, reasons=reasons, warnings=warnings)


def _look_at_log(running: Runtime, reasons: list[str], warnings: list[str]) -> None:
    with running.pool.connection(timeout=2) as connection:
        relay = Relay(running.database_url, EventLog(), running.transport).lag(connection)
        projections = lag(connection, EventLog())
        switched_off = count_disabled_endpoints(connection)
    if switched_off:
        warnings.append(f"deliveries to {switched_off} endpoints are switched off: replay-vision admin endpoint list")
    if relay.seconds > RELAY_SECONDS:
        reasons.append(f"the relay is {relay.seconds:.0f} s behind")
    for projection in projections:
        if projection.behind > PROJECTION_LAG:
            reasons.append(f"projection {projection.name} is {projection.behind} positions behind")
        if projection.parked:
            warnings.append(f"projection {projection.name} has {projection.parked} parked streams")


def _look_at_transport(running: Runtime, reasons: list[str], warnings: list[str]) -> None:
    if running.settings.kafka is not None:
        with running.pool.connection(timeout=2) as connection:
            if not may_publish_to_kafka(connection):
                reasons.append("this installation leaves Kafka, or has left it: start again without the brokers")
    for gauge in running.transport.gauges():
        if gauge.name == "transport_failures" and gauge.value >= FAILURES_TOLD:
            told = reasons if gauge.value >= FAILURES_TOO_MANY else warnings
            told.append(f"failed {gauge.value:g} times in a row: {' '.join(gauge.labels.values())}")
        if gauge.name == "transport_dead_letters" and gauge.value > 0:
            warnings.append(f"{gauge.value:g} dead letters: {' '.join(gauge.labels.values())}")
        if gauge.name == "transport_stopped" and gauge.value > 0:
            reasons.append(f"stopped by too many dead letters: {' '.join(gauge.labels.values())}")
    for group in (CAPTURE_GROUP, SCANNING_GROUP):
        behind = sum(running.transport.lag(group).values())
        if behind > TRANSPORT_LAG:
            reasons.append(f"{group} is {behind} records behind")
