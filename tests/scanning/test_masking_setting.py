"""REPLAY_VISION_MASKING: what is read of a stored recording, with and without personal data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from psycopg_pool import ConnectionPool

from api.settings import Settings
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.importing.importer import import_files
from consumers.capture.messages.snapshot import TOPIC
from consumers.capture.store.blobs import FolderBlobs
from consumers.scanning.timelines import Timelines
from consumers.transports.port import Outgoing, Record
from domain.tenant import Tenant
from tests.scanning.recorded import FOLDER, TRUTH

pytestmark = pytest.mark.usefixtures("readable")

NAME = "personal_data_on_page"
TENANT = Tenant(1, UUID(int=7))


class Stored:
    """Takes what an import publishes into the store."""

    def __init__(self, pool: ConnectionPool, blobs: FolderBlobs) -> None:
        self._pool = pool
        self._handler = SnapshotHandler(blobs, pool, lambda _connection, _token: 1)

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        assert topic == TOPIC
        with self._pool.connection() as connection, connection.transaction():
            now = datetime.now(UTC)
            self._handler(
                connection,
                [Record(TOPIC, 0, n, one.key, one.value, one.all_headers(), now) for n, one in enumerate(records)],
            )


@pytest.fixture
def session(pool: ConnectionPool, tmp_path: Path) -> tuple[FolderBlobs, str]:
    blobs = FolderBlobs(tmp_path / "blobs")
    (result,) = import_files([FOLDER / f"{NAME}.jsonl.gz"], Stored(pool, blobs), 1, datetime.now(UTC))
    assert result.error is None
    return blobs, result.sessions[0].session_id


@pytest.mark.parametrize("setting", ["on", "off", None])
def test_the_timeline_of_a_stored_recording(
    setting: str | None, session: tuple[FolderBlobs, str], pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is not None:
        monkeypatch.setenv("REPLAY_VISION_MASKING", setting)
    blobs, session_id = session
    timelines = Timelines(pool, blobs, lambda: datetime.now(UTC), masked=Settings().masked)
    evidence = timelines.of(TENANT, session_id)
    assert evidence is not None
    private = TRUTH["sessions"][NAME]["must_not_appear"]
    leaked = [secret for secret in private if secret in evidence.text]
    assert leaked == (private if setting == "off" else [])


def test_other_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_VISION_MASKING", "no")
    with pytest.raises(ValueError, match="masking"):
        Settings()
