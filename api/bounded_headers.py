"""Limits on request heads, which the HTTP server has none for; what is no request is told in the envelope too."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.errors import Refusal, envelope

HEAD_BYTES = 64 * 1024
"""Request line and headers together; browsers and proxies stay far below."""

HEAD_SECONDS = 20.0
"""From the first byte of a request, or from connecting, to the end of its headers."""

_TOO_LARGE = Refusal(431, "invalid_request", "request_too_large", f"The head is larger than {HEAD_BYTES} bytes.")
_NO_REQUEST = Refusal(400, "invalid_request", "parse_error", "This is no HTTP request.")


def _closing(refusal: Refusal) -> bytes:
    """An answer outside the application, after which the connection is closed."""
    answer = envelope(refusal)
    headers = [b"%s: %s" % header for header in [*answer.raw_headers, (b"connection", b"close")]]
    status = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()
    return b"\r\n".join([status, *headers, b"", bytes(answer.body)])


class BoundedHeaders(HttpToolsProtocol):
    """Ends connections whose request head is too large or takes too long."""

    _head_bytes = 0
    _in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The first head may begin now."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._forget_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Another head, possibly in the same bytes as the end of the last request."""
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What follows is the body, which has limits of its own."""
        self._in_head = False
        self._forget_deadline()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head; a chunk is at most 256 KiB, so the count is exact enough."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self._holds_whole_head(data):
                self._refuse()
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Bytes that the parser does not take for a request. `msg` is the server's own text for it."""
        del msg
        self._forget_deadline()
        self.transport.write(_closing(_NO_REQUEST))
        self.transport.close()

    def _holds_whole_head(self, data: bytes) -> bool:
        """A small head with a large body behind it in the same chunk."""
        end = data.find(b"\r\n\r\n")
        return end >= 0 and self._head_bytes - len(data) + end <= HEAD_BYTES

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._in_head = True
        self._forget_deadline()
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _too_late(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self) -> None:
        self._forget_deadline()
        if not self.transport.is_closing():
            self.transport.write(_closing(_TOO_LARGE))
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
