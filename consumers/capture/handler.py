"""The consumer of the topic `snapshots`: payload to blobs, facts to the session, each batch once."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture import sessions
from consumers.capture.blobs import Blobs
from consumers.capture.clock import Clock, utc_now
from consumers.capture.parts import Part, part_of
from consumers.capture.refusals import CaptureRefused, UnknownToken
from consumers.capture.snapshot import from_message
from consumers.capture.undecodable import keep
from consumers.transports.port import Poison, Record

log = logging.getLogger("replay_vision.capture")

GROUP = "capture"

BLOB_TARGET_BYTES = 32 * 1024 * 1024
"""New batches of one session share a blob up to this many packed bytes."""

TokenLookup = Callable[[psycopg.Connection, str], int | None]
"""The environment that a project token belongs to, for messages that somebody else published."""


class SnapshotHandler:
    """A transport handler. Safe for any number of copies; everything it decides is in the handler's transaction.

    Blobs are written before the rows that name them, so a crash can leave a blob without a row but never a row without
    a blob. `pool` is for reports of undecodable messages, which must outlive the rolled back transaction.
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

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        """Raises Poison for a message that is no recording, after keeping and reporting it; OSError when blobs fail."""
        parts: dict[tuple[int, str, UUID], Part] = {}
        for record in records:
            part = self._part(conn, record)
            parts.setdefault((*part.session, part.uuid), part)
        wanted = sorted({part.session for part in parts.values()})
        states = sessions.lock(conn, wanted)
        known = sessions.known_parts(conn, list(parts))
        fresh = sorted((part for name, part in parts.items() if name not in known), key=lambda part: part.session)
        now = self._clock()
        for session, members in groupby(fresh, key=lambda part: part.session):
            self._store(conn, session, list(members), states, now)

    def _part(self, conn: psycopg.Connection, record: Record) -> Part:
        try:
            snapshot = from_message(record)
            environment_id = snapshot.environment_id
            if environment_id is None:
                environment_id = self._environment_of(conn, snapshot.token)
            if environment_id is None:
                raise UnknownToken("The message belongs to no environment.")
            return part_of(snapshot, environment_id)
        except CaptureRefused as refusal:
            keep(self._pool, self._blobs, record, refusal, self._clock())
            log.warning("kept an undecodable message", extra={"code": refusal.code, "offset": record.offset})
            raise Poison(record, refusal.message) from refusal

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
        sessions.insert_parts(conn, placed, now)
        sessions.save(conn, session, states[session], parts, now)


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
