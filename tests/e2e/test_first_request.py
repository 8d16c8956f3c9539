"""A server that begins knows who is in the log: the first request after the first set-up is not refused."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api.bootstrap import prepare, runtime
from api.credentials import Credentials
from api.settings import Settings
from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from projections.catalogue import PROJECTIONS
from projections.engine import Runner
from tests.live import ROOT, bare_environment, free_port, request, wait_until

SECRET = "k" * 40
LOOKING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND query LIKE '%projection.position%'"
)


@pytest.fixture
def credentials(database_url: str, tmp_path: Path) -> Credentials:
    """Of a database that was set up just now, and that nobody has projected."""
    with runtime(Settings(home=tmp_path), database_url, SECRET.encode()) as running:
        _, found = prepare(running)
    assert found is not None
    return found


@pytest.fixture
def address(credentials: Credentials, database_url: str, tmp_path: Path) -> Iterator[str]:
    """Where a server of its own is about to begin."""
    port = free_port()
    settings = {"DATABASE_URL": database_url, "HOME": str(tmp_path), "SECRET_KEY": SECRET, "PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli.main", "serve"],
        cwd=ROOT,
        env={**bare_environment(), **{f"REPLAY_VISION_{name}": value for name, value in settings.items()}},
    )
    try:
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture
def projecting(database_url: str) -> Iterator[threading.Thread]:
    """The projection runner, for the test to start."""
    runner = Runner(database_url, PROJECTIONS, EventLog(), CHANNEL)
    thread = threading.Thread(target=runner.run, name="projections")
    yield thread
    runner.stop()
    if thread.ident is not None:
        thread.join()


def test_a_server_waits_for_what_it_must_know(
    credentials: Credentials, address: str, projecting: threading.Thread, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        wait_until(lambda: connection.execute(LOOKING).fetchone(), 60, "the server does not look")
    with pytest.raises(OSError, match="refused"):
        request("GET", f"{address}/healthz", None, {})
    projecting.start()
    wait_until(lambda: healthy(address), 30, "the server does not begin")
    key = {"Authorization": f"Bearer {credentials.api_key}"}
    assert request("GET", f"{address}/api/environments/1/vision/scanners/", None, key).status == 200


def healthy(address: str) -> bool:
    try:
        return request("GET", f"{address}/healthz", None, {}).status == 200
    except OSError:
        return False
