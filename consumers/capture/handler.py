"""The consumer of the topic `snapshots`: payload to blobs, facts to the session, each batch once."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture import console, sessions
from consumers.capture.blobs import Blobs
from consumers.capture.clock import Clock, utc_now
from consumers.capture.parts import Part, part_of
from consumers.capture.refusals import CaptureRefused, UnknownToken
from consumers.capture.snapshot import from_message
from consumers.capture.undecodable import Undecoded, drop_old, keep
from consumers.transports.port import Record

log = logging.getLogger("replay_vision.capture")

GROUP = "capture"

BLOB_TARGET_BYTES = 32 * 1024 * 1024
"""New batches of one session share a blob up to this many packed bytes."""

DROP_EVERY = timedelta(minutes=10)
"""How often a handler looks for undecodable messages that need not be kept any longer."""

POOL_SECONDS = 1.0
"""How long that waits for a connection: it can be done later, the batch in hand cannot."""

TokenLookup = Callable[[psycopg.Connection, str], int | None]
"""The environment that a project token belongs to, for messages that somebody else published.

Raises when it cannot be told yet (projections.engine.completeness.Behind): None is final.
"""


class SnapshotHandler:
    """A transport handler. Safe for any number of copies; everything it decides is in the handler's transaction.

    Blobs are written before the rows that name them, so a crash can leave a blob without a row but never a row without
    a blob. `pool` is for dropping old undecodable messages, in transactions of its own, now and then.
    """

    def __init__(
        self,
        blobs: Blobs,
        pool: ConnectionPool,
        environment_of: TokenLookup,
        clock: Clock = utc_now,
    ) -> None:
        self._blobs = blobs
        self._pool = pool
        self._environment_of = environment_of
        self._clock = clock
        self._drop_at = clock()

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        """Raises OSError when blobs fail, and what the lookup of a token raises: then the batch is to be tried again.

        A message that is no recording is counted, kept within limits, and passed over. It is no Poison: strangers can
        make such messages, and dead letters would stop the partition for everybody (transports/poison.py).
        """
        self._drop_old()
        parts: dict[tuple[int, str, UUID], Part] = {}
        undecoded: list[Undecoded] = []
        for record in records:
            try:
                part = self._part(conn, record)
            except CaptureRefused as refusal:
                undecoded.append(Undecoded(record, refusal))
            else:
                parts.setdefault((*part.session, part.uuid), part)
        if parts:
            self._store_all(conn, parts)
        if undecoded:
            self._keep(conn, undecoded)

    def _part(self, conn: psycopg.Connection, record: Record) -> Part:
        snapshot = from_message(record)
        environment_id = snapshot.environment_id
        if environment_id is None:
            environment_id = self._environment_of(conn, snapshot.token)
        if environment_id is None:
            raise UnknownToken("The message belongs to no environment.")
        return part_of(snapshot, environment_id)

    def _keep(self, conn: psycopg.Connection, undecoded: list[Undecoded]) -> None:
        kept = keep(conn, self._blobs, undecoded, self._clock())
        first = undecoded[0].record
        log.warning(
            "passed over undecodable messages",
            extra={
                "codes": dict(Counter(one.refusal.code for one in undecoded)),
                "kept": kept,
                "partition": first.partition,
                "offset": first.offset,
            },
        )

    def _drop_old(self) -> None:
        """Now and then; a failure is logged and tried again at the next turn, as it must not hold recordings back."""
        now = self._clock()
        if now < self._drop_at:
            return
        self._drop_at = now + DROP_EVERY
        try:
            with self._pool.connection(timeout=POOL_SECONDS) as conn:
                dropped = drop_old(conn, self._blobs, now)
        except (OSError, psycopg.Error):
            log.exception("old undecodable messages could not be dropped")
        else:
            if dropped:
                log.info("dropped undecodable messages", extra={"dropped": dropped})

    def _store_all(self, conn: psycopg.Connection, parts: Mapping[tuple[int, str, UUID], Part]) -> None:
        wanted = sorted({part.session for part in parts.values()})
        states = sessions.lock(conn, wanted)
        known = sessions.known_parts(conn, list(parts))
        fresh = sorted((part for name, part in parts.items() if name not in known), key=lambda part: part.session)
        now = self._clock()
        for session, members in groupby(fresh, key=lambda part: part.session):
            self._store(conn, session, list(members), states, now)

    def _store(
        self,
        conn: psycopg.Connection,
        session: tuple[int, str],
        parts: list[Part],
        states: dict[tuple[int, str], sessions.State],
        now: datetime,
    ) -> None:
        placed: list[sessions.Placed] = []
        for group in _by_size(parts):
            key = self._blobs.put(*session, b"".join(part.packed for part in group))
            offset = 0
            for part in group:
                placed.append(sessions.Placed(part, key, offset))
                offset += len(part.packed)
        sessions.save(conn, session, states[session], parts, now)
        sessions.insert_parts(conn, placed, now)
        console.index(conn, session, {part.uuid: part.console for part in parts})


def _by_size(parts: list[Part]) -> list[list[Part]]:
    groups: list[list[Part]] = [[]]
    room = BLOB_TARGET_BYTES
    for part in parts:
        if groups[-1] and len(part.packed) > room:
            groups.append([])
            room = BLOB_TARGET_BYTES
        groups[-1].append(part)
        room -= len(part.packed)
    return groups
