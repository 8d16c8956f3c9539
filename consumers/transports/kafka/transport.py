"""The transport port over Kafka.

Positions, dead letters and remembered event ids are in PostgreSQL, so that a handler's effects and its group's position
are one transaction. Consuming: ``worker``; publishing: ``publishing``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from threading import Event
from typing import NamedTuple, TypeVar

import psycopg
from kafka.structs import TopicPartition
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumers.transports.dead_letters import hand_on, owners_of_letters
from consumers.transports.gauges import Gauge, Standing, read_gauges
from consumers.transports.handling import Handling
from consumers.transports.installation import KNOWN_SECONDS, may_publish_to_kafka
from consumers.transports.kafka import lenient, standing
from consumers.transports.kafka.clients import Clients
from consumers.transports.kafka.publishing import Message, Publishing
from consumers.transports.kafka.records import headers_of, partition_of, place_of
from consumers.transports.kafka.topics import TRANSPORT, Topic, Topics, checked_size
from consumers.transports.kafka.watching import Bounds, Watching
from consumers.transports.kafka.worker import Worker
from consumers.transports.port import MAX_BATCH_RECORDS, Handler, Outgoing, Refused, Unavailable
from consumers.transports.positions import carry_sources, resume
from consumers.transports.settings import KafkaSettings, LogSettings, checked_group

_Connection = psycopg.Connection[TupleRow]
_Answer = TypeVar("_Answer")

LOG = "postgres"
"""The transport that an installation may have grown out of (`handover`)."""

_POSITIONS = """
SELECT p.grp, t.name, p.part, p.off, p.failures, p.stopped_at IS NOT NULL, t.id
FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE t.transport = 'kafka' AND coalesce(t.prefix = %(prefix)s, starts_with(t.name, %(prefix)s))
  AND (%(group)s::text IS NULL OR p.grp = %(group)s)
ORDER BY p.grp, p.topic_id, p.part
"""


class _At(NamedTuple):
    """Where a group stands."""

    group: str
    name: str
    part: int
    off: int
    failures: int
    stopped: bool
    topic_id: int

    @property
    def partition(self) -> TopicPartition:
        return TopicPartition(self.name, self.part)

    def behind(self, held: Bounds) -> int:
        return max(0, held.end - held.next_after(self.off))

    def next_in(self, held: Bounds) -> tuple[TopicPartition, int]:
        """Where the first record is that the group has not handled."""
        return self.partition, held.next_after(self.off)


class KafkaTransport:
    """``Transport`` over Kafka.

    ``pool`` serves the small questions, each for milliseconds. ``database_url`` is for the connection on which each
    ``consume`` call handles its batches.
    """

    def __init__(
        self,
        database_url: str,
        pool: ConnectionPool[_Connection],
        kafka: KafkaSettings,
        settings: LogSettings | None = None,
    ) -> None:
        self._database_url = database_url
        self._pool = pool
        self._kafka = kafka
        self._settings = settings or LogSettings()
        lenient.install()
        self._clients = Clients(kafka, self._settings)
        self._topics = Topics(self._clients, self._settings, kafka)
        self._publishing = Publishing(self._clients, kafka.publishing_bytes)
        self._watching = Watching(self._clients, kafka.answer_seconds)
        self._look_at = 0.0

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """See the port. Sent in chunks; the next one goes when the brokers have the one before."""
        self._settings.stored_name(topic)
        if topic in self._settings.existing:
            raise Refused(f"topic {topic} is another's: it is only read")
        found = self._found(topic)
        for record in records:
            checked_size(record.size, found)
        self._refuse_to_be_left()  # last: who leaves waits for the rest of this call
        deadline = time.monotonic() + self._settings.publish_seconds
        try:
            for chunk in self._chunks(found, records):
                self._publishing.send(chunk, deadline)
        except Unavailable:
            self._topics.doubt(topic)
            raise

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
            remember_ids=True,
        )
        Worker(
            self._database_url,
            handling,
            names,
            self._clients,
            self._topics,
            self._kafka,
            stop=stop,
            max_records=max_records,
        ).run()

    def lag(self, group: str) -> Mapping[tuple[str, int], int]:
        """See the port. Records that will be skipped as repetitions count until they are passed."""
        positions = self._positions(checked_group(group))
        bounds = self._bounds(positions)
        return {(self._topic(at), at.part): at.behind(bounds[at.partition]) for at in positions}

    def gauges(self) -> Sequence[Gauge]:
        """The state of every group, as in ``gauges.CATALOGUE``. Raises ``Unavailable``."""
        positions = self._positions(None)
        bounds = self._watching.bounds({at.partition for at in positions})
        held = {at: bounds.get(at.partition) for at in positions}
        waiting = {at.next_in(mine) for at, mine in held.items() if mine is not None and at.behind(mine)}
        try:
            times = self._watching.times(waiting)
        except Unavailable:
            times = {}
        now = time.time()

        def age(at: _At, mine: Bounds | None) -> float:
            """Not known is not young: whoever waits for the lag to pass must go on waiting."""
            if mine is None:
                return math.inf
            return max(0.0, now - times.get(at.next_in(mine), -math.inf)) if at.behind(mine) else 0.0

        standings = [
            Standing(
                at.group,
                self._topic(at),
                at.part,
                None if mine is None else at.behind(mine),
                age(at, mine),
                at.failures,
                at.stopped,
            )
            for at, mine in held.items()
        ]
        return self._ask(lambda conn: read_gauges(conn, standings))

    def resume(self, group: str, topic: str, partition: int) -> bool:
        """Lets a partition go on that dead letters stopped, or that rests after errors. False if there is none such.

        One that stopped because the brokers have lost what came next goes on at the oldest record that they keep.
        Raises ``Unavailable``.
        """
        name = self._settings.stored_name(topic)
        wanted = [at for at in self._positions(group) if at.partition == TopicPartition(name, partition)]
        bounds = self._bounds(wanted)

        def let_go_on(conn: _Connection) -> bool:
            with conn.transaction():
                for at in wanted:
                    standing.begin_again(conn, group, at.topic_id, partition, bounds[at.partition])
                return resume(conn, TRANSPORT, group, name, partition)

        return self._ask(let_go_on)

    def register(self, group: str, topics: Collection[str]) -> None:
        """Has a group begin at the oldest records, where it has not begun: its lag is known from then on.

        Raises ``Unavailable``, and ``Refused`` for an illegal group or topic.
        """
        for topic in topics:
            self._ask(partial(standing.register, group=checked_group(group), topic=self._found(topic)))

    def adopt(self, group: str, topics: Collection[str]) -> None:
        """Goes on where a group has ended in the log, of which it has handled everything.

        What it has handled there is not handled again when the relay repeats it. Its dead letters become letters here,
        so that they hold their keys back and can be replayed. Raises ``Unavailable``.
        """
        names = [self._settings.stored_name(topic) for topic in topics]
        self._ask(lambda conn: carry_sources(conn, LOG, TRANSPORT, group, names))
        owners = self._ask(lambda conn: owners_of_letters(conn, LOG))
        for topic in topics:
            if (group, topic) in owners:
                where = partial(place_of, partitions=self._found(topic).partitions)
                self._ask(lambda conn, topic=topic, where=where: hand_on(conn, LOG, TRANSPORT, group, topic, where))

    def close(self) -> None:
        """See the port."""
        self._publishing.close()
        self._watching.close()

    def _found(self, topic: str) -> Topic:
        return self._topics.known(topic) or self._topics.look(topic, self._ask, self._kafka.answer_seconds)

    def _refuse_to_be_left(self) -> None:
        """Raises ``Unavailable`` while or after the installation leaves Kafka."""
        now = time.monotonic()
        if now >= self._look_at:
            if not self._ask(may_publish_to_kafka):
                raise Unavailable("this installation leaves Kafka, or has left it: start again without the brokers")
            self._look_at = now + KNOWN_SECONDS

    def _chunks(self, topic: Topic, records: Sequence[Outgoing]) -> Iterator[Sequence[Message]]:
        chunk: list[Message] = []
        size = 0
        for record in records:
            full = len(chunk) >= self._settings.publish_batch_records
            if chunk and (full or size + record.size > self._settings.publish_batch_bytes):
                yield chunk
                chunk, size = [], 0
            where = partition_of(record, topic.partitions)
            chunk.append(Message(topic.name, where, record.key, record.value, headers_of(record), record.size))
            size += record.size
        if chunk:
            yield chunk

    def _positions(self, group: str | None) -> Sequence[_At]:
        question = {"prefix": self._settings.prefix, "group": group}
        return self._ask(lambda conn: [_At(*row) for row in conn.execute(_POSITIONS, question)])

    def _bounds(self, positions: Collection[_At]) -> Mapping[TopicPartition, Bounds]:
        wanted = {at.partition for at in positions}
        bounds = self._watching.bounds(wanted)
        if len(bounds) < len(wanted):
            raise Unavailable(f"no broker leads {min(wanted - bounds.keys())}")
        return bounds

    def _topic(self, at: _At) -> str:
        return at.name if at.name in self._settings.existing else at.name.removeprefix(self._settings.prefix)

    def is_existing(self, topic: str) -> bool:
        """Whether it is one of others, which never was in the log."""
        return topic in self._settings.existing

    def _ask(self, question: Callable[[_Connection], _Answer]) -> _Answer:
        try:
            with self._pool.connection(timeout=self._settings.publish_seconds) as conn:
                return question(conn)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable(f"the database does not answer: {error}") from error
