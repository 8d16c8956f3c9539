"""What is used of kafka-python's clients; the types that tools know of the library are those of its release 2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener
from kafka.structs import TopicPartition


class Fetched(Protocol):
    """A record as it comes from a broker. ``timestamp``: milliseconds since 1970."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Sent(Protocol):
    """What becomes of a message that was given to a producer."""

    def get(self, timeout: float) -> object: ...
    def add_errback(self, errback: Callable[..., None], *args: object) -> object: ...


class Producer(Protocol):
    _sender: Any

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: list[tuple[str, bytes]],
        partition: int,
    ) -> Sent: ...
    def close(self, timeout: float) -> None: ...


class Consumer(Protocol):
    _fetcher: Any
    _cluster: Any

    def subscribe(self, topics: Sequence[str], *, listener: ConsumerRebalanceListener) -> None: ...
    def unsubscribe(self) -> None: ...
    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...
    def poll(self, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Fetched]]: ...
    def position(self, partition: TopicPartition, timeout_ms: int) -> int | None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def seek_to_beginning(self, *partitions: TopicPartition) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    def commit_async(self, offsets: Mapping[TopicPartition, object], callback: Callable[..., None]) -> object: ...
    def beginning_offsets(
        self, partitions: Collection[TopicPartition], timeout_ms: int
    ) -> Mapping[TopicPartition, int]: ...
    def end_offsets(self, partitions: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]: ...
    def close(self, *, autocommit: bool, timeout_ms: int) -> None: ...


class Admin(Protocol):
    def describe_topics(self, topics: Sequence[str]) -> Sequence[Mapping[str, Any]]: ...
    def describe_configs(
        self, config_resources: Sequence[object], *, config_filter: str
    ) -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]: ...
    def create_topics(self, new_topics: Mapping[str, Mapping[str, object]], *, wait_for_metadata: bool) -> object: ...
    def close(self) -> None: ...
