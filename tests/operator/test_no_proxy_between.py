"""Our own commands reach our own server, whatever proxy the environment names (and show it no key)."""

from __future__ import annotations

import http.server
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from api.cli.client import Client
from api.credentials import Credentials
from tests.live import free_port


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"count": 3}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - a name of the library
        """Nothing is logged."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_command_asks_without_the_proxy(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    # The library keeps the proxies that it saw first.
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert Client(address, Credentials(address, 1, "key", "token", "organization", "ann@example.org")).get(
        "scanners/"
    ) == {"count": 3}
