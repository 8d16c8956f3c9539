"""Which partitions a member of a consumer group has been given, as the client's IO thread tells."""

from __future__ import annotations

import threading
from collections.abc import Collection

from kafka import ConsumerRebalanceListener
from kafka.errors import IllegalStateError
from kafka.structs import TopicPartition

from consumers.transports.kafka.client_types import Consumer

POSITION_MS = 100
"""It is known; the client asks nobody."""


class Noted(ConsumerRebalanceListener):
    """Notes only, and keeps new partitions from being fetched until somebody knows where to begin.

    Called on the client's IO thread while the worker is inside ``poll``: anything that takes time there stops the
    heartbeats, and an error would come out of ``poll`` (kafka 1.3).
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._gone: set[TopicPartition] = set()
        self._new: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in assigned:
            self._consumer.pause(partition)
            # Without a position the client would ask Kafka for one, which has none that counts.
            self._consumer.seek(partition, 0)
        with self._lock:
            self._new.update(assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        with self._lock:
            self._gone.update(revoked)
            self._new.difference_update(revoked)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)

    def take(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        """What has gone and what is new since the last call. One that went and came back is in both."""
        with self._lock:
            gone, new = self._gone, self._new
            self._gone, self._new = set(), set()
        return gone, new


def ask_for_missing(consumer: Consumer, topics: Collection[str]) -> None:
    """Asks the brokers about topics that the client does not know, and does not wait for the answer.

    A question that was on its way when the client subscribed is taken for the answer about the subscription
    (``set_topics`` of 3.0.12 says so itself). A member that leads its group then gives its partitions to nobody, and
    asks again after five minutes. When the answer comes, the client joins anew by itself.
    """
    cluster = consumer._cluster  # noqa: SLF001
    if any(cluster.partitions_for_topic(topic) is None for topic in topics):
        cluster.request_update()


def broken_off(consumer: Consumer) -> TopicPartition | None:
    """The partition in whose messages the client was reading when ``poll`` raised; None if it was not."""
    reading = consumer._fetcher._next_partition_records  # noqa: SLF001
    return reading.topic_partition if reading else None


def reached_by(consumer: Consumer, partition: TopicPartition) -> int | None:
    """The offset that would be fetched next; None when the partition has been taken away."""
    try:
        return consumer.position(partition, timeout_ms=POSITION_MS)
    except IllegalStateError:
        return None


def go_on(consumer: Consumer, partition: TopicPartition, offset: int) -> None:
    """Has a paused partition fetched again, from an offset.

    The client (3.0.12) sets records aside that it had fetched of a paused partition, and does not fetch that partition
    before it has given them out; which it may never do once it has been resumed, as it looks for them only when nothing
    at all is left of the last fetch. They are of another offset, so they are dropped. The transports' contract suite
    hangs in its test of handler errors without this.
    """
    consumer.seek(partition, offset)
    fetcher = consumer._fetcher  # noqa: SLF001
    fetcher._paused_completed_fetches.pop(partition, None)  # noqa: SLF001
    fetcher._paused_partition_records.pop(partition, None)  # noqa: SLF001
    consumer.resume(partition)
