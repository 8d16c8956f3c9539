"""Milliseconds from before a publish until the handler has the record, one record at a time."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TypeVar
from uuid import uuid4

import psycopg

from benchmarks.transports.bare import event_id, poll_loop, ready, sending
from benchmarks.transports.load import records
from benchmarks.transports.rounds import Question, Variant
from benchmarks.transports.site import Broker, Database, Missing, new_prefix
from consumers.transports.kafka.client_types import Fetched
from consumers.transports.port import Outgoing, Record, Transport

FIRST = 20
"""Not counted: until the group has formed."""
ARRIVAL_SECONDS = 20.0
TOPIC = "latency"

_One = TypeVar("_One")


class Arrivals:
    """When each record was there, by event id."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._arrived = threading.Semaphore(0)

    def note(self, event_ids: Sequence[str]) -> None:
        now = time.perf_counter()
        for one in event_ids:
            self._times[one] = now
            self._arrived.release()

    def wait_for(self, event_id: str) -> float:
        assert self._arrived.acquire(timeout=ARRIVAL_SECONDS), "a record did not arrive"
        return self._times[event_id]


def latency_question(database: Database, broker: Broker | Missing, count: int) -> Question:
    def through_kafka(broker: Broker) -> list[float]:
        with broker.transport(new_prefix()) as transport:
            return _through(transport, count)

    return Question(
        "publish to handled",
        ["p50 ms", "p99 ms"],
        [
            Variant.on(broker, "Kafka", through_kafka, against=["bare"]),
            Variant("PostgreSQL log", lambda: _through(database.transport(), count), against=["bare"]),
            Variant.on(broker, "bare", partial(_bare, count)),
        ],
    )


def _through(transport: Transport, count: int) -> list[float]:
    arrivals, group = Arrivals(), uuid4().hex

    def handle(_: psycopg.Connection, batch: Sequence[Record]) -> None:
        arrivals.note([record.event_id for record in batch])

    def consume(stop: Event) -> None:
        transport.consume(group, [TOPIC], handle, stop=stop)

    return _centiles(consume, lambda record: transport.publish(TOPIC, [record]), list, arrivals, count)


def _bare(count: int, broker: Broker) -> list[float]:
    """A thread polls all the time; the message is sent and its confirmation awaited, as a publish does."""
    arrivals, topic = Arrivals(), broker.make_topic()

    def handle(batch: Sequence[Fetched]) -> None:
        arrivals.note([event_id(record) for record in batch])

    def consume(stop: Event) -> None:
        poll_loop(broker, uuid4().hex, topic, handle, stop, commits=False)

    with sending(broker, topic) as send:
        return _centiles(consume, lambda message: send([message]), ready, arrivals, count)


def _centiles(
    consume: Callable[[Event], None],
    publish: Callable[[_One], None],
    prepared: Callable[[list[Outgoing]], list[_One]],
    arrivals: Arrivals,
    count: int,
) -> list[float]:
    """The 50th and the 99th, of ``count`` records."""
    sent = records(FIRST + count)
    stop = Event()
    taken: list[float] = []
    with ThreadPoolExecutor(1) as thread:
        consumer = thread.submit(consume, stop)
        try:
            for record, message in zip(sent, prepared(sent), strict=True):
                began = time.perf_counter()
                publish(message)
                taken.append((arrivals.wait_for(record.event_id) - began) * 1000)
        finally:
            stop.set()
            consumer.result()  # when it failed, nothing arrived, and this is why
    centiles = statistics.quantiles(taken[FIRST:], n=100)
    return [centiles[49], centiles[98]]
