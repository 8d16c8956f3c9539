"""Questions about offsets, asked by whoever wants to know how far groups are, from outside of any group."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeVar

from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from consumers.transports.kafka.client_types import Consumer
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
        """Raises ``Unavailable``."""
        if not partitions:
            return {}

        def ask(consumer: Consumer) -> Mapping[TopicPartition, Bounds]:
            return bounds_of(consumer, partitions, self._seconds)

        return self._ask(ask)

    def times(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, float]:
        """When the brokers took these records, in seconds since 1970; those that did not come in time are left out.

        Raises ``Unavailable``.
        """
        return self._ask(lambda consumer: self._read_times(consumer, offsets)) if offsets else {}

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
        except KafkaError as error:
            self._drop()
            raise Unavailable(f"the brokers do not answer: {error}") from error
        finally:
            self._lock.release()

    def _read_times(self, consumer: Consumer, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, float]:
        consumer.assign(list(offsets))
        for partition, offset in offsets.items():
            consumer.seek(partition, offset)
        found: dict[TopicPartition, float] = {}
        until = time.monotonic() + self._seconds
        try:
            while len(found) < len(offsets) and time.monotonic() < until:
                for partition, records in consumer.poll(timeout_ms=POLL_MS, max_records=len(offsets)).items():
                    found.setdefault(partition, records[0].timestamp / 1000)
                    consumer.pause(partition)
        finally:
            consumer.unsubscribe()
        return found

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=int(self._seconds * 1000))


def bounds_of(
    consumer: Consumer, partitions: Collection[TopicPartition], seconds: float
) -> Mapping[TopicPartition, Bounds]:
    """Raises ``KafkaError``."""
    wanted, until = list(partitions), time.monotonic() + seconds
    while True:
        timeout_ms = max(1, int((until - time.monotonic()) * 1000))
        try:
            begins = consumer.beginning_offsets(wanted, timeout_ms=timeout_ms)
            ends = consumer.end_offsets(wanted, timeout_ms=timeout_ms)
        except KeyError as error:
            # What the client (3.0.12) raises for a partition that has no leader at the moment, as in a new topic.
            if time.monotonic() >= until:
                raise KafkaError(f"no broker leads {error.args[0]}") from error
            time.sleep(NO_LEADER_SECONDS)
        else:
            return {partition: Bounds(begins[partition], ends[partition]) for partition in wanted}
