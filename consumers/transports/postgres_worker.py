"""One worker of a group on the PostgreSQL log.

The lease of a partition is the lock on its position row: taken with ``SKIP LOCKED``, held while the handler runs in the
same transaction, gone with the connection. No heartbeats, no rebalancing, no zombies (kafka 3, "row lock as lease").
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from threading import Event
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from consumers.transports.dead_letters import bury
from consumers.transports.headers import unpack
from consumers.transports.poison import Admitted, Tally, admit
from consumers.transports.port import Handler, Poison, Record
from consumers.transports.settings import LogSettings

logger = logging.getLogger(__name__)

STOP_SECONDS = 0.25
"""How often an idle worker looks at its stop event."""
MAX_TRIM_CHUNKS = 100
MAX_ERROR_CHARACTERS = 2_000

_REGISTER = """
INSERT INTO log.position (grp, topic_id, part)
SELECT %s, topic_id, part FROM log.partition WHERE topic_id = ANY (%s)
ON CONFLICT (grp, topic_id, part) DO NOTHING
"""

_READY = """
SELECT p.topic_id, p.part FROM log.position p
WHERE p.grp = %s AND p.topic_id = ANY (%s) AND p.stopped_at IS NULL AND (p.resume_at IS NULL OR p.resume_at <= now())
  AND EXISTS (SELECT FROM log.record r WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off)
ORDER BY p.topic_id, p.part
"""

_TAKE = """
SELECT off, source_id, failures, poison_run, recent_poison, recent_records FROM log.position
WHERE grp = %s AND topic_id = %s AND part = %s AND stopped_at IS NULL AND (resume_at IS NULL OR resume_at <= now())
FOR NO KEY UPDATE SKIP LOCKED
"""

# The window sees sizes only, so values beyond the limit are never fetched from their side table.
_READ = """
SELECT off, key, value, headers::text, at FROM (
    SELECT *, sum(size) OVER (ORDER BY off) - size AS before FROM (
        SELECT off, key, value, headers, at, size FROM log.record
        WHERE topic_id = %s AND part = %s AND off > %s ORDER BY off LIMIT %s
    ) few
) few WHERE before = 0 OR before + size <= %s ORDER BY off
"""

_ADVANCE = """
UPDATE log.position
SET off = %(off)s, source_id = %(source_id)s, failures = 0, resume_at = NULL, poison_run = %(run)s,
    recent_poison = %(poison)s, recent_records = %(records)s, updated_at = now(), last_error = %(stop)s,
    stopped_at = CASE WHEN %(stop)s::text IS NULL THEN NULL ELSE now() END
WHERE grp = %(group)s AND topic_id = %(topic_id)s AND part = %(part)s AND off = %(was)s
"""

# Only while the position is where the failure happened: another worker may have got past it.
_HOLD_BACK = """
UPDATE log.position
SET failures = failures + 1, resume_at = clock_timestamp() + make_interval(secs => %s), last_error = %s,
    updated_at = now()
WHERE grp = %s AND topic_id = %s AND part = %s AND off = %s AND failures = %s
"""

# Looks at the oldest few only, so a log without anything to drop costs nothing.
_TRIM = """
DELETE FROM log.record r USING (
    SELECT oldest.* FROM (
        SELECT pa.topic_id, pa.part, coalesce(min(po.off), 9223372036854775807) AS off
        FROM log.partition pa LEFT JOIN log.position po USING (topic_id, part)
        WHERE pa.topic_id = ANY (%s) GROUP BY pa.topic_id, pa.part
    ) handled CROSS JOIN LATERAL (
        SELECT topic_id, part, off, at FROM log.record
        WHERE topic_id = handled.topic_id AND part = handled.part AND off <= handled.off
        ORDER BY off LIMIT %s FOR UPDATE SKIP LOCKED
    ) oldest WHERE oldest.at < clock_timestamp() - %s
) old WHERE r.topic_id = old.topic_id AND r.part = old.part AND r.off = old.off
"""


class Position(NamedTuple):
    off: int
    source_id: int | None
    failures: int
    poison_run: int
    recent_poison: int
    recent_records: int

    @property
    def tally(self) -> Tally:
        return Tally(self.poison_run, self.recent_poison, self.recent_records)


class Partition(NamedTuple):
    topic_id: int
    part: int


class DatabaseAway(Exception):
    """The worker's connection is gone."""


class Worker:
    """``names`` maps stored topic names to the ones that the handler knows."""

    def __init__(
        self,
        database_url: str,
        settings: LogSettings,
        group: str,
        names: Mapping[str, str],
        *,
        handler: Handler,
        stop: Event,
        max_records: int,
    ) -> None:
        self._database_url = database_url
        self._settings = settings
        self._group = group
        self._names = names
        self._handler = handler
        self._stop = stop
        self._max_records = max_records
        self._topics: dict[int, str] = {}
        spread = random.random()  # noqa: S311 - so that workers which start together do not trim together
        self._trim_at = time.monotonic() + settings.trim_every.total_seconds() * spread

    def run(self) -> None:
        """Returns when the stop is set, never for a trouble of the database."""
        failures = 0
        while not self._stop.is_set():
            try:
                with closing(self._connect()) as work, closing(self._connect()) as ears:
                    self._register(work, ears)
                    failures = 0
                    self._serve(work, ears)
            except (psycopg.Error, DatabaseAway) as error:
                failures += 1
                pause = self._settings.away.seconds(failures)
                logger.warning("%s: database away, connecting again in %.1f s: %s", self._group, pause, error)
                self._stop.wait(pause)

    def _connect(self) -> psycopg.Connection[TupleRow]:
        """A connection that notices a dead peer within seconds, on both sides."""
        conn = psycopg.connect(
            self._database_url,
            autocommit=True,
            connect_timeout=2,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=15_000,
            application_name=f"log {self._group}"[:63],
        )
        silence = str(int(self._settings.silence.total_seconds() * 1000))
        conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (silence,))
        return conn

    def _register(self, work: psycopg.Connection[TupleRow], ears: psycopg.Connection[TupleRow]) -> None:
        """Listens before it looks, so nothing falls between the two."""
        for name, topic in self._names.items():
            ears.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"log.{name}")))
            wanted = (name, self._settings.partition_count(topic))
            ((topic_id,),) = work.execute("SELECT id FROM log.make_topic(%s, %s)", wanted)
            self._topics[topic_id] = topic
        work.execute(_REGISTER, (self._group, list(self._topics)))

    def _serve(self, work: psycopg.Connection[TupleRow], ears: psycopg.Connection[TupleRow]) -> None:
        while not self._stop.is_set():
            moved = False
            for partition in self._ready(work):
                if self._stop.is_set():
                    return
                moved |= self._step(work, partition)
            self._trim(work)
            self._wait(ears, 0.0 if moved else self._settings.poll_seconds)

    def _wait(self, ears: psycopg.Connection[TupleRow], seconds: float) -> None:
        """Until something is published, the time is over, or the stop is set.

        A busy worker listens too, for no time: what is not fetched piles up here and in the server.
        """
        until = time.monotonic() + seconds
        while not self._stop.is_set():
            left = until - time.monotonic()
            heard = list(ears.notifies(timeout=max(0.0, min(left, STOP_SECONDS)), stop_after=1))
            if heard or left <= 0:
                return

    def _ready(self, work: psycopg.Connection[TupleRow]) -> Sequence[Partition]:
        """Partitions with something to do, each once, so that none is drained while another waits.

        Where to begin is drawn each time, so that workers do not run after each other from lock to lock.
        """
        ready = [Partition(*row) for row in work.execute(_READY, (self._group, list(self._topics)))]
        start = random.randrange(len(ready)) if ready else 0  # noqa: S311 - a place, not a secret
        return ready[start:] + ready[:start]

    def _step(self, work: psycopg.Connection[TupleRow], partition: Partition) -> bool:
        """Handles one batch. False if there was nothing to do, another worker has it, or the handler failed.

        Poison rolls the batch back and offers it again without that record: once for each poison record at most.
        """
        poison: dict[int, Poison] = {}
        while True:
            position: Position | None = None
            try:
                with work.transaction():
                    position = self._take(work, partition)
                    if position is None:
                        return False
                    records = self._read(work, partition, position)
                    if records:
                        self._handle(work, partition, position, records, poison)
                    return bool(records)
            except Poison as letter:
                if letter.record.offset in poison:
                    self._hold_back(work, partition, position, letter)
                    return False
                poison[letter.record.offset] = letter
            except Exception as error:  # noqa: BLE001 - whatever a handler raises holds back its partition alone
                self._hold_back(work, partition, position, error)
                return False

    def _take(self, work: psycopg.Connection[TupleRow], partition: Partition) -> Position | None:
        with work.cursor(row_factory=class_row(Position)) as cursor:
            return cursor.execute(_TAKE, (self._group, *partition)).fetchone()

    def _read(self, work: psycopg.Connection[TupleRow], partition: Partition, position: Position) -> Sequence[Record]:
        topic = self._topics[partition.topic_id]
        question = (*partition, position.off, self._max_records, self._settings.handle_batch_bytes)
        return [
            Record(topic, partition.part, off, key, value, unpack(headers), at)
            for off, key, value, headers, at in work.execute(_READ, question, binary=True)
        ]

    def _handle(
        self,
        work: psycopg.Connection[TupleRow],
        partition: Partition,
        position: Position,
        records: Sequence[Record],
        poison: Mapping[int, Poison],
    ) -> None:
        fresh = without_repetitions(records, position.source_id)
        admitted = admit(fresh, poison, position.tally, self._settings.poison)
        live = [record for record in admitted.records if record.offset not in poison]
        if live:
            self._handler(work, live)
        letters = [poison[record.offset] for record in admitted.records if record.offset in poison]
        bury(work, self._group, letters, attempts=position.failures + 1)
        self._advance(work, partition, position, records, admitted)
        for letter in letters:
            logger.error("%s: dead letter %s", self._group, letter, exc_info=letter.__cause__)

    def _advance(
        self,
        work: psycopg.Connection[TupleRow],
        partition: Partition,
        position: Position,
        records: Sequence[Record],
        admitted: Admitted,
    ) -> None:
        """To the end of the batch, or to the last record admitted when the partition stops."""
        done = records if admitted.stop is None else admitted.records
        sources = [record.source_id for record in done if record.source_id is not None]
        moved = work.execute(
            _ADVANCE,
            {
                "group": self._group,
                **partition._asdict(),
                "was": position.off,
                "off": done[-1].offset if done else position.off,
                "source_id": max([*sources, position.source_id or 0]) if sources else position.source_id,
                "run": admitted.tally.run,
                "poison": admitted.tally.poison,
                "records": admitted.tally.records,
                "stop": admitted.stop,
            },
        )
        if moved.rowcount != 1:
            raise RuntimeError(f"the position of {partition} moved under its lock")
        if admitted.stop:
            where = f"{self._topics[partition.topic_id]}/{partition.part}"
            logger.critical("%s: %s is STOPPED until an operator resumes it: %s", self._group, where, admitted.stop)

    def _hold_back(
        self, work: psycopg.Connection[TupleRow], partition: Partition, position: Position | None, error: Exception
    ) -> None:
        """Lets the partition rest, for every worker of the group. Raises ``DatabaseAway`` if that was the trouble."""
        if work.closed or position is None:
            raise DatabaseAway(str(error)) from error
        failures = position.failures + 1
        pause = self._settings.failed.seconds(failures)
        where = f"{self._topics[partition.topic_id]}/{partition.part}"
        logger.error("%s: %s failed %d times, rests %.1f s", self._group, where, failures, pause, exc_info=error)
        told = f"{type(error).__name__}: {error}".replace("\x00", "\ufffd")[:MAX_ERROR_CHARACTERS]
        work.execute(_HOLD_BACK, (pause, told, self._group, *partition, position.off, position.failures))

    def _trim(self, work: psycopg.Connection[TupleRow]) -> None:
        """Drops old records that every group has handled, a few at a time, now and then."""
        if time.monotonic() < self._trim_at:
            return
        chunk = (list(self._topics), self._settings.trim_chunk, self._settings.retention)
        for _ in range(MAX_TRIM_CHUNKS):
            if self._stop.is_set() or work.execute(_TRIM, chunk).rowcount == 0:
                break
        self._trim_at = time.monotonic() + self._settings.trim_every.total_seconds()


def without_repetitions(records: Sequence[Record], highest: int | None) -> Sequence[Record]:
    """Leaves out relayed records at or below the highest source id seen before them."""
    fresh: list[Record] = []
    for record in records:
        source_id = record.source_id
        if source_id is not None:
            if highest is not None and source_id <= highest:
                continue
            highest = source_id
        fresh.append(record)
    return fresh
