"""A worker process is killed in the middle of a call of a model: one ending, at most one extra call, and both told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from commands.accounts import Accounts, FirstAccounts, new_key, new_token
from commands.context import Context
from consumers.scanning.worker import Reaper
from domain.event import Actor
from tests.live import ROOT, bare_environment
from tests.scanning.providers.vendor_scans import ANSWER, VendorScans
from tests.scanning.scans import Scans, now
from tests.servers.vendors.all import KEY
from tests.servers.vendors.gemini import GenerateContent
from tests.servers.vendors.server import Reply, VendorServer

pytestmark = pytest.mark.usefixtures("readable")

GOOGLE = GenerateContent()
SECRET = "k" * 40


@contextmanager
def worker(
    database_url: str, blobs: Path, home: Path, server: VendorServer, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "DATABASE_URL": database_url,
        "HOME": str(home),
        "SECRET_KEY": SECRET,
        "BLOBS_URL": str(blobs),
        "GOOGLE_API_KEY": KEY,
        "GOOGLE_BASE_URL": server.url,
        **more,
    }
    with (home.with_name("worker.log")).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "worker", "--role", "scanning"],
            cwd=ROOT,
            env={**bare_environment(), **{f"REPLAY_VISION_{name}": value for name, value in settings.items()}},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(20)


def set_up(scans: Scans) -> None:
    context = Context(Actor(type="system", role="bootstrap"), now(), uuid4())
    first = FirstAccounts(UUID(int=7), new_token(), new_key(), "a@example.org")
    Accounts(scans.store, SECRET.encode()).set_up(context, first)


def test_kill_9_in_the_middle_of_a_call(scans: Scans, database_url: str, tmp_path: Path) -> None:
    set_up(scans)
    with VendorServer([Reply({}, after=120), GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        observation_id = run.request()
        with worker(database_url, scans.folder, tmp_path / "home", server) as process:
            server.wait_for(1, 60)
            process.kill()
            process.wait(20)
        log = (tmp_path / "worker.log").read_text()
        assert KEY not in log
        assert run.history(observation_id) == ["ObservationRequested", "ScanStarted"], log
        with scans.pool.connection() as connection:  # what a minute would do
            connection.execute("UPDATE scanning.job SET lease_expires_at = clock_timestamp() WHERE state = 'leased'")
        for _ in range(2):
            Reaper(scans.pool, scans.observations, now).run()
        assert run.try_once() is None
        assert len(server.requests) == 2
    events: list[Any] = run.events(observation_id)
    story = ["ObservationRequested", "ScanStarted", "ScanStarted", "ObservationSucceeded"]
    assert [event.TOPIC for event in events] == story
    assert [event.try_number for event in events if event.TOPIC == "ScanStarted"] == [1, 2]
