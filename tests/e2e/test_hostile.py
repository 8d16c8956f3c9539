"""What strangers and mistaken operators can do to a running installation."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live import ROOT, Live, request

pytestmark = pytest.mark.timeout(240)


def first_line(live: Live, head: bytes, repeated: bytes, times: int) -> bytes:
    """The status line after sending a head and then the same bytes many times; empty when the server just closed."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
        connection.sendall(head)
        try:
            for _ in range(times):
                connection.sendall(repeated)
            return connection.recv(4096).partition(b"\r\n")[0]
        except ConnectionError:
            return b""


@pytest.mark.parametrize("repeated", [b"a" * 8192, b"X-Filler: 1\r\n" * 500])
def test_endless_headers_are_cut_off(live: Live, repeated: bytes) -> None:
    began = time.monotonic()
    line = first_line(live, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", repeated, 2000)
    assert line in (b"", b"HTTP/1.1 431 Request Header Fields Too Large")
    assert time.monotonic() - began < 15
    assert request("GET", f"{live.address}/healthz", None, {}).status == 200


def test_large_bodies_and_long_keys_still_pass(live: Live) -> None:
    assert request("GET", f"{live.address}/healthz", None, {"X-Long": "a" * 16_000}).status == 200
    body = b'[{"event": "$pageview", "filler": "' + b"a" * 3_000_000 + b'"}]'
    assert live.post_recording(body).status in (200, 400, 401)


def test_a_mistyped_home_gets_no_database(live: Live, tmp_path: Path) -> None:
    del live
    missing = tmp_path / "no-such-home"
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "admin", "key", "list", "--home", str(missing)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not missing.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "garbage"),
        ("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x"),
        ("BLOBS_URL", "s3://bucket/prefix"),
        ("PUBLIC_URL", "javascript:x"),
        ("HOME", "/dev/null/x"),
    ],
)
def test_a_setting_that_cannot_work_is_one_plain_line(live: Live, name: str, value: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", f"REPLAY_VISION_{name}": value, "REPLAY_VISION_PORT": str(live.port + 1)}
    if name != "HOME":
        environment["REPLAY_VISION_HOME"] = str(live.home)
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "up", "--no-demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
