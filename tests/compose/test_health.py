"""`replay-vision health`: what the health checks of compose.yaml ask."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from api.heartbeat import FOLDER, LATE_SECONDS, Heartbeat, signs
from tests.live import ROOT, free_port, wait_until


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "api.cli.main", *words]


def environment(home: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_VISION_")}
    given = {"HOME": str(home), **settings}
    return {**kept, **{f"REPLAY_VISION_{name}": value for name, value in given.items()}}


def health(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("health", *words),
        cwd=ROOT,
        env=environment(home, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def file_of(home: Path, pid: int | None = None) -> Path:
    return home / FOLDER / f"{socket.gethostname()}-{pid or os.getpid()}"


@pytest.fixture
def old_process() -> int:
    """One that began long ago and ends after the test: the first of the machine, or of its container."""
    return 1


@pytest.fixture
def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.fixture
def other_process() -> Iterator[int]:
    """A process that began after whatever the test made before."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def test_a_young_heartbeat_is_healthy(tmp_path: Path) -> None:
    Heartbeat(tmp_path, ["relay", "capture"]).beat()
    [sign] = signs(tmp_path)
    assert (sign.pid, sign.roles, sign.late) == (os.getpid(), ("relay", "capture"), False)
    done = health(tmp_path, "worker")
    assert (done.returncode, done.stdout) == (0, f"worker {os.getpid()}: relay capture\n")


def test_an_old_heartbeat_is_not(tmp_path: Path, old_process: int) -> None:
    Heartbeat(tmp_path, ["relay"]).beat()
    heard = time.time() - LATE_SECONDS - 1
    file_of(tmp_path).rename(file_of(tmp_path, old_process))
    os.utime(file_of(tmp_path, old_process), (heard, heard))
    done = health(tmp_path, "worker")
    assert done.returncode == 1
    assert f"the worker {old_process} (relay) has not been heard of for" in done.stderr


@pytest.mark.parametrize("roles", [("relay",), ("relay", "scanning")])
def test_every_role_that_is_asked_for_has_to_be_there(tmp_path: Path, roles: tuple[str, ...]) -> None:
    Heartbeat(tmp_path, ["relay", "capture"]).beat()
    done = health(tmp_path, "worker", *(word for role in roles for word in ("--role", role)))
    assert done.returncode == (1 if "scanning" in roles else 0)
    assert ("no worker for scanning keeps a heartbeat" in done.stderr) == ("scanning" in roles)


def test_nobody_is_not_healthy(tmp_path: Path) -> None:
    done = health(tmp_path, "worker")
    assert done.returncode == 1
    assert "no worker keeps a heartbeat" in done.stderr


def test_the_dead_and_other_hosts_do_not_count(tmp_path: Path, dead_pid: int) -> None:
    Heartbeat(tmp_path, ["relay"]).beat()
    file_of(tmp_path).rename(file_of(tmp_path, dead_pid))
    (tmp_path / FOLDER / f"another-host-{os.getpid()}").write_text("capture")
    assert signs(tmp_path) == []


def test_a_process_that_got_the_number_of_a_dead_one_does_not_count(tmp_path: Path, other_process: int) -> None:
    (tmp_path / FOLDER).mkdir()
    left = file_of(tmp_path, other_process)
    left.write_text("relay")
    before = time.time() - 60
    os.utime(left, (before, before))
    assert signs(tmp_path) == []


def test_a_folder_is_no_heartbeat(tmp_path: Path, dead_pid: int, caplog: pytest.LogCaptureFixture) -> None:
    for pid in (os.getpid(), dead_pid):
        file_of(tmp_path, pid).mkdir(parents=True)
    done = health(tmp_path, "worker")
    assert (done.returncode, "no worker keeps a heartbeat" in done.stderr) == (1, True)
    heartbeat = Heartbeat(tmp_path, ["relay"])
    heartbeat.beat()
    assert "there is no heartbeat" in caplog.text, "a worker that cannot keep one has to say so"
    heartbeat.end()
    assert signs(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"relay\xff", b"\x00\x01", b"relay\x1b[31m", "relais\u00e9".encode(), b"relay\ncapture"]
)
def test_a_file_that_is_no_heartbeat_is_named(tmp_path: Path, old_process: int, content: bytes) -> None:
    path = file_of(tmp_path, old_process)
    path.parent.mkdir()
    path.write_bytes(content)
    done = health(tmp_path, "worker")
    assert done.returncode == 1
    assert done.stderr == f"replay-vision: {path} is no heartbeat: remove it\n"


def test_the_end_takes_the_file_away_and_those_of_the_dead(tmp_path: Path, dead_pid: int) -> None:
    heartbeat = Heartbeat(tmp_path, ["relay"])
    heartbeat.beat()
    file_of(tmp_path, dead_pid).write_text("capture")
    heartbeat.end()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_home_that_cannot_be_written_is_said_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.write_text("no folder")
    heartbeat = Heartbeat(home, ["relay"])
    heartbeat.beat()
    heartbeat.beat()
    assert len(caplog.records) == 1
    assert "there is no heartbeat" in caplog.text
    heartbeat.end()


def test_a_server_that_is_not_there_is_not_healthy(tmp_path: Path) -> None:
    done = health(tmp_path, "serve", PORT=str(free_port()))
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_server_and_worker_are_healthy_while_they_run(database_url: str, tmp_path: Path) -> None:
    port = str(free_port())
    settings = {"DATABASE_URL": database_url, "SECRET_KEY": "k" * 40, "PORT": port}
    apart = environment(tmp_path, **settings)
    subprocess.run(command("admin", "bootstrap"), cwd=ROOT, env=apart, check=True, timeout=60, capture_output=True)
    words = (("serve",), ("worker", "--role", "projections"))
    processes = [subprocess.Popen(command(*each), cwd=ROOT, env=apart) for each in words]
    try:
        for asked in ("serve", "worker"):
            wait_until(partial(is_well, tmp_path, asked, port), 60, f"{asked} is not well")
    finally:
        for process in processes:
            process.terminate()
        statuses = [process.wait(30) for process in processes]
    assert statuses == [0, 0]
    assert not any(is_well(tmp_path, asked, port) for asked in ("serve", "worker"))


def is_well(home: Path, asked: str, port: str) -> bool:
    return health(home, asked, PORT=port).returncode == 0
