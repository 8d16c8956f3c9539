"""Messages between the port's form and Kafka's. Whoever may write to a topic may have written anything into it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from kafka.partitioner import murmur2

from consumers.transports.kafka.client_types import Fetched
from consumers.transports.port import EVENT_ID, MAX_EVENT_ID_CHARACTERS, SOURCE_ID, Outgoing, Record

LAST_TIME = 253_402_300_799_000
"""The last second of the year 9999, in milliseconds: a topic that somebody else made may hold its publishers' times."""

MAX_SOURCE_ID_DIGITS = 18
"""It is kept as a 64-bit integer."""


def partition_of(record: Outgoing, partitions: int) -> int:
    """As Kafka's own clients choose, so that other publishers of a topic agree; without a key, by the event id."""
    return place_of(record.key, record.event_id, partitions)


def place_of(key: bytes | None, event_id: str, partitions: int) -> int:
    """As ``partition_of``."""
    return (murmur2(event_id.encode() if key is None else key) & 0x7FFFFFFF) % partitions


def headers_of(record: Outgoing) -> list[tuple[str, bytes]]:
    return list(record.all_headers().items())


def record_of(topic: str, incarnation: str, fetched: Fetched) -> Record:
    """The record as handlers know it. One without an event id of ours is known by its place.

    ``incarnation`` tells the topic from one of the same name before it.
    """
    headers = {name.replace("\x00", "\ufffd"): value or b"" for name, value in fetched.headers}
    if not _is_event_id(headers):
        headers[EVENT_ID] = f"{topic}/{fetched.partition}@{fetched.offset} of {incarnation}".encode()
    source_id = headers.get(SOURCE_ID)
    if source_id is not None and not (source_id.isdigit() and len(source_id) <= MAX_SOURCE_ID_DIGITS):
        del headers[SOURCE_ID]
    at = datetime.fromtimestamp(min(max(fetched.timestamp, 0), LAST_TIME) / 1000, UTC)
    return Record(topic, fetched.partition, fetched.offset, fetched.key, fetched.value or b"", headers, at)


def size_of(record: Record) -> int:
    """Bytes of key, value and headers."""
    return len(record.key or b"") + len(record.value) + sum(len(n) + len(v) for n, v in record.headers.items())


def _is_event_id(headers: Mapping[str, bytes]) -> bool:
    try:
        return 0 < len(headers[EVENT_ID].decode()) <= MAX_EVENT_ID_CHARACTERS
    except (KeyError, UnicodeDecodeError):
        return False
