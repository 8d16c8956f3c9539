"""What becomes of a batch, with either transport: its handler runs in the transaction in which the position moves.

The transports differ in where records come from; what is done with them is here. The lease of a partition is the lock
on its position row: taken with ``SKIP LOCKED``, held while the handler runs in the same transaction, gone with the
connection. So calls for one partition never overlap, whoever believes that the partition is theirs (kafka 3, "row lock
as lease").
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow, class_row

from consumers.transports.dead_letters import (
    blocked_keys,
    bury,
    drop_letter,
    next_replay,
    parked_in,
    put_back,
    storable,
)
from consumers.transports.poison import Admitted, Tally, admit
from consumers.transports.port import Handler, Poison, Record
from consumers.transports.repetitions import forget_ids, unseen, without_repetitions
from consumers.transports.settings import LogSettings

logger = logging.getLogger(__name__)

MAX_ERROR_CHARACTERS = 2_000
MAX_REPLAYS = 200
REPLAY_SECONDS = 1.0
"""How many dead letters are handled again in one turn of a partition, and for how long: live records wait meanwhile."""

_Connection = psycopg.Connection[TupleRow]

_TAKE = """
SELECT off, source_id, epoch, failures, poison_run, recent_poison, recent_records FROM log.position
WHERE grp = %s AND topic_id = %s AND part = %s AND stopped_at IS NULL AND (resume_at IS NULL OR resume_at <= now())
FOR NO KEY UPDATE SKIP LOCKED
"""

_LOCK = """
SELECT off FROM log.position WHERE grp = %s AND topic_id = %s AND part = %s FOR NO KEY UPDATE SKIP LOCKED
"""

_ADVANCE = """
UPDATE log.position
SET off = %(off)s, source_id = %(source_id)s, failures = 0, resume_at = NULL, poison_run = %(run)s,
    recent_poison = %(poison)s, recent_records = %(records)s, updated_at = now(), last_error = %(stop)s,
    stopped_at = CASE WHEN %(stop)s::text IS NULL THEN NULL ELSE now() END
WHERE grp = %(group)s AND topic_id = %(topic_id)s AND part = %(part)s AND off = %(was)s AND epoch = %(epoch)s
"""

_HOLD_BACK = """
UPDATE log.position
SET failures = failures + 1, resume_at = clock_timestamp() + make_interval(secs => %s), last_error = %s,
    updated_at = now()
WHERE grp = %s AND topic_id = %s AND part = %s
"""


class Place(NamedTuple):
    """A partition; ``topic`` is the name that handlers know."""

    topic: str
    topic_id: int
    part: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.part}"


class Position(NamedTuple):
    """Where a group stands in a partition, as in ``log.position``."""

    off: int
    source_id: int | None
    epoch: int
    failures: int
    poison_run: int
    recent_poison: int
    recent_records: int

    @property
    def tally(self) -> Tally:
        return Tally(self.poison_run, self.recent_poison, self.recent_records)


Read = Callable[[Position], Sequence[Record]]
"""The records after the position, of which some may be repetitions. Called inside the transaction that holds it."""


class DatabaseAway(Exception):
    """The worker's connection is gone."""


class Superseded(Exception):
    """Another worker has taken the partition since; raised by ``Read``, and nothing happened."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """What is to become of the records of a batch."""

    admitted: Admitted
    live: Sequence[Record]
    letters: Sequence[Poison]
    parked: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Handling:
    """One group's handler and the rules for its records.

    ``park_keys``: records wait behind a dead letter of their key. ``remember_ids``: event ids are remembered in the
    database, because the transport keeps repetitions.
    """

    transport: str
    group: str
    handler: Handler
    settings: LogSettings
    park_keys: bool
    remember_ids: bool

    def step(self, work: _Connection, place: Place, read: Read) -> bool:
        """Handles one batch. False if there was nothing to do, another worker has it, or it rests or stops (now).

        A failure is written down under the same lock, so no other worker tries in between. Raises ``Superseded`` as
        ``read`` does, ``DatabaseAway`` when that was why it failed, and ``psycopg.Error``.
        """
        with work.transaction():
            position = self._take(work, place)
            if position is None:
                return False
            handled, error = self._try(work, place, position, read)
            if error is not None:
                self._hold_back(work, place, position, error)
            return handled

    def _try(self, work: _Connection, place: Place, position: Position, read: Read) -> tuple[bool, Exception | None]:
        """Whether there were records and all are handled, and the error if there was one.

        Poison rolls the batch back and offers it again without that record: once for each poison record at most.
        """
        poison: dict[int, Poison] = {}
        while True:
            try:
                with work.transaction():
                    records = read(position)
                    handled = bool(records) and self._handle(work, place, position, records, poison)
            except Superseded:
                raise
            except Poison as letter:
                if letter.record.offset in poison:
                    return False, letter
                poison[letter.record.offset] = letter
            except Exception as error:  # noqa: BLE001 - whatever a handler raises holds back its partition alone
                return False, error
            else:
                return handled, None

    def hold_back(self, work: _Connection, place: Place, epoch: int, error: Exception) -> None:
        """Lets a partition rest whose records could not be read, as after a handler's error.

        Nothing happens if another worker has taken it since. Raises ``DatabaseAway`` and ``psycopg.Error``.
        """
        with work.transaction():
            position = self._take(work, place)
            if position is not None and position.epoch == epoch:
                self._hold_back(work, place, position, error)

    def replay(self, work: _Connection, place: Place) -> int:
        """Handles dead letters that an operator put back, each in a transaction; answers how many were handled.

        In the order in which they were buried. With ``park_keys`` one that fails again keeps those of its key waiting.
        Raises ``DatabaseAway``.
        """
        until = time.monotonic() + REPLAY_SECONDS
        for done in range(MAX_REPLAYS):
            if time.monotonic() >= until or not self._replay_one(work, place):
                return done
        return MAX_REPLAYS

    def _replay_one(self, work: _Connection, place: Place) -> bool:
        letter = None
        try:
            with work.transaction():
                # Also of a partition that has stopped: its letters may be what it stopped for.
                if work.execute(_LOCK, (self.group, place.topic_id, place.part)).fetchone() is None:
                    return False
                letter = next_replay(work, self.transport, self.group, place.topic, place.part, in_order=self.park_keys)
                if letter is None:
                    return False
                self.handler(work, [letter.record])
                drop_letter(work, letter.id)
        except Exception as error:
            if work.closed or letter is None:
                raise DatabaseAway(str(error)) from error
            pause = None if isinstance(error, Poison) else self.settings.failed.seconds(letter.replays + 1)
            logger.exception("%s: dead letter %d of %s failed again", self.group, letter.id, place)
            put_back(work, letter, error, pause)
            return False
        logger.info("%s: dead letter %d of %s is handled", self.group, letter.id, place)
        return True

    def _take(self, work: _Connection, place: Place) -> Position | None:
        with work.cursor(row_factory=class_row(Position)) as cursor:
            return cursor.execute(_TAKE, (self.group, place.topic_id, place.part)).fetchone()

    def _handle(
        self,
        work: _Connection,
        place: Place,
        position: Position,
        records: Sequence[Record],
        poison: Mapping[int, Poison],
    ) -> bool:
        """Whether all of them are done with: not when the partition stops among them."""
        fresh = without_repetitions(records, position.source_id)
        if self.remember_ids:
            fresh = unseen(work, self.group, place.topic_id, fresh)
        found = self._sort(work, place, position, fresh, poison)
        if found.live:
            self.handler(work, found.live)
        bury(work, self.transport, self.group, found.letters, attempts=position.failures + 1)
        if found.parked:
            waiting = [Poison(record, "an earlier record of its key is a dead letter") for record in found.parked]
            bury(work, self.transport, self.group, waiting, attempts=0, parked=True)
        if self.remember_ids:
            forget_ids(work, self.group, place.topic_id, fresh[len(found.admitted.records) :])
        self._advance(work, place, position, records, found)
        for letter in found.letters:
            logger.error("%s: dead letter %s", self.group, letter, exc_info=letter.__cause__)
        return found.admitted.stop is None

    def _sort(
        self,
        work: _Connection,
        place: Place,
        position: Position,
        fresh: Sequence[Record],
        poison: Mapping[int, Poison],
    ) -> _Sorted:
        blocked = self._blocked(work, place, fresh)
        parked: list[Record] = []
        for record in fresh:
            if record.key is not None and record.key in blocked:
                parked.append(record)
            elif self.park_keys and record.offset in poison and record.key is not None:
                blocked.add(record.key)
        waiting = {record.offset for record in parked}
        cap = self.settings.poison
        admitted = admit(fresh, poison.keys() - waiting, position.tally, cap)
        if parked and parked_in(work, self.transport, self.group, place.topic, place.part) + len(parked) > cap.parked:
            admitted = Admitted([], position.tally, f"more than {cap.parked} records wait behind dead letters")
        done = admitted.records
        return _Sorted(
            admitted,
            live=[record for record in done if record.offset not in poison and record.offset not in waiting],
            letters=[poison[record.offset] for record in done if record.offset in poison.keys() - waiting],
            parked=[record for record in done if record.offset in waiting],
        )

    def _blocked(self, work: _Connection, place: Place, fresh: Sequence[Record]) -> set[bytes]:
        if not self.park_keys:
            return set()
        keys: Collection[bytes] = {record.key for record in fresh if record.key is not None}
        return blocked_keys(work, self.transport, self.group, place.topic, keys)

    def _advance(
        self,
        work: _Connection,
        place: Place,
        position: Position,
        records: Sequence[Record],
        found: _Sorted,
    ) -> None:
        """To the end of the batch, or to the last record admitted when the partition stops.

        What was poison has no say about what the source has sent: its source id may be as wrong as the rest.
        """
        admitted = found.admitted
        done = records if admitted.stop is None else admitted.records
        dead = {letter.record.offset for letter in found.letters}
        sources = [record.source_id for record in done if record.source_id is not None and record.offset not in dead]
        moved = work.execute(
            _ADVANCE,
            {
                "group": self.group,
                "topic_id": place.topic_id,
                "part": place.part,
                "was": position.off,
                "epoch": position.epoch,
                "off": done[-1].offset if done else position.off,
                "source_id": max([*sources, position.source_id or 0]) if sources else position.source_id,
                "run": admitted.tally.run,
                "poison": admitted.tally.poison,
                "records": admitted.tally.records,
                "stop": admitted.stop,
            },
        )
        if moved.rowcount != 1:
            raise RuntimeError(f"the position of {place} moved under its lock")
        if admitted.stop:
            logger.critical("%s: %s is STOPPED until an operator resumes it: %s", self.group, place, admitted.stop)

    def _hold_back(self, work: _Connection, place: Place, position: Position, error: Exception) -> None:
        """Lets the partition rest, for every worker of the group. Raises ``DatabaseAway`` if that was the trouble."""
        if work.closed:
            raise DatabaseAway(str(error)) from error
        failures = position.failures + 1
        pause = self.settings.failed.seconds(failures)
        logger.error("%s: %s failed %d times, rests %.1f s", self.group, place, failures, pause, exc_info=error)
        told = storable(f"{type(error).__name__}: {error}")[:MAX_ERROR_CHARACTERS]
        work.execute(_HOLD_BACK, (pause, told, self.group, place.topic_id, place.part))
