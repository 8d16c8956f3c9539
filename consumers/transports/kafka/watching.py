"""Questions about offsets, asked by whoever wants to know how far groups are, from outside of any group."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeVar

from kafka.structs import TopicPartition

from consumers.transports.kafka.client_types import Consumer, Fetched
from consumers.transports.kafka.clients import Clients
from consumers.transports.port import Unavailable

_Answer = TypeVar("_Answer")

POLL_MS = 100
NO_LEADER_SECONDS = 0.05


class Bounds(NamedTuple):
    """What a partition holds: offsets from ``begin``, up to but without ``end``."""

    begin: int
    end: int

    def next_after(self, off: int) -> int:
        """The offset that follows a position; the oldest that is kept when the position is none or is too old."""
        return max(off + 1, self.begin)

    def holds(self, off: int) -> bool:
        """Whether reading can go on after a position without a gap."""
        return self.begin <= off + 1 <= self.end


class Watching:
    """Safe to share between threads, which take turns. Made anew after any error."""

    def __init__(self, clients: Clients, seconds: float) -> None:
        self._clients = clients
        self._seconds = seconds
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None

    def bounds(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Bounds]:
        """Without those that no broker leads. Raises ``Unavailable``."""
        return self._ask(lambda consumer: self._read_bounds(consumer, partitions)) if partitions else {}

    def value(self, partition: TopicPartition, offset: int) -> bytes | None:
        """The value of the record at an offset. Raises ``Unavailable``, also when it does not come in time."""
        until = time.monotonic() + self._seconds
        found = self._ask(lambda consumer: _first_records(consumer, {partition: offset}, until))
        if not found:
            raise Unavailable(f"the record {partition.topic}/{partition.partition}@{offset} did not come in time")
        return found[partition].value

    def times(self, places: Collection[tuple[TopicPartition, int]]) -> Mapping[tuple[TopicPartition, int], float]:
        """When the brokers took the records at these offsets, in seconds since 1970.

        Those that did not come in time are left out. Raises ``Unavailable``.
        """
        return self._ask(lambda consumer: self._read_times(consumer, places)) if places else {}

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(self, question: Callable[[Consumer], _Answer]) -> _Answer:
        if not self._lock.acquire(timeout=self._seconds):
            raise Unavailable("the brokers do not answer")
        try:
            if self._consumer is None:
                self._consumer = self._clients.watcher()
            return question(self._consumer)
        except Exception as error:  # also what the client raises when its state is not what it expects
            self._drop()
            raise Unavailable(f"the brokers do not answer: {error}") from error
        finally:
            self._lock.release()

    def _read_bounds(
        self, consumer: Consumer, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, Bounds]:
        until = time.monotonic() + self._seconds
        found = dict(bounds_of(consumer, partitions, self._seconds))
        while len(found) < len(partitions) and time.monotonic() < until:
            time.sleep(NO_LEADER_SECONDS)
            found |= bounds_of(consumer, set(partitions) - found.keys(), self._seconds)
        return found

    def _read_times(
        self, consumer: Consumer, places: Collection[tuple[TopicPartition, int]]
    ) -> dict[tuple[TopicPartition, int], float]:
        """One offset of each partition at a time; groups that keep up ask for the same."""
        until = time.monotonic() + self._seconds
        found: dict[tuple[TopicPartition, int], float] = {}
        left = sorted(places)
        while left and time.monotonic() < until:
            turn = dict(left)
            records = _first_records(consumer, turn, until)
            found |= {(partition, turn[partition]): record.timestamp / 1000 for partition, record in records.items()}
            left = [place for place in left if place not in turn.items()]
        return found

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=int(self._seconds * 1000))


def _first_records(
    consumer: Consumer, offsets: Mapping[TopicPartition, int], until: float
) -> Mapping[TopicPartition, Fetched]:
    """The first record of each partition at its offset or after it; those that do not come in time are left out."""
    consumer.assign(list(offsets))
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
    found: dict[TopicPartition, Fetched] = {}
    try:
        while len(found) < len(offsets) and time.monotonic() < until:
            for partition, records in consumer.poll(timeout_ms=POLL_MS, max_records=len(offsets)).items():
                found.setdefault(partition, records[0])
                consumer.pause(partition)
    finally:
        consumer.unsubscribe()
    return found


def is_empty(clients: Clients, partition: TopicPartition, offsets: range, seconds: float) -> bool | None:
    """Whether a client of its own reads over these offsets and finds no record there; None when it takes too long.

    Raises ``KafkaError``.
    """
    until = time.monotonic() + seconds
    consumer = clients.watcher()
    try:
        consumer.assign([partition])
        consumer.seek(partition, offsets.start)
        while time.monotonic() < until:
            for records in consumer.poll(timeout_ms=POLL_MS, max_records=1).values():
                return records[0].offset not in offsets
            reached = consumer.position(partition, timeout_ms=POLL_MS)
            if reached is not None and reached >= offsets.stop:
                return True
    finally:
        consumer.close(autocommit=False, timeout_ms=int(seconds * 1000))
    return None


def bounds_of(
    consumer: Consumer, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, Bounds]:
    """Those that no broker leads at the moment, as in a topic that is just being made, are left out.

    Raises ``KafkaError``.
    """
    wanted, until = set(partitions), time.monotonic() + seconds
    while wanted:
        timeout_ms = max(1, int((until - time.monotonic()) * 1000))
        try:
            begins = consumer.beginning_offsets(wanted, timeout_ms=timeout_ms)
            ends = consumer.end_offsets(wanted, timeout_ms=timeout_ms)
        except KeyError as error:  # what the client (3.0.12) raises for one without a leader
            if error.args[0] not in wanted:
                raise
            wanted.discard(error.args[0])
        else:
            return {partition: Bounds(begins[partition], ends[partition]) for partition in wanted}
    return {}
