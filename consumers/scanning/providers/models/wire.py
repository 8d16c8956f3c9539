"""The one way to a vendor: what the three SDKs send goes through it, whatever they or the environment would rather do.

Each request has a connection of its own. A scan makes few of them, each of which takes seconds, and a model made so
can be used by any thread and event loop.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import cache

import anyio
import httpx2

from consumers.scanning.providers.models.access import CONNECT_SECONDS, Access


class TooLong(httpx2.TransportError):
    """The answer has more bytes than an answer may have."""


class Encoded(httpx2.TransportError):
    """The answer is compressed, though that was not asked for: its size cannot be told before it is unpacked."""


def client(access: Access) -> httpx2.AsyncClient:
    """A client without proxies from the environment and without redirects, which would carry the key elsewhere.

    It holds nothing that must be closed.
    """
    return httpx2.AsyncClient(
        transport=Wire(access),
        timeout=httpx2.Timeout(access.seconds, connect=CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
    )


class Wire(httpx2.AsyncBaseTransport):
    """Times and sizes are the access's, not the SDK's."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._timeout = httpx2.Timeout(access.seconds, connect=min(CONNECT_SECONDS, access.seconds)).as_dict()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.TransportError, and TooLong or Encoded among them."""
        request.headers["Accept-Encoding"] = "identity"
        request.extensions = {**request.extensions, "timeout": self._timeout}
        transport = httpx2.AsyncHTTPTransport(verify=_trusted(), trust_env=False, retries=0)
        try:
            response = await transport.handle_async_request(request)
            _refuse_encoded(response)
        except BaseException:
            await _close(transport)
            raise
        stream = _Bounded(response.stream, transport, self._access.answer_bytes)
        return httpx2.Response(response.status_code, headers=response.headers, stream=stream)


def _refuse_encoded(response: httpx2.Response) -> None:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Encoded("a compressed answer")


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: object, transport: httpx2.AsyncHTTPTransport, most: int) -> None:
        assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - an asynchronous transport gives no other
        self._stream = stream
        self._transport = transport
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise TooLong("a longer answer than any")
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await _close(self._transport)


async def _close(transport: httpx2.AsyncHTTPTransport) -> None:
    """Also when the call was cancelled: the connection must not outlive it."""
    with anyio.CancelScope(shield=True):
        await transport.aclose()


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts; reading them takes a twentieth of a second."""
    return httpx2.create_ssl_context()
