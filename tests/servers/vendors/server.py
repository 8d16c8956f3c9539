"""A server on the loopback address that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.servers.ports import LOOPBACK

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for zero seconds: closing tells the peer at once that the connection is broken."""

PIECE = 64 * 1024


@dataclass(frozen=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What to answer, and how badly."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Instead of the document."""
    after: float = 0.0
    """Seconds of silence before the first byte."""
    between: float = 0.0
    """Seconds of silence after each byte of the body."""
    cut_at: int | None = None
    """Bytes of the body after which the connection breaks; 0: also without a head."""
    size: int | None = None
    """Instead of the body, blanks without a length and without an end: so many bytes at most."""

    @property
    def content(self) -> bytes:
        return json.dumps(self.document).encode() if self.body is None else self.body


Script = Callable[[Seen], Reply]
"""An answer may depend on the question: protocols want names and ids back."""


class VendorServer:
    """Answers request n by the script's entry n, and all further ones by its last. A context manager; thread-safe.

    `certificate` is a PEM file with a key and its certificate: the server then speaks TLS.
    """

    def __init__(self, script: Sequence[Script | Reply], certificate: Path | None = None) -> None:
        self.script = list(script)
        self.requests: list[Seen] = []
        self.stopping = threading.Event()
        self.gone = threading.Event()
        """Set when a client has left before its answer was whole."""
        self._came = threading.Condition()
        self._server = _Listener((LOOPBACK, 0), self)
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{LOOPBACK}:{self._server.server_address[1]}"

    def reply_to(self, seen: Seen) -> Reply:
        with self._came:
            self.requests.append(seen)
            entry = self.script[min(len(self.requests), len(self.script)) - 1]
            self._came.notify_all()
        return entry if isinstance(entry, Reply) else entry(seen)

    def wait_for(self, requests: int, seconds: float = 60) -> None:
        """Returns when so many have come. Raises TimeoutError."""
        with self._came:
            if not self._came.wait_for(lambda: len(self.requests) >= requests, seconds):
                message = f"{len(self.requests)} requests instead of {requests}"
                raise TimeoutError(message)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: VendorServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is part of the play; anything else breaks the test by its missing answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> VendorServer:
        assert isinstance(self.server, _Listener)
        return self.server.owner

    def do_POST(self) -> None:
        owner = self.owner
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the sender died while it sent: that is no request
            owner.gone.set()
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = owner.reply_to(Seen(self.command, self.path, headers, body))
        if self._left_within(reply.after):
            return
        try:
            self._answer(reply)
        except OSError:
            owner.gone.set()

    do_GET = do_PUT = do_POST  # noqa: N815 - names of the standard library

    def _answer(self, reply: Reply) -> None:
        if reply.cut_at == 0:
            self._break()
            return
        content = reply.content
        self.send_response(reply.status)
        given = {"Content-Type": "application/json", **reply.headers}
        if reply.size is None:
            given["Content-Length"] = str(len(content))
        else:
            given["Connection"] = "close"
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.size is not None:
            self._blanks(reply.size)
        elif reply.between:
            for position in range(len(content)):
                self.wfile.write(content[position : position + 1])
                if self._left_within(reply.between):
                    return
        else:
            self.wfile.write(content[: reply.cut_at])
            if reply.cut_at is not None:
                self._break()

    def _blanks(self, size: int) -> None:
        for _ in range(0, size, PIECE):
            self.wfile.write(b" " * PIECE)
        self.close_connection = True

    def _break(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.close()

    def _left_within(self, seconds: float) -> bool:
        """Waits so long; True when the client went away, or the test ended, in the meantime."""
        self.connection.settimeout(0.02)
        for _ in range(round(seconds / 0.02)):
            if self.owner.stopping.is_set():
                self.close_connection = True
                return True
            try:
                left = self.connection.recv(1, socket.MSG_PEEK) == b""
            except TimeoutError:
                left = False
            except OSError:
                left = True
            if left:
                self.owner.gone.set()
                self.close_connection = True
                return True
        self.connection.settimeout(None)
        return False

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - a name of the standard library
        """Tests look at `requests`."""
