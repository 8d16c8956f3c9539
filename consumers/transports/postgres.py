"""The record log inside PostgreSQL: the transport of an installation without Kafka.

The tables and why their order holds: ``schema/0020_log.sql``. Consuming: ``postgres_worker``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from threading import Event
from typing import TypeVar
from zlib import crc32

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumers.transports.arrays import Bytes
from consumers.transports.dead_letters import hand_on, owners_of_letters
from consumers.transports.gauges import Gauge, Standing, read_gauges
from consumers.transports.handling import Handling
from consumers.transports.headers import pack
from consumers.transports.port import MAX_BATCH_RECORDS, Handler, Outgoing, Unavailable
from consumers.transports.positions import forget, register, resume
from consumers.transports.postgres_worker import Worker
from consumers.transports.settings import LogSettings, checked_group

_Connection = psycopg.Connection[TupleRow]
_Answer = TypeVar("_Answer")

TRANSPORT = "postgres"

MAX_LAG = 100_000
"""Counting stops here, in each partition."""

_PUBLISH = """
SELECT log.publish(%s, %b::integer[], %b::text[], %b::bigint[], %b::bytea[], %b::bytea[], %b::text[])
"""

_LAG = """
SELECT substr(t.name, length(%(prefix)s) + 1), p.part, (
    SELECT count(*) FROM (
        SELECT FROM log.record r WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off LIMIT %(most)s
    ) unhandled)
FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE p.grp = %(group)s AND t.transport = 'postgres' AND starts_with(t.name, %(prefix)s)
"""


_STANDINGS = """
SELECT p.grp, substr(t.name, length(%(prefix)s) + 1), p.part,
       (SELECT count(*) FROM (
            SELECT FROM log.record r WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off
            LIMIT %(most)s) unhandled),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - r.at)::float8 FROM log.record r
            WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off ORDER BY r.off LIMIT 1), 0),
       p.failures, p.stopped_at IS NOT NULL
FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE t.transport = 'postgres' AND starts_with(t.name, %(prefix)s)
ORDER BY p.grp, p.topic_id, p.part
"""


def partition_of(record: Outgoing, partitions: int) -> int:
    """Where a record goes. Part of the stored format: it may never change. Without a key, spread by event id."""
    return place_of(record.key, record.event_id, partitions)


def place_of(key: bytes | None, event_id: str, partitions: int) -> int:
    """As ``partition_of``."""
    return crc32(event_id.encode() if key is None else key) % partitions


def take_letters(conn: psycopg.Connection, before: str, settings: LogSettings) -> None:
    """Makes all dead letters of another transport the log's, so that they hold their keys back and can be replayed."""
    for group, topic in owners_of_letters(conn, before):
        wanted = (settings.stored_name(topic), settings.partition_count(topic))
        ((partitions,),) = conn.execute("SELECT partitions FROM log.make_topic(%s, %s)", wanted)
        hand_on(conn, before, TRANSPORT, group, topic, partial(place_of, partitions=partitions))


class PostgresTransport:
    """``Transport`` over the log tables.

    ``pool`` serves publishing and the small questions, each for milliseconds; its
    ``reconnect_timeout`` should be a few seconds, or it comes back late after an outage. ``database_url`` is for the
    two connections that each ``consume`` call opens for itself: one handles, one listens.
    """

    def __init__(
        self, database_url: str, pool: ConnectionPool[_Connection], settings: LogSettings | None = None
    ) -> None:
        self._database_url = database_url
        self._pool = pool
        self._settings = settings or LogSettings()
        self._partitions: dict[str, int] = {}

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """See the port. Stored in chunks, each in a transaction of its own."""
        name = self._settings.stored_name(topic)
        deadline = time.monotonic() + self._settings.publish_seconds
        for chunk in self._chunks(records):
            self._ask(partial(self._insert, topic=topic, name=name, records=chunk), f"publish to {topic}", deadline)

    def consume(
        self,
        group: str,
        topics: Collection[str],
        handler: Handler,
        *,
        stop: Event,
        max_records: int = MAX_BATCH_RECORDS,
        park_keys: bool = False,
    ) -> None:
        """See the port."""
        names = {self._settings.stored_name(topic): topic for topic in topics}
        handling = Handling(
            TRANSPORT,
            checked_group(group),
            handler,
            self._settings,
            park_keys=park_keys,
            remember_ids=False,  # the log keeps no repetitions
        )
        Worker(self._database_url, handling, names, stop=stop, max_records=max_records).run()

    def lag(self, group: str) -> Mapping[tuple[str, int], int]:
        """See the port. Records that will be skipped as repetitions count until they are passed."""
        question = {"prefix": self._settings.prefix, "most": MAX_LAG, "group": checked_group(group)}
        return self._ask(
            lambda conn: {(topic, part): behind for topic, part, behind in conn.execute(_LAG, question)},
            f"read the lag of {group}",
        )

    def register(self, group: str, topics: Collection[str]) -> None:
        """Has a group begin at the oldest records of topics that are there. Raises ``Unavailable``."""
        names = [self._settings.stored_name(topic) for topic in topics]
        self._ask(lambda conn: register(conn, TRANSPORT, checked_group(group), names), f"register {group}")

    def close(self) -> None:
        """Nothing to give back: the pool is the caller's."""

    def gauges(self) -> Sequence[Gauge]:
        """The state of every group, as in ``gauges.CATALOGUE``. Raises ``Unavailable``."""
        question = {"prefix": self._settings.prefix, "most": MAX_LAG}
        return self._ask(
            lambda conn: read_gauges(conn, [Standing(*row) for row in conn.execute(_STANDINGS, question)]),
            "read the state of the log",
        )

    def resume(self, group: str, topic: str, partition: int) -> bool:
        """Lets a partition go on that dead letters stopped, or that rests after errors. False if there is none such.

        Raises ``Unavailable``.
        """
        name = self._settings.stored_name(topic)
        return self._ask(lambda conn: resume(conn, TRANSPORT, group, name, partition), f"resume {group}")

    def forget(self, group: str) -> int:
        """Drops the positions of a group that will not come back: until then it keeps records from being dropped.

        Answers the number of partitions. Workers of the group must be stopped; if it returns it starts at the oldest
        record. Raises ``Unavailable``.
        """
        return self._ask(lambda conn: forget(conn, TRANSPORT, group), f"forget {group}")

    def _chunks(self, records: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
        start, size = 0, 0
        for index, record in enumerate(records):
            full = index - start >= self._settings.publish_batch_records
            if index > start and (full or size + record.size > self._settings.publish_batch_bytes):
                yield records[start:index]
                start, size = index, 0
            size += record.size
        if start < len(records):
            yield records[start:]

    def _ask(self, question: Callable[[_Connection], _Answer], what: str, deadline: float | None = None) -> _Answer:
        """Asks until there is an answer or the deadline (of the monotonic clock) has come; then ``Unavailable``.

        A pool may hold several connections that an outage has broken, so one failure means little. Every question here
        may be repeated: publishing because event ids make it harmless, also when only the confirmation was lost.
        """
        deadline = time.monotonic() + self._settings.publish_seconds if deadline is None else deadline
        pause = 0.0
        while True:
            try:
                with self._pool.connection(timeout=max(0.1, deadline - time.monotonic())) as conn:
                    return question(conn)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if time.monotonic() + pause >= deadline:
                    raise Unavailable(f"could not {what}: {error}") from error
            time.sleep(pause)
            pause = min(0.5, pause * 2 or 0.02)

    def _insert(self, conn: _Connection, *, topic: str, name: str, records: Sequence[Outgoing]) -> None:
        partitions = self._partitions.get(name)
        if partitions is None:
            wanted = (name, self._settings.partition_count(topic))
            ((partitions,),) = conn.execute("SELECT partitions FROM log.make_topic(%s, %s)", wanted)
            self._partitions[name] = partitions
        conn.execute(
            _PUBLISH,
            (
                name,
                [partition_of(record, partitions) for record in records],
                [record.event_id for record in records],
                [record.source_id for record in records],
                [record.key for record in records],
                Bytes([record.value for record in records]),
                [pack(record.all_headers()) for record in records],
            ),
        )
