"""`admin leave-kafka`: back from Kafka to the log in the database, with nothing left behind."""

from __future__ import annotations

import json
import time
from math import isinf
from typing import Annotated

import typer

from api.bootstrap import Runtime
from api.cli.opening import AsJson, Home, opened, settings_for
from api.failures import Failure
from api.roles import TOPIC_OF
from consumers.transports.installation import KNOWN_SECONDS, Unsafe, leave_kafka, quieten_kafka
from consumers.transports.postgres import take_letters
from consumers.transports.settings import LogSettings

QUIET_SECONDS = 30.0
"""How long nobody publishes when this command dies."""
LOOK_SECONDS = 1.0
SETTLING_SECONDS = KNOWN_SECONDS + LogSettings().publish_seconds + LOOK_SECONDS
"""Until publishers that have looked before the quiet have ended what they had under way."""
TOLD = 5
"""Partitions that are named when it gives up."""


def leave_kafka_command(
    lost: Annotated[
        bool, typer.Option("--lost", help="The brokers will not come back: give up what no group has handled.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, max=3600, help="Seconds in which the workers may catch up.")] = 60.0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lets the next start run on the log in the database, once no consumer group is behind on Kafka.

    The workers must run meanwhile. Nothing is published while this waits, nor afterwards, until every process has been
    started again without the brokers: recordings are answered 503, and browsers send them again. Dead letters go along.
    """
    settings = settings_for(home)
    if settings.kafka is None:
        message = "set REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS, so that what waits on the brokers can be counted"
        raise Failure(message)
    with opened(settings) as running:
        try:
            _leave(running, wait, lost=lost)
        except Unsafe as error:
            raise Failure(str(error)) from error
    told = {"transport": "postgres", "prefix": settings.kafka_topic_prefix}
    print(json.dumps(told) if as_json else "\n".join(f"{name}: {value}" for name, value in told.items()))


def _leave(running: Runtime, wait: float, *, lost: bool) -> None:
    """Raises Failure when groups are behind after `wait` seconds, Unsafe, Unavailable."""
    try:
        _quieten(running, QUIET_SECONDS)
        if not lost:
            _wait_until_handled(running, wait)
        settings = LogSettings(prefix=running.settings.kafka_topic_prefix)
        with running.pool.connection() as connection, connection.transaction():
            take_letters(connection, "kafka", settings)
            leave_kafka(connection)
    except BaseException:
        _quieten(running, 0)
        raise


def _wait_until_handled(running: Runtime, wait: float) -> None:
    began = time.monotonic()
    quiet_at = began + SETTLING_SECONDS
    for group, topic in TOPIC_OF.items():
        running.transport.register(group, [topic])
    asked_at = began
    while True:
        if time.monotonic() - asked_at > QUIET_SECONDS / 2:
            # It may have been loud again, as on a machine that slept.
            quiet_at = time.monotonic() + SETTLING_SECONDS
        asked_at = time.monotonic()
        _quieten(running, QUIET_SECONDS)
        behind = _behind(running)
        if not behind and time.monotonic() >= quiet_at:
            return
        if behind and time.monotonic() >= began + wait:
            told = "; ".join(behind[:TOLD])
            raise Failure(f"groups are behind on Kafka in {len(behind)} partitions: {told}")
        time.sleep(LOOK_SECONDS)


def _quieten(running: Runtime, seconds: float) -> None:
    with running.pool.connection() as connection:
        quieten_kafka(connection, seconds)


def _behind(running: Runtime) -> list[str]:
    """Partitions in which a group is behind, or the brokers do not say whether. Raises Unavailable."""
    found: list[str] = []
    for gauge in running.transport.gauges():
        where = " ".join(gauge.labels.values())
        if gauge.name == "transport_lag_records" and gauge.value:
            found.append(f"{where} by {gauge.value:g} records")
        elif gauge.name == "transport_lag_seconds" and isinf(gauge.value):
            found.append(f"{where} perhaps, the brokers do not say")
    return found
