"""One producer for a process, made anew after any failed send.

An idempotent producer whose batch failed may not send again, or may send what comes after the failed batch under a new
epoch, past a hole (kafka 1.3). A relay's records must not have holes: a consumer skips what is at or below the highest
source id. So the first failure ends the producer, in the very thread that sends, and the publisher begins again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kafka.errors import KafkaError

from consumers.transports.kafka.client_types import Producer, Sent
from consumers.transports.kafka.clients import Clients
from consumers.transports.port import Unavailable

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
RETRY_SECONDS = 0.05
SHORTEST_SECONDS = 0.3
"""A send that is not confirmed in time ends the producer for everybody, so none begins with less time than this."""
PATIENT_PUBLISHERS = 4
"""How many wait for brokers that are away; the rest is told at once, or they would hold every thread of a server."""


class Message(NamedTuple):
    """What is sent, and where."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    size: int


class Publishing:
    """Safe to share between threads. At most ``most_bytes`` are under way at a time; one larger message goes alone."""

    def __init__(self, clients: Clients, most_bytes: int) -> None:
        self._clients = clients
        self._room = _Room(most_bytes)
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._closed = False
        self._patience = threading.BoundedSemaphore(PATIENT_PUBLISHERS)

    def send(self, messages: Sequence[Message], deadline: float) -> None:
        """Returns once the brokers have all of them; tries until the deadline, in seconds of the monotonic clock.

        Raises ``Unavailable``; some may then be there.
        """
        with self._patient(), self._room.taken(sum(message.size for message in messages), deadline):
            while True:
                if deadline - time.monotonic() < SHORTEST_SECONDS:
                    raise Unavailable("the brokers are too slow")
                try:
                    self._try(messages, deadline)
                except KafkaError as error:
                    if time.monotonic() + RETRY_SECONDS >= deadline:
                        raise Unavailable(f"the brokers did not confirm in time: {error}") from error
                    time.sleep(RETRY_SECONDS)
                else:
                    self._clients.away = False
                    return

    def close(self) -> None:
        """Ends the producer within a few seconds. What is under way fails."""
        with self._lock:
            self._closed = True
            producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer)

    @contextmanager
    def _patient(self) -> Generator[None]:
        if not self._clients.away:
            yield
            return
        if not self._patience.acquire(blocking=False):
            raise Unavailable("the brokers are away")
        try:
            yield
        finally:
            self._patience.release()

    def _try(self, messages: Sequence[Message], deadline: float) -> None:
        producer = self._current(deadline)
        try:
            futures = []
            for message in messages:
                future = _send(producer, message)
                future.add_errback(_stop_sending, producer)
                futures.append(future)
            for future in futures:
                future.get(timeout=max(0.001, deadline - time.monotonic()))
        except BaseException:
            self._renew(producer)
            raise

    def _current(self, deadline: float) -> Producer:
        """The producer. Whoever waited for another to make one, in vain, does not try the same after it."""
        waited = not self._lock.acquire(blocking=False)
        if waited and not self._lock.acquire(timeout=max(0.001, deadline - time.monotonic())):
            raise KafkaError("no connection to the brokers")
        try:
            if self._closed:
                raise KafkaError("the transport is closed")
            if self._producer is None:
                if waited and self._clients.away:
                    raise KafkaError("no broker answers")
                self._producer = self._clients.producer()
            return self._producer
        finally:
            self._lock.release()

    def _renew(self, failed: Producer) -> None:
        with self._lock:
            if self._producer is not failed:
                return  # another publisher has met the same failure and ends it
            self._producer = None
        logger.warning("a send failed: making a new producer")
        _end(failed)


def _send(producer: Producer, message: Message) -> Sent:
    try:
        return producer.send(message.topic, message.value, message.key, message.headers, partition=message.partition)
    except ValueError as error:  # the topic has lost the partition: somebody made it anew
        raise KafkaError(str(error)) from error


def _stop_sending(producer: Producer, _: object) -> None:
    """Called in the producer's sending thread as soon as a message failed, before it sends anything else.

    ``close`` would wait for what is unsent, and when that does not end in time it raises and leaves the thread sending
    (3.0.12), so this goes to the sender itself; tests/transports/test_kafka_outages.py shows when that changes.
    """
    producer._sender.force_close()  # noqa: SLF001


def _end(producer: Producer) -> None:
    _stop_sending(producer, None)
    try:
        producer.close(timeout=CLOSE_SECONDS)
    except KafkaError as error:
        logger.warning("the failed producer did not close in time: %s", error)


class _Room:
    """Bytes that may be under way. kafka-python's producer has no bound of its own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int, deadline: float) -> Generator[None]:
        """Waits for room. Raises ``Unavailable`` at the deadline."""
        size = min(size, self._most)
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._used + size <= self._most, timeout=max(0.0, deadline - time.monotonic())
            )
            if not free:
                raise Unavailable("too much is under way to the brokers")
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()
