"""What happened in one recorded session, line by line, for whoever reads over HTTP: the timeline of its evidence."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any

from consumers.capture.store.blobs import Blobs, MissingBlob
from consumers.scanning.evidence import Evidence
from consumers.scanning.session_evidence import evidence_of
from domain.tenant import Tenant
from projections.queries.sessions import session_exists

AT_ONCE = 2
"""Recordings that one process reads at a time: each may take much memory, and all of a core."""

PATIENCE_SECONDS = 1.0
"""How long a request waits for its turn. It holds a thread of the server meanwhile."""


class Busy(Exception):
    """Others are being read. Not now, but later."""


class BlobsAway(Exception):
    """The blob store does not answer, or has lost a part of the recording."""


class Timelines:
    """Reads recordings for a process that serves. Thread-safe; AT_ONCE of them at a time."""

    def __init__(self, pool: Any, blobs: Blobs, clock: Callable[[], datetime], *, masked: bool = True) -> None:
        """`pool` lends connections in autocommit. `masked`: without personal data."""
        self._pool = pool
        self._blobs = blobs
        self._clock = clock
        self._masked = masked
        self._turns = BoundedSemaphore(AT_ONCE)

    def of(self, tenant: Tenant, session_id: str) -> Evidence | None:
        """The evidence of a session as it is now; None when there is none, or it was deleted meanwhile.

        Its lines are bounded (evidence.MAX_TEXT_BYTES). Raises Busy, BlobsAway.
        """
        if not self._exists(tenant, session_id):
            return None
        with self.turn():
            try:
                with self._pool.connection() as connection:
                    evidence = evidence_of(connection, self._blobs, tenant, session_id, masked=self._masked)
            except MissingBlob as error:
                if self._exists(tenant, session_id):
                    message = "a part of the recording is missing from the blob store"
                    raise BlobsAway(message) from error
                return None
            except OSError as error:
                raise BlobsAway(str(error)) from error
        return evidence if self._exists(tenant, session_id) else None

    def _exists(self, tenant: Tenant, session_id: str) -> bool:
        with self._pool.connection() as connection:
            return session_exists(connection, tenant, session_id, self._clock())

    @contextmanager
    def turn(self) -> Generator[None]:
        """One of AT_ONCE. Raises Busy."""
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            raise Busy
        try:
            yield
        finally:
            self._turns.release()
