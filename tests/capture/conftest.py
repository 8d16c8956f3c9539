"""Captured traffic, and the consumer without a transport around it."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from consumers.capture.blobs import FolderBlobs
from consumers.capture.handler import SnapshotHandler
from consumers.transports.port import Outgoing, Record

ENVIRONMENT = 1
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Capture:
    """Blobs, a database and a clock that stands still until it is moved."""

    def __init__(self, pool: ConnectionPool, folder: Path) -> None:
        self.pool = pool
        self.blobs = FolderBlobs(folder)
        self.now = NOW
        self.handler = SnapshotHandler(
            self.blobs, pool, lambda _conn, token: 7 if token == "phc_known" else None, lambda: self.now
        )
        self._offset = 0

    def record(self, message: Outgoing) -> Record:
        self._offset += 1
        return Record("snapshots", 0, self._offset, message.key, message.value, message.all_headers(), self.now)

    def handle(self, messages: Iterable[Outgoing]) -> None:
        records = [self.record(message) for message in messages]
        with self.pool.connection() as conn, conn.transaction():
            self.handler(conn, records)


@pytest.fixture
def capture(pool: ConnectionPool, tmp_path: Path) -> Capture:
    return Capture(pool, tmp_path / "blobs")
