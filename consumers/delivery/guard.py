"""Names are asked for once, every address is checked, and only a checked address is connected to (anchors D.3).

So a name that changes what it stands for between the check and the connection changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from urllib.parse import SplitResult

from domain.outbound import Address, AllowedHosts, NotAllowed, host_of, port_of

MOST_ADDRESSES = 16
"""Of one name that are looked at; a name with more is refused."""

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host name, for a port, as text. Raises OSError when there are none."""


def resolve(host: str, port: int) -> list[str]:
    """By the system's own resolver. It may take as long as that is set to."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Decides where a request may go. `allowed` is the operator's list."""

    def __init__(self, allowed: AllowedHosts, resolver: Resolve = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolver

    def check(self, url: str) -> SplitResult:
        """What can be told without the resolver. Raises NotAllowed."""
        return self._allowed.check_url(url)

    def addresses(self, parts: SplitResult) -> list[Address]:
        """The checked addresses of a URL's host, in the resolver's order; never empty.

        Raises NotAllowed when a single one of them may not be reached, OSError when there is none.
        """
        found = self._resolve(host_of(parts), port_of(parts))
        if len(found) > MOST_ADDRESSES:
            raise NotAllowed(f"{host_of(parts)} has more than {MOST_ADDRESSES} addresses.")
        addresses = [_address(text) for text in found]
        if not addresses:
            raise OSError(f"{host_of(parts)} has no address")
        for address in addresses:
            self._allowed.check_address(parts, address)
        return addresses


class Unguarded:
    """For an address that the operator has set, such as the vendor's own: it may lie anywhere."""

    def __init__(self, resolver: Resolve = resolve) -> None:
        self._resolve = resolver

    def addresses(self, parts: SplitResult) -> list[Address]:
        """As `Guard.addresses`, but for NotAllowed."""
        addresses = [_address(text) for text in self._resolve(host_of(parts), port_of(parts))]
        if not addresses:
            raise OSError(f"{host_of(parts)} has no address")
        return addresses


def _address(text: str) -> Address:
    """Without a zone: no zone makes an address another kind, and none can be asked for in a URL."""
    return ip_address(text.partition("%")[0])
