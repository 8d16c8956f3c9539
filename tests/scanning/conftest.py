"""What tests of scans share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg_pool import ConnectionPool

from commands.store.application import Store
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.store.blobs import FolderBlobs
from consumers.transports.port import Record
from tests.capture.traffic import recorded
from tests.scanning.scans import RECORDING, Scans, now


@pytest.fixture
def scans(pool: ConnectionPool, database_url: str, tmp_path: Path) -> Iterator[Scans]:
    store = Store(database_url)
    blobs = FolderBlobs(tmp_path / "blobs")
    handler = SnapshotHandler(blobs, pool, lambda _connection, _token: 1)
    with pool.connection() as connection, connection.transaction():
        records = [
            Record("snapshots", 0, number, made.key, made.value, made.all_headers(), now())
            for number, made in enumerate(recorded(RECORDING))
        ]
        handler(connection, records)
    yield Scans(pool, store, blobs, tmp_path / "blobs")
    store.close()
