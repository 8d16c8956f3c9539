"""`up` says before it begins what is wrong with where it shall listen: the port, or the host."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.operator.starting import started


def refused_at(host: str, port: int, home: Path) -> str:
    done = started("up", HOST=host, PORT=str(port), HOME=str(home))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not home.exists()
    return done.stderr.strip()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused_at("127.0.0.1", port, tmp_path / "home")
    assert told.startswith(f"replay-vision: cannot listen on 127.0.0.1:{port} (Address already in use); ")
    assert told.endswith("; choose another with --port")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid", "[::1]", "a..b", "a" * 64])
def test_a_host_that_is_not_this_machine(host: str, tmp_path: Path) -> None:
    told = refused_at(host, 8000, tmp_path / "home")
    assert told.startswith(f"replay-vision: cannot listen on {host}:8000 (")
    assert told.endswith("with --host or REPLAY_VISION_HOST")
    assert "--port" not in told
