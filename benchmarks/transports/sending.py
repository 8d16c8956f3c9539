"""Messages a second on the way in: the relay's, and those of publishers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from uuid import uuid4

import psycopg

from benchmarks.transports.bare import ready, sending
from benchmarks.transports.load import append_events, as_relayed, records
from benchmarks.transports.rounds import Question, Variant
from benchmarks.transports.site import Broker, Database, Missing, new_prefix
from commands.store.event_log import EventLog
from consumers.relay import BATCH, Relay
from consumers.transports.port import Outgoing, Transport

_BEGIN = "INSERT INTO log.relay_checkpoint (name, position) VALUES (%s, %s)"
_One = TypeVar("_One")


def relay_question(database: Database, broker: Broker | Missing, count: int) -> Question:
    """The relay copies a backlog in the event store; bare: the same records are sent from memory, a batch at a time."""
    with psycopg.connect(database.url, autocommit=True) as conn:
        before = append_events(conn, count)
        messages = ready(as_relayed(conn, before, count))

    def to_kafka(broker: Broker) -> list[float]:
        with broker.transport(new_prefix()) as transport:
            return [_relay_rate(database, transport, before, count)]

    def to_log() -> list[float]:
        return [_relay_rate(database, database.transport(), before, count)]

    def bare(broker: Broker) -> list[float]:
        with sending(broker, broker.make_topic()) as send:
            send(messages[:BATCH])
            return [_rate(send, messages[BATCH:], BATCH)]

    return Question(
        f"relay, {BATCH} at once",
        ["messages/s"],
        [
            Variant.on(broker, "Kafka", to_kafka, against=["bare"]),
            Variant("PostgreSQL log", to_log, against=["bare"]),
            Variant.on(broker, "bare", bare),
        ],
    )


def publish_question(database: Database, broker: Broker | Missing, *, threads: int, batch: int, count: int) -> Question:
    """Publishers that each wait until their call's records are durable; ``count`` records over all threads."""

    def to_kafka(broker: Broker) -> list[float]:
        with broker.transport() as transport:
            return [_publish_rate(partial(transport.publish, "publish"), list, threads, batch, count)]

    def to_log() -> list[float]:
        return [_publish_rate(partial(database.transport().publish, "publish"), list, threads, batch, count)]

    def bare(broker: Broker) -> list[float]:
        with sending(broker, broker.make_topic()) as send:
            return [_publish_rate(send, ready, threads, batch, count)]

    return Question(
        f"publish, {batch:,} a call" + (f", {threads} threads" if threads > 1 else ""),
        ["messages/s"],
        [
            Variant.on(broker, "Kafka", to_kafka, against=["bare"]),
            Variant("PostgreSQL log", to_log, against=["bare"]),
            Variant.on(broker, "bare", bare),
        ],
    )


def _relay_rate(database: Database, transport: Transport, before: int, count: int) -> float:
    """From the second batch on: topic and connections are made with the first."""
    name = uuid4().hex
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute(_BEGIN, (name, before))
        relay = Relay(database.url, EventLog(), transport, name=name)
        first = relay.step(conn)
        copied = 0
        began = time.perf_counter()
        while moved := relay.step(conn):
            copied += moved
        seconds = time.perf_counter() - began
    assert first + copied == count, f"{first + copied} of {count} events were relayed"
    return copied / seconds


def _rate(send: Callable[[Sequence[_One]], None], messages: Sequence[_One], batch: int) -> float:
    began = time.perf_counter()
    for start in range(0, len(messages), batch):
        send(messages[start : start + batch])
    return len(messages) / (time.perf_counter() - began)


def _publish_rate(
    send: Callable[[Sequence[_One]], None],
    prepared: Callable[[list[Outgoing]], list[_One]],
    threads: int,
    batch: int,
    count: int,
) -> float:
    send(prepared(records(1)))  # makes topic and connections
    shares = [prepared(records(count // threads)) for _ in range(threads)]
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as workers:
        for done in [workers.submit(_rate, send, share, batch) for share in shares]:
            done.result()
    return sum(len(share) for share in shares) / (time.perf_counter() - began)
