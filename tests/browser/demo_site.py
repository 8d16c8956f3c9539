"""A small shop with pages of its own, on another origin than the server that records it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

PAGES = Path(__file__).with_name("demo")
MODULES = Path(__file__).with_name("node_modules")
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
HOST = "shop.test"
"""A name, since the SDK records no requests of pages on localhost."""
SERVER_HOST = "vision.test"


@dataclass(frozen=True)
class Sdk:
    """How pages load one SDK: `served` from our own server's `/static/`, or `hosted` by the shop itself."""

    version: str
    package: str
    script: str
    hosted: bool


LEAN = Sdk("1.449.2", "posthog-js", "array.js", hosted=False)
"""Loads its recorder from the server when the page's config says so."""
WHOLE = Sdk("1.257.0", "posthog-js-1-257", "array.full.no-external.js", hosted=True)
"""Has its recorder in one file; of another generation of encodings and endpoints."""


@contextmanager
def shop(sdk: Sdk, server_port: int, token: str, *, compressing: bool = True) -> Iterator[str]:
    """Serves the pages, recorded by `sdk` for the project of `token`; gives their address.

    An SDK that does not compress posts JSON, for which the browser first asks whether it may (a preflight).
    """
    server_address = f"http://{SERVER_HOST}:{server_port}"
    values = {
        "{{sdk}}": f"/sdk/{sdk.script}" if sdk.hosted else f"{server_address}/static/{sdk.script}",
        "{{token}}": token,
        "{{server}}": server_address,
        "{{compressing}}": json.dumps(compressing),
    }
    payments = count(1)

    class Shop(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == f"/sdk/{sdk.script}":
                self._give(200, (MODULES / sdk.package / "dist" / sdk.script).read_bytes(), KINDS[".js"])
                return
            page = "index.html" if path == "/" else path.split("/")[1]
            if not (PAGES / page).is_file():
                self._give(404, b"<h1>There is no such page</h1>", KINDS[".html"])
                return
            text = (PAGES / page).read_text(encoding="utf-8")
            for name, value in values.items():
                text = text.replace(name, value)
            self._give(200, text.encode(), KINDS[Path(page).suffix])

        def do_POST(self) -> None:
            """The first payment fails, the second does not."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._give(500 if next(payments) == 1 else 200, b"{}", "application/json")

        def _give(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        server.daemon_threads = True  # a browser keeps connections open
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
