"""One worker of a group on Kafka: a member of the consumer group whose positions are in PostgreSQL.

Kafka's group protocol only says which member fetches which partition. What a member may handle is decided in the
database: it claims a partition by counting its epoch up, reads the position there, and handles a batch under the lock
of that row while the epoch is still its own (``handling``). A member that was paused for minutes and still believes to
own a partition finds another epoch and joins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event
from uuid import uuid4

import psycopg
from kafka.errors import CorruptRecordError, KafkaError, OffsetOutOfRangeError, UnsupportedCodecError
from kafka.structs import OffsetAndMetadata, TopicPartition
from psycopg.rows import TupleRow

from consumers.transports.connections import work_connection
from consumers.transports.handling import DatabaseAway, Handling, Place, Position, Superseded
from consumers.transports.housekeeping import Housekeeping, trim_log
from consumers.transports.kafka import standing
from consumers.transports.kafka.client_types import Consumer, Fetched
from consumers.transports.kafka.clients import Clients
from consumers.transports.kafka.membership import Noted, ask_for_missing, broken_off, go_on, reached_by
from consumers.transports.kafka.records import record_of, size_of
from consumers.transports.kafka.topics import OLDEST, Topic, Topics
from consumers.transports.kafka.watching import Bounds, bounds_of, is_empty
from consumers.transports.port import Record, Unavailable
from consumers.transports.repetitions import forget_seen
from consumers.transports.settings import KafkaSettings

logger = logging.getLogger(__name__)

POLL_MS = 250
"""How often an idle worker looks at its stop event. A waiting fetch is answered as soon as there is something."""
LOOK_SECONDS = 1.0
LOOK_SOON_SECONDS = 0.1
"""The same while a partition rests."""
CLOSE_MS = 1_000
SOUND_SECONDS = 5.0
"""A connection that served for so long starts the pauses between attempts anew."""
FORGET_AT_ONCE = 1_000

_Connection = psycopg.Connection[TupleRow]


class Stuck(Exception):
    """Records wait and nobody is given them: seen in earlier releases of the client after rebalances (kafka 1.2)."""


@dataclass(slots=True)
class _Owned:
    """A partition that this member has claimed."""

    place: Place
    epoch: int
    resting: bool = False
    """Not fetched, until the database says that it may go on."""
    off: int = OLDEST
    """The position when it was last looked at."""
    told: int = OLDEST
    """The position that Kafka was told last."""


class Worker:
    """``names`` maps stored topic names to the ones that the handler knows."""

    def __init__(
        self,
        database_url: str,
        handling: Handling,
        names: Mapping[str, str],
        clients: Clients,
        topics: Topics,
        kafka: KafkaSettings,
        *,
        stop: Event,
        max_records: int,
    ) -> None:
        self._database_url = database_url
        self._handling = handling
        self._settings = handling.settings
        self._names = names
        self._clients = clients
        self._topics = topics
        self._kafka = kafka
        self._stop = stop
        self._max_records = max_records
        self._topics_by_name: dict[str, Topic] = {}
        self._owned: dict[TopicPartition, _Owned] = {}
        self._unclaimed: set[TopicPartition] = set()
        self._behind: set[standing.Still] = set()
        self._claim_at = self._look_at = self._commit_at = self._check_at = 0.0
        self._housekeeping = Housekeeping(
            self._settings,
            # The log's too, which an installation may have grown out of.
            [partial(forget_seen, older_than=self._settings.remember, limit=FORGET_AT_ONCE), self._trim_log],
            stop,
        )
        self._replaying = False
        """Dead letters were handled at the last look, and there may be more."""
        self._name = uuid4()

    def run(self) -> None:
        """Returns when the stop is set, never for a trouble of the database or of the brokers."""
        failures = 0
        group = self._handling.group
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with closing(work_connection(self._database_url, group, self._settings)) as work:
                    self._register(work)
                    with self._member() as (consumer, noted):
                        self._serve(consumer, noted, work)
            except Superseded as error:
                # The group has given this member up, and its client does not know (or it was asleep): join anew.
                logger.warning("%s: another worker has taken %s", group, error)
                failures = self._rest_after(failures, began, error)
            except (KafkaError, Unavailable, psycopg.Error, DatabaseAway, Stuck) as error:
                failures = self._rest_after(failures, began, error)
            except Exception as error:
                # What the client raises when its state is not what it expects, such as KeyError and ValueError.
                logger.exception("%s: unexpected", group)
                failures = self._rest_after(failures, began, error)

    def _rest_after(self, failures: int, began: float, error: Exception) -> int:
        """Waits before the next connection; the number of failures in a row."""
        failures = 1 if time.monotonic() - began > SOUND_SECONDS else failures + 1
        pause = self._settings.away.seconds(failures)
        logger.warning("%s: connecting again in %.1f s: %s", self._handling.group, pause, error)
        self._stop.wait(pause)
        return failures

    def _register(self, work: _Connection) -> None:
        """A position for every partition, so that lag is known from the start."""
        for name, topic in self._names.items():
            found = self._topics.look(topic, lambda question: question(work), self._kafka.answer_seconds)
            self._topics_by_name[name] = found
            standing.register(work, self._handling.group, found)

    @contextmanager
    def _member(self) -> Generator[tuple[Consumer, Noted]]:
        consumer = self._clients.member(self._settings.prefix + self._handling.group)
        try:
            noted = Noted(consumer)
            consumer.subscribe(topics=list(self._names), listener=noted)
            self._owned, self._unclaimed = {}, set()
            self._check_at = time.monotonic() + self._kafka.stuck_seconds
            self._behind = set()
            yield consumer, noted
        finally:
            consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _serve(self, consumer: Consumer, noted: Noted, work: _Connection) -> None:
        while not self._stop.is_set():
            fetched = self._poll(consumer, work)
            for partition in self._take_over(consumer, noted, work):
                fetched.pop(partition, None)  # from a position of before
            for partition, records in fetched.items():
                if self._stop.is_set():
                    return
                self._deliver(consumer, work, partition, records)
            self._look_after(consumer, work)

    def _poll(self, consumer: Consumer, work: _Connection) -> dict[TopicPartition, Sequence[Fetched]]:
        resting = self._replaying or self._unclaimed or any(owned.resting for owned in self._owned.values())
        wait = int(LOOK_SOON_SECONDS * 1000) if resting else POLL_MS
        try:
            return dict(consumer.poll(timeout_ms=wait, max_records=self._max_records))
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                owned = self._owned.get(partition)
                if owned is not None:
                    self._rest(consumer, partition, owned)
                    standing.stop_lost(work, self._handling.group, owned.place, owned.epoch)
            return {}
        except Exception as error:
            partition = broken_off(consumer)
            owned = self._owned.get(partition) if partition is not None else None
            if partition is None or owned is None or not _is_of_a_message(error):
                raise
            self._rest(consumer, partition, owned)
            self._handling.hold_back(work, owned.place, owned.epoch, error)
            return {}

    def _take_over(self, consumer: Consumer, noted: Noted, work: _Connection) -> set[TopicPartition]:
        """Claims what was assigned and answers which partitions changed hands."""
        gone, new = noted.take()
        for partition in gone | new:
            self._owned.pop(partition, None)
        self._unclaimed = (self._unclaimed - gone) | new
        if new:
            logger.info("%s: was given %d partitions", self._handling.group, len(new))
        if self._unclaimed and (new or time.monotonic() >= self._claim_at):
            self._claim(consumer, work)
        return gone | new

    def _claim(self, consumer: Consumer, work: _Connection) -> None:
        """What another worker is still handling, or no broker leads, is left for the next time."""
        self._claim_at = time.monotonic() + LOOK_SOON_SECONDS
        bounds = bounds_of(consumer, self._unclaimed, self._kafka.answer_seconds)
        for partition, held in bounds.items():
            topic = self._topics_by_name[partition.topic]
            if partition.partition >= topic.all_partitions:
                raise Stuck(f"partition {partition.partition} of {partition.topic} was added")
            place = Place(self._names[partition.topic], topic.topic_id, partition.partition)
            claimed = standing.claim(work, self._handling.group, place, held, self._name)
            if claimed is None:
                continue
            # It may have moved since the look at the bounds; now nobody else moves it.
            now_held = held if held.holds(claimed.off) else self._look_again(consumer, partition)
            if now_held is None:
                continue
            self._unclaimed.discard(partition)
            owned = _Owned(place, claimed.epoch, off=claimed.off)
            self._owned[partition] = owned
            if now_held.holds(claimed.off):
                go_on(consumer, partition, claimed.off + 1)
            else:
                owned.resting = True
                standing.stop_lost(work, self._handling.group, place, claimed.epoch)

    def _look_again(self, consumer: Consumer, partition: TopicPartition) -> Bounds | None:
        return bounds_of(consumer, [partition], self._kafka.answer_seconds).get(partition)

    def _deliver(
        self, consumer: Consumer, work: _Connection, partition: TopicPartition, fetched: Sequence[Fetched]
    ) -> None:
        owned = self._owned.get(partition)
        if owned is None or owned.resting:
            return
        incarnation = self._topics_by_name[partition.topic].incarnation
        records = [record_of(owned.place.topic, incarnation, one) for one in fetched]
        for batch in _batches(records, self._settings.handle_batch_bytes):
            if not self._handling.step(work, owned.place, partial(_after, batch, owned.epoch)):
                self._rest(consumer, partition, owned)
                return
            owned.off = batch[-1].offset

    def _rest(self, consumer: Consumer, partition: TopicPartition, owned: _Owned) -> None:
        consumer.pause(partition)
        owned.resting = True
        self._look_at = min(self._look_at, time.monotonic() + LOOK_SOON_SECONDS)

    def _look_after(self, consumer: Consumer, work: _Connection) -> None:
        """What is not a matter of records that came: rests that end, replays, tools, and old ids."""
        now = time.monotonic()
        if now < self._look_at:
            return
        resting = any(owned.resting for owned in self._owned.values())
        self._look_at = now + (LOOK_SOON_SECONDS if resting else LOOK_SECONDS)
        self._replaying = False
        ask_for_missing(consumer, self._names)
        by_place = {owned.place: (partition, owned) for partition, owned in self._owned.items()}
        for state in standing.look(work, self._handling.group, list(by_place), self._settings.prefix):
            partition, owned = by_place[state.place]
            if state.epoch != owned.epoch:
                raise Superseded(str(owned.place))
            if state.replays and self._handling.replay(work, owned.place):
                self._replaying, self._look_at = True, now
            owned.off = state.off
            if owned.resting and state.ready:
                go_on(consumer, partition, state.off + 1)
                owned.resting = False
            elif not owned.resting:
                self._pass_over(consumer, work, partition, owned)
        self._tell(consumer, now)
        self._check(consumer, work, now)
        self._housekeeping.look(work)

    def _pass_over(self, consumer: Consumer, work: _Connection, partition: TopicPartition, owned: _Owned) -> None:
        """All that was fetched is handled. Where the client is further, it has passed over what is no record.

        A position is not moved on this client's word alone: another one has to see no record there either.
        """
        reached = reached_by(consumer, partition)
        if reached is None or reached - 1 <= owned.off:
            return
        first = max(0, owned.off + 1)
        empty = is_empty(self._clients, partition, range(first, reached), self._kafka.answer_seconds)
        if empty is False:
            logger.error("%s: the client has passed over records of %s; going back", self._handling.group, owned.place)
            go_on(consumer, partition, first)
        if empty and standing.pass_over(work, self._handling.group, owned.place, owned.epoch, owned.off, reached - 1):
            owned.off = reached - 1

    def _tell(self, consumer: Consumer, now: float) -> None:
        """Commits positions to Kafka, for tools that watch lag there. A commit that fails is followed by another."""
        if now < self._commit_at:
            return
        self._commit_at = now + self._kafka.commit_seconds
        news = {partition: owned for partition, owned in self._owned.items() if owned.off != owned.told}
        offsets = {partition: OffsetAndMetadata(owned.off + 1, "", -1) for partition, owned in news.items()}
        if offsets:
            consumer.commit_async(offsets, callback=_committed)
        for owned in news.values():
            owned.told = owned.off

    def _check(self, consumer: Consumer, work: _Connection, now: float) -> None:
        """Raises ``Stuck`` when a partition of the group has records and stands still, whoever should have it.

        It may be this member's, or nobody's: then the group has to be joined anew.
        """
        if now < self._check_at:
            return
        self._check_at = now + self._kafka.stuck_seconds
        names = {topic.topic_id: name for name, topic in self._topics_by_name.items()}
        standing_still = {
            TopicPartition(names[still.topic_id], still.part): still
            for still in standing.at_rest(work, self._handling.group, list(names))
        }
        bounds = bounds_of(consumer, standing_still, self._kafka.answer_seconds)
        behind = {
            standing_still[partition]
            for partition in bounds
            if bounds[partition].end > standing_still[partition].off + 1
        }
        stuck = behind & self._behind
        self._behind = behind
        if stuck:
            raise Stuck(f"{len(stuck)} partitions have records and none comes, such as {min(stuck)}")

    def _trim_log(self, conn: psycopg.Connection) -> int:
        return trim_log(conn, self._names, self._settings)


def _is_of_a_message(error: Exception) -> bool:
    """Whether a message cannot be read, as far as an error of the client says; its decoders raise anything."""
    return isinstance(error, CorruptRecordError | UnsupportedCodecError) or not isinstance(error, KafkaError)


def _after(batch: Sequence[Record], epoch: int, position: Position) -> Sequence[Record]:
    """The records of a batch that are after the position, while that is still this worker's."""
    if position.epoch != epoch:
        raise Superseded(batch[0].topic)
    return [record for record in batch if record.offset > position.off]


def _batches(records: Sequence[Record], most_bytes: int) -> Iterator[Sequence[Record]]:
    """Cut so that a batch has no more bytes; one larger record goes alone."""
    start, size = 0, 0
    for index, record in enumerate(records):
        size += size_of(record)
        if index > start and size > most_bytes:
            yield records[start:index]
            start, size = index, size_of(record)
    if start < len(records):
        yield records[start:]


def _committed(offsets: object, answer: object) -> None:
    if isinstance(answer, Exception):
        logger.debug("the brokers did not take the positions %s: %s", offsets, answer)
