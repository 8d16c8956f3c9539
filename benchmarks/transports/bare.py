"""kafka-python without this project: what its clients do at best, in loops that promise less than the transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Event
from typing import Any, NamedTuple

from kafka import KafkaConsumer

from benchmarks.transports.site import FETCH_BYTES, Broker
from consumers.transports.kafka.client_types import Fetched
from consumers.transports.port import EVENT_ID, MAX_BATCH_RECORDS, Outgoing

CONFIRM_SECONDS = 10
POLL_MS = 250

# Without the types of release 2, which are those that tools know.
_consumer: Any = KafkaConsumer


class Ready(NamedTuple):
    """A record in the form that the client wants, so that making it costs the loop nothing."""

    value: bytes
    key: bytes | None
    headers: list[tuple[str, bytes]]


def ready(records: Sequence[Outgoing]) -> list[Ready]:
    return [Ready(record.value, record.key, list(record.all_headers().items())) for record in records]


@contextmanager
def sending(broker: Broker, topic: str) -> Iterator[Callable[[Sequence[Ready]], None]]:
    """What sends messages and returns when the broker has them all. Idempotent, acks=all and zstd, as the transport."""
    producer: Any = broker.clients.producer()

    def send(messages: Sequence[Ready]) -> None:
        futures = [producer.send(topic, value, key, headers) for value, key, headers in messages]
        for future in futures:
            future.get(CONFIRM_SECONDS)

    try:
        yield send
    finally:
        producer.close(timeout=CONFIRM_SECONDS)


def poll_loop(
    broker: Broker, group: str, topic: str, handle: Callable[[Sequence[Fetched]], None], stop: Event, *, commits: bool
) -> None:
    """A member of a new group that begins at the oldest record; ``commits`` tells Kafka the offsets of each poll."""
    consumer: Any = _consumer(
        topic,
        bootstrap_servers=broker.address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    with closing(consumer):
        while not stop.is_set():
            fetched = consumer.poll(timeout_ms=POLL_MS, max_records=MAX_BATCH_RECORDS)
            records = [record for of_partition in fetched.values() for record in of_partition]
            if not records:
                continue
            handle(records)
            if commits:
                consumer.commit()


def event_id(fetched: Fetched) -> str:
    return (dict(fetched.headers)[EVENT_ID] or b"").decode()
