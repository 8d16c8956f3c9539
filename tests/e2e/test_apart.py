"""Roles as processes of their own against one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.live import ROOT, free_port, request, wait_until

pytestmark = pytest.mark.timeout(240)


def environment(database_url: str, home: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_VISION_")}
    given = {"DATABASE_URL": database_url, "HOME": str(home), "SECRET_KEY": "k" * 40, **settings}
    return {**kept, **{f"REPLAY_VISION_{name}": value for name, value in given.items()}}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "api.cli.main", *words]


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in started:
        process.wait(30)


@pytest.mark.parametrize("words", [("serve",), ("worker",), ("worker", "--role", "relay")])
def test_an_empty_database_is_refused(database_url: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        command(*words),
        cwd=ROOT,
        env=environment(database_url, tmp_path, PORT=str(free_port())),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "not set up" in done.stderr
    assert "Traceback" not in done.stderr


def test_roles_apart_do_the_main_job(
    database_url: str, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    port = free_port()
    apart = environment(database_url, tmp_path / "home", PORT=str(port), BLOBS_URL=str(tmp_path / "blobs"))
    subprocess.run(command("admin", "bootstrap"), cwd=ROOT, env=apart, check=True, timeout=60, capture_output=True)
    roles = ("relay", "projections", "capture", "scanning", "scheduler")
    words = [("serve",), *(("worker", "--role", role) for role in roles), ("worker", "--role", "projections")]
    processes += [subprocess.Popen(command(*each), cwd=ROOT, env=apart) for each in words]
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return request("GET", f"{address}/readyz", None, {}).status == 200
        except OSError:
            return False

    wait_until(ready, 90, "not ready")
    sample = min((ROOT / "recordings").glob("*.jsonl.gz"))
    importing = command("sessions", "import", str(sample), "--environment", "1")
    subprocess.run(importing, cwd=ROOT, env=apart, check=True, timeout=60, capture_output=True)
    key = json.loads((tmp_path / "home" / "credentials.json").read_text())["api_key"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    base = f"{address}/api/environments/1/vision/scanners/"
    body = (
        b'{"name": "apart", "scanner_type": "summarizer", "scanner_config": {"prompt": "What happened?"},'
        b' "provider": "builtin", "model": "builtin"}'
    )
    made = request("POST", base, body, headers)
    assert made.status == 201, made.body
    scanner = f"{base}{made.body['id']}/"
    session = b'{"session_id": "' + sample.name.removesuffix(".jsonl.gz").encode() + b'"}'

    def succeeded() -> bool:
        page = request("GET", f"{scanner}observations/", None, headers).body
        if page["count"] == 0:
            request("POST", f"{scanner}observe/", session, headers)
        return bool(page["results"]) and page["results"][0]["status"] == "succeeded"

    wait_until(lambda: captured(database_url), 60, "the import was not captured")
    wait_until(succeeded, 60, "not scanned")


def captured(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT 1 FROM capture.session").fetchone() is not None
