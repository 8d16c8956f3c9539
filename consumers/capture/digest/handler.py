"""The consumer of the topic `snapshots`: payload to blobs, facts to the session, each batch once."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture.clock import Clock, utc_now
from consumers.capture.digest import console, deletions, sessions
from consumers.capture.digest.anew import begin_anew
from consumers.capture.digest.faults import READING_FAULTS, store_in_halves, unhandled
from consumers.capture.digest.limits import GENEROUS, Admission, CaptureLimits
from consumers.capture.digest.parts import Part, part_of
from consumers.capture.digest.placing import Placing
from consumers.capture.digest.undecodable import Undecoded, drop_old, pass_over
from consumers.capture.messages.held import BlobGone, resolved
from consumers.capture.messages.held import drop as drop_held
from consumers.capture.messages.snapshot import SESSION_ID, environment_in, from_held, from_message
from consumers.capture.store.blobs import Blobs
from consumers.capture.wire.refusals import CaptureRefused, Malformed, UnknownToken
from consumers.transports.port import Record

log = logging.getLogger("replay_vision.capture")

GROUP = "capture"

BATCH_RECORDS = 500
"""Messages handled at once, at most: the statements and the commit of a batch are its price, whatever its size."""

BYTES_IN_HAND = 64 * 1024 * 1024
"""Bytes of lines that wait to be stored: a batch may name blobs that are much larger than its messages."""

DROP_EVERY = timedelta(minutes=10)
"""How often a handler looks for undecodable and held messages that need not be kept any longer."""

POOL_SECONDS = 1.0
"""How long that waits for a connection: it can be done later, the batch in hand cannot."""

TokenLookup = Callable[[psycopg.Connection, str], int | None]
"""The environment that a project token belongs to, for messages that somebody else published.

Raises when it cannot be told yet (projections.engine.completeness.Behind): None is final.
"""


Name = tuple[int, str, UUID]
"""Environment, session and batch."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A batch, the record that it came in, and the bytes of its message."""

    part: Part
    record: Record
    bytes: int


class SnapshotHandler:
    """A transport handler. Safe for any number of copies; everything it decides is in the handler's transaction.

    Blobs are written before the rows that name them, so a crash can leave a blob without a row but never a row without
    a blob. `pool` is for dropping old undecodable and held messages, in transactions of its own, now and then.
    """

    def __init__(
        self,
        blobs: Blobs,
        pool: ConnectionPool,
        environment_of: TokenLookup,
        clock: Clock = utc_now,
        limits: CaptureLimits = GENEROUS,
    ) -> None:
        self._blobs = blobs
        self._pool = pool
        self._environment_of = environment_of
        self._clock = clock
        self._limits = limits
        self._drop_at = clock()
        self._placing = Placing(blobs)

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        """Raises OSError when blobs fail, and what the lookup of a token raises: then the batch is to be tried again.

        A message that is no recording, or one that our code fails with, is counted, kept within limits, and passed
        over. It is no Poison: strangers can make such messages, and dead letters would stop the partition for everybody
        (transports/poison.py).
        """
        self._drop_old()
        now = self._clock()
        refused: list[Undecoded] = []
        admission = Admission(conn, self._limits, now)
        late: Counter[tuple[int, str]] = Counter()
        for portion in self._portions(conn, records, refused, late):
            refused += self._store_all(conn, portion, admission, now, late)
        admission.save()
        pass_over(conn, self._blobs, refused, self._clock(), log)
        if late:
            log.info("passed over batches of deleted sessions", extra={"batches": late.total()})
            deletions.note_dropped(conn, late)

    def _portions(
        self,
        conn: psycopg.Connection,
        records: Sequence[Record],
        refused: list[Undecoded],
        late: Counter[tuple[int, str]],
    ) -> Iterator[Mapping[Name, Arrived]]:
        """The batches of recordings, each once, as many at a time as memory has room for; appends what is none."""
        portion: dict[Name, Arrived] = {}
        room = BYTES_IN_HAND
        for record in records:
            try:
                arrived = self._arrived(conn, record)
            except BlobGone as refusal:
                if not _done(conn, record, late):
                    refused.append(Undecoded(record, refusal))
                continue
            except CaptureRefused as refusal:
                refused.append(Undecoded(record, refusal))
                continue
            except READING_FAULTS as fault:
                refused.append(Undecoded(record, unhandled(fault)))
                continue
            portion.setdefault((*arrived.part.session, arrived.part.uuid), arrived)
            room -= len(arrived.part.lines)
            if room < 0:
                yield portion
                portion, room = {}, BYTES_IN_HAND
        if portion:
            yield portion

    def _arrived(self, conn: psycopg.Connection, record: Record) -> Arrived:
        whole = resolved(record, self._blobs)
        snapshot = from_message(record) if whole is record else from_held(record, whole)
        if whole is not record and snapshot.session_id.encode() != record.key:
            raise Malformed("The message and what it holds are of different sessions.")
        environment_id = snapshot.environment_id
        if environment_id is None:
            environment_id = self._environment_of(conn, snapshot.token)
        if environment_id is None:
            raise UnknownToken("The message belongs to no environment.")
        return Arrived(part_of(snapshot, environment_id), record, len(whole.value))

    def _drop_old(self) -> None:
        """Now and then; a failure is logged and tried again at the next turn, as it must not hold recordings back."""
        now = self._clock()
        if now < self._drop_at:
            return
        self._drop_at = now + DROP_EVERY
        try:
            with self._pool.connection(timeout=POOL_SECONDS) as conn:
                dropped = drop_old(conn, self._blobs, now)
                settled = drop_held(conn, self._blobs, now)
        except (OSError, psycopg.Error):
            log.exception("old messages could not be dropped")
        else:
            if dropped or settled:
                log.info("dropped old messages", extra={"undecodable": dropped, "held": settled})

    def _store_all(
        self,
        conn: psycopg.Connection,
        portion: Mapping[Name, Arrived],
        admission: Admission,
        now: datetime,
        late: Counter[tuple[int, str]],
    ) -> Iterator[Undecoded]:
        """Stores what is new and within the limits, and yields what is over them or cannot be stored.

        Batches of deleted sessions are passed over, and counted in `late`.
        """
        asked = {arrived.part.session for arrived in portion.values()}
        gone = deletions.deleted(conn, asked)
        states = sessions.lock(conn, sorted(asked - gone))
        # Once more: from here on whoever erases one of these waits for the end of this transaction.
        just_gone = deletions.deleted(conn, states)
        if just_gone:
            sessions.unmake(conn, [session for session in just_gone if states[session] is None])
        gone |= just_gone
        received: dict[sessions.Session, datetime] = {}
        for part in (arrived.part for arrived in portion.values()):
            received[part.session] = max(part.received_at, received.get(part.session, part.received_at))
        states = begin_anew(conn, states, received, now)
        known = sessions.known_parts(conn, list(portion))
        fresh = sorted(
            (one for name, one in portion.items() if name not in known and one.part.session not in gone),
            key=lambda one: one.part.session,
        )
        fitting: list[Arrived] = []
        for session, members in groupby(fresh, key=lambda one: one.part.session):
            found, before = list(members), states[session]
            refusals = admission.refusals(session, before.facts if before else None, [one.part for one in found])
            yield from (Undecoded(one.record, no) for one, no in zip(found, refusals, strict=True) if no is not None)
            if taken := [one for one, refusal in zip(found, refusals, strict=True) if refusal is None]:
                admission.take(session[0], sum(one.bytes for one in taken), new=before is None)
                fitting += taken
        faulty = list(self._store_fitting(conn, fitting, states, now))
        yield from (Undecoded(one.record, fault) for one, fault in faulty)
        unstored = {id(one) for one, _ in faulty}
        kept = {one.part.session for one in fitting if id(one) not in unstored}
        _give_back(admission, [one for one, _ in faulty], {name for name in states if states[name] is None} - kept)
        if idle := [name for name in states if states[name] is None and name not in kept and name not in just_gone]:
            sessions.unmake(conn, idle)
        late.update(arrived.part.session for arrived in portion.values() if arrived.part.session in gone)

    def _store_fitting(
        self,
        conn: psycopg.Connection,
        found: Sequence[Arrived],
        states: Mapping[sessions.Session, sessions.State],
        now: datetime,
    ) -> Iterator[tuple[Arrived, CaptureRefused]]:
        """Stores new batches, those of a session beside each other; yields what cannot be stored, and why."""
        with self._placing.begin([one.part for one in found]) as writing:

            def store(some: Sequence[Arrived]) -> None:
                parts = [one.part for one in some]
                new = {session: list(each) for session, each in groupby(parts, key=lambda part: part.session)}
                # What was stored before of the same batches has moved their sessions on.
                before = states if len(some) == len(found) else sessions.lock(conn, sorted(new))
                sessions.save(conn, new, before, now)
                console.index(conn, [(part.session, part.uuid, part.console) for part in parts])
                here = {id(part) for part in parts}
                sessions.insert_parts(conn, [one for one in writing.placed(new) if id(one.part) in here], now)

            yield from store_in_halves(conn, found, store)


def _give_back(admission: Admission, unstored: Sequence[Arrived], unmade: Collection[sessions.Session]) -> None:
    """What was taken for batches that could not be stored, some of them all that there was of `unmade` sessions."""
    for session, members in groupby(unstored, key=lambda one: one.part.session):
        admission.give_back(session[0], sum(one.bytes for one in members), new=session in unmade)


def _done(conn: psycopg.Connection, record: Record, late: Counter[tuple[int, str]]) -> bool:
    """Whether the batch of a message whose blob is gone is stored, or of a deleted session, which `late` counts.

    A blob goes soon after its batch is stored, and with the session, while the message can be replayed for days.
    """
    name = _named(record)
    if name is None:
        return False
    session = name[:2]
    if deletions.deleted(conn, [session]):
        late[session] += 1
        return True
    return bool(sessions.known_parts(conn, [name]))


def _named(record: Record) -> Name | None:
    """The batch that the headers of a message of ours name."""
    session_id = (record.key or b"").decode("ascii", "replace")
    try:
        environment_id = environment_in(record.headers)
        uuid = UUID(record.headers.get("uuid", b"").decode("ascii", "replace"))
    except (Malformed, ValueError):
        return None
    return (environment_id, session_id, uuid) if environment_id and SESSION_ID.fullmatch(session_id) else None
