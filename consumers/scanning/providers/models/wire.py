"""The one way to a vendor: what the three SDKs send goes through it, whatever they or the environment would rather do.

Each request has a connection of its own. A scan makes few of them, each of which takes seconds, and a model made so
can be used by any thread and event loop.
"""

from __future__ import annotations

import ssl
from functools import cache

import anyio
import httpx2
import orjson

from consumers.scanning.providers.models.access import CONNECT_SECONDS, Access

_OF_THE_ENVIRONMENT = ("OpenAI-Organization", "OpenAI-Project")
"""Headers that an SDK reads from there, where they may be those of somebody else's work. The key says whose it is."""


class TooLong(httpx2.TransportError):
    """The answer has more bytes than an answer may have."""


class Redirected(httpx2.TransportError):
    """The vendor wants to be asked elsewhere. Nobody follows: the key would go along."""


class Unreadable(httpx2.TransportError):
    """The answer is none: no JSON object, or compressed, though that was not asked for, and of unknown size."""


def client(access: Access) -> httpx2.AsyncClient:
    """A client without proxies from the environment and without redirects. It holds nothing that must be closed."""
    return httpx2.AsyncClient(
        transport=Wire(access),
        timeout=httpx2.Timeout(access.seconds, connect=CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
    )


class Wire(httpx2.AsyncBaseTransport):
    """Times and sizes are the access's, not the SDK's."""

    def __init__(self, access: Access) -> None:
        self._most = access.answer_bytes
        self._timeout = httpx2.Timeout(access.seconds, connect=min(CONNECT_SECONDS, access.seconds)).as_dict()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The whole answer. Raises httpx2.TransportError, and TooLong, Redirected or Unreadable among them."""
        request.headers["Accept-Encoding"] = "identity"
        for name in _OF_THE_ENVIRONMENT:
            request.headers.pop(name, None)
        request.extensions = {**request.extensions, "timeout": self._timeout}
        transport = httpx2.AsyncHTTPTransport(verify=trusted(), trust_env=False, retries=0)
        try:
            response = await transport.handle_async_request(request)
            if response.is_redirect:
                raise Redirected("a redirect")
            content = await self._content(response)
        finally:
            # Also when the call was cancelled: the connection must not outlive it.
            with anyio.CancelScope(shield=True):
                await transport.aclose()
        document = _object(content)
        if response.is_success and document is None:
            raise Unreadable("no JSON object")
        if response.is_error and (document is None or not isinstance(document.get("error"), dict)):
            return _plain_error(response)
        return httpx2.Response(response.status_code, headers=response.headers, content=content)

    async def _content(self, response: httpx2.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Unreadable("a compressed answer")
        found = bytearray()
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - this transport gives no other
        async for chunk in response.stream:
            found += chunk
            if len(found) > self._most:
                raise TooLong("a longer answer than any")
        return bytes(found)


def _object(content: bytes) -> dict[str, object] | None:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _plain_error(response: httpx2.Response) -> httpx2.Response:
    """The same status in a form that every vendor's SDK reads: some break over the error page of a proxy."""
    error = {"code": response.status_code, "type": "error", "status": "UNKNOWN", "message": "no message"}
    headers = {name: value for name, value in response.headers.items() if name.startswith("retry-after")}
    return httpx2.Response(response.status_code, headers=headers, json={"type": "error", "error": error})


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts; reading them takes a twentieth of a second."""
    return httpx2.create_ssl_context()
