"""One POST to somebody else's server: guarded, without redirects and proxies, bounded in size and in time."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import anyio
import httpx2

from domain.outbound import Address, host_of, port_of

SECONDS = 20.0
"""For a whole request, the look-up of the name included (anchors D.3: 15 to 30)."""
CONNECT_SECONDS = 5.0
"""For each address of a name."""
ANSWER_BYTES = 65_536
"""What is read of an answer; the rest is left."""
USER_AGENT = "Replay-Vision"


class Checking(Protocol):
    """`consumers.delivery.guard.Guard`, or `Unguarded`."""

    def addresses(self, parts: SplitResult) -> list[Address]: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: its status, its headers by small letters, and the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unanswered(Exception):
    """There was no answer, or none in time. The text is our own and may be shown; another attempt may succeed."""


class Poster:
    """Safe to use from several threads. `trusted`: the authorities for TLS, those of this machine when None."""

    def __init__(self, checking: Checking, *, seconds: float = SECONDS, trusted: ssl.SSLContext | None = None) -> None:
        self._checking = checking
        self._seconds = seconds
        self._trusted = trusted

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Sends it once. `url` is one that `check_webhook_url` takes. Raises NotAllowed, Unanswered.

        The name is asked for once; what is connected to is an address that was checked, while TLS and the Host header
        keep the name. An answer of any status is an answer; one that redirects is not followed.
        """
        return anyio.run(self._post, urlsplit(url), headers, body)

    async def _post(self, parts: SplitResult, headers: Mapping[str, str], body: bytes) -> Answered:
        try:
            with anyio.fail_after(self._seconds):
                addresses = await self._addresses(parts)
                return await self._first_answer(parts, addresses, headers, body)
        except TimeoutError as error:
            raise Unanswered(f"There was no whole answer within {self._seconds:g} s.") from error

    async def _addresses(self, parts: SplitResult) -> list[Address]:
        try:
            # The resolver cannot be stopped: its thread is left behind when the time is over.
            return await anyio.to_thread.run_sync(self._checking.addresses, parts, abandon_on_cancel=True)
        except (OSError, UnicodeError) as error:
            raise Unanswered(f"{host_of(parts)} was not found.") from error

    async def _first_answer(
        self, parts: SplitResult, addresses: list[Address], headers: Mapping[str, str], body: bytes
    ) -> Answered:
        """From the first address that can be connected to: nothing was sent to those before it."""
        why = f"{host_of(parts)} has no address."
        for address in addresses:
            try:
                return await self._exchange(parts, address, headers, body)
            except httpx2.ConnectTimeout:
                why = f"{host_of(parts)} could not be connected to in time."
            except httpx2.ConnectError as error:
                tls = isinstance(_root(error), ssl.SSLError)
                why = f"{host_of(parts)} {'failed the TLS handshake' if tls else 'refused the connection'}."
            except httpx2.TransportError as error:
                raise Unanswered(f"{host_of(parts)} broke off: {type(error).__name__}.") from error
        raise Unanswered(why)

    async def _exchange(
        self, parts: SplitResult, address: Address, headers: Mapping[str, str], body: bytes
    ) -> Answered:
        literal = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        url = parts._replace(netloc=f"{literal}:{port_of(parts)}", fragment="").geturl()
        named = {"Host": _host_header(parts), "User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        request = httpx2.Request(
            "POST",
            url,
            headers={**named, "Connection": "close"},
            content=body,
            extensions={"sni_hostname": host_of(parts), "timeout": self._timeouts()},
        )
        # Below the client, which would take redirects, cookies and proxies into its own hands.
        transport = httpx2.AsyncHTTPTransport(verify=self._trusted or trusted(), trust_env=False, retries=0)
        try:
            response = await transport.handle_async_request(request)
            return Answered(response.status_code, dict(response.headers), await _beginning(response))
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()

    def _timeouts(self) -> dict[str, float | None]:
        # Shorter than the whole: a handshake that the library gives up itself is closed at once and not by and by.
        return dict(httpx2.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds / 2)).as_dict())


async def _beginning(response: httpx2.Response) -> bytes:
    """As sent: what is compressed against our word stays so, and cannot unfold into anything."""
    found = bytearray()
    assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - this transport gives no other
    async for chunk in response.stream:
        found += chunk
        if len(found) >= ANSWER_BYTES:
            break
    return bytes(found[:ANSWER_BYTES])


def _host_header(parts: SplitResult) -> str:
    host = f"[{host_of(parts)}]" if ":" in host_of(parts) else host_of(parts)
    usual = port_of(parts) == (443 if parts.scheme == "https" else 80)
    return host if usual else f"{host}:{port_of(parts)}"


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts; reading them takes a twentieth of a second."""
    return httpx2.create_ssl_context()
