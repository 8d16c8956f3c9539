"""The evidence that observations rest on, kept by its digest for as long as the recording is (ADR 25).

It could be made again from the recording, but only by the version that made it. So what was judged is kept as it was: a
blob among the session's own, once for each digest, with its text, its lines and its signals.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import ConnectionPool

from commands.store.private_text import storable
from consumers.capture.store.blobs import Blobs, MissingBlob
from consumers.capture.store.packing import pack, unpack
from consumers.capture.wire.refusals import TooLarge, Undecodable
from consumers.scanning.evidence import Evidence, Line, Signal
from consumers.scanning.timelines import BlobsAway, Timelines
from domain.tenant import Tenant
from projections.queries.sessions import session_exists

log = logging.getLogger("replay_vision.scanning")

MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one evidence as JSON. Its text has 60 KB; signals have short texts and are bounded by kind."""

_KNOWN = "SELECT 1 FROM scanning.evidence WHERE environment_id = %s AND session_id = %s AND digest = %s"
_KEEP = """
INSERT INTO scanning.evidence (environment_id, session_id, digest, blob, kept_at) VALUES (%s, %s, %s, '', %s)
ON CONFLICT DO NOTHING
"""
_NAME = "UPDATE scanning.evidence SET blob = %s WHERE environment_id = %s AND session_id = %s AND digest = %s"
_FIND = "SELECT blob FROM scanning.evidence WHERE environment_id = %s AND session_id = %s AND digest = %s"


@dataclass(frozen=True, slots=True)
class Kept:
    """What an observation was judged by. `digest` is the SHA-256 of `text` in UTF-8, in hexadecimal digits."""

    digest: str
    text: str
    lines: tuple[Line, ...]
    signals: tuple[Signal, ...]


class KeptEvidence:
    """Thread-safe."""

    def __init__(
        self, pool: ConnectionPool[psycopg.Connection[Any]], blobs: Blobs, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._clock = clock

    def keep(self, tenant: Tenant, session_id: str, evidence: Evidence) -> None:
        """Keeps it, once for each digest. Not for a session that is gone meanwhile.

        The row comes first and holds the session's until the blob is there: whoever erases the session waits, and finds
        the blob in its folder. A blob store that is away is logged and no reason to lose an answer that was paid for:
        as long as this version of ours runs, a reader then gets the same from the recording.
        Raises psycopg's outages.
        """
        mine = (tenant.environment_id, session_id, evidence.digest)
        with self._pool.connection() as connection:
            if connection.execute(_KNOWN, mine).fetchone():
                return
        packed = pack(_written(evidence))
        try:
            with self._pool.connection() as connection, connection.transaction():
                if connection.execute(_KEEP, (*mine, self._clock())).rowcount:
                    connection.execute(_NAME, (self._blobs.put(tenant.environment_id, session_id, packed), *mine))
        except ForeignKeyViolation:
            log.info("evidence is not kept: its session is gone", extra={"session": session_id})
        except OSError as error:
            log.warning("evidence is not kept: %s", error, extra={"session": session_id})


class PastEvidence:
    """Reads what was kept, for a process that serves. Thread-safe."""

    def __init__(self, pool: Any, blobs: Blobs, timelines: Timelines, clock: Callable[[], datetime]) -> None:
        """`pool` lends connections in autocommit."""
        self._pool = pool
        self._blobs = blobs
        self._timelines = timelines
        self._clock = clock

    def of(self, tenant: Tenant, session_id: str, digest: str) -> Kept | None:
        """The evidence with this digest; None when the recording is gone, or nothing has the digest any more.

        What was not kept, by an earlier release say, is made from the recording, if that still gives the same.
        Raises Busy, BlobsAway.
        """
        if not self._exists(tenant, session_id):
            return None
        found = self._kept(tenant, session_id, digest) or self._made_again(tenant, session_id, digest)
        return found if self._exists(tenant, session_id) else None

    def _kept(self, tenant: Tenant, session_id: str, digest: str) -> Kept | None:
        with self._pool.connection() as connection:
            row = connection.execute(_FIND, (tenant.environment_id, session_id, digest)).fetchone()
        if row is None:
            return None
        try:
            found = _read(digest, unpack(self._blobs.get(row[0]), MAX_BYTES))
        except (MissingBlob, Undecodable, TooLarge, ValueError, KeyError, TypeError) as error:
            log.warning("kept evidence is damaged: %s", type(error).__name__, extra={"blob": row[0]})
            return None
        except OSError as error:
            raise BlobsAway(str(error)) from error
        return found

    def _made_again(self, tenant: Tenant, session_id: str, digest: str) -> Kept | None:
        evidence = self._timelines.of(tenant, session_id)
        if evidence is None or evidence.digest != digest:
            return None
        return Kept(digest, evidence.text, evidence.lines, evidence.signals)

    def _exists(self, tenant: Tenant, session_id: str) -> bool:
        with self._pool.connection() as connection:
            return session_exists(connection, tenant, session_id, self._clock())


def _written(evidence: Evidence) -> bytes:
    """As JSON: the order of keys and the text of numbers are fixed, so the same evidence has the same blob.

    What a page names may have characters that UTF-8 does not; in the text there are none.
    """
    document = {
        "text": evidence.text,
        "lines": [asdict(line) for line in evidence.lines],
        "signals": [asdict(signal) for signal in evidence.signals],
    }
    return orjson.dumps(storable(document))


def _read(digest: str, written: bytes) -> Kept:
    """Raises ValueError, KeyError or TypeError for what is no evidence, or not the one with the digest."""
    document = orjson.loads(written)
    text: str = document["text"]
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        message = "the text has another digest"
        raise ValueError(message)
    lines = tuple(Line(**line) for line in document["lines"])
    return Kept(digest, text, lines, tuple(Signal(**signal) for signal in document["signals"]))
