"""Where a webhook may go: the rules for addresses, schemes and ports (architecture 10, anchors D.3).

A host name says nothing about where it leads, so the rules are asked twice: of the URL when it is saved, and of every
address that its name stands for each time something is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from domain.delivery import check_webhook_url
from domain.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

KNOWN_PORTS = frozenset({80, 443, 8443})
MOST_ALLOWED = 100
"""Entries of an allow-list."""

_LAST_PORT = 65_535

METADATA: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: where most clouds hand out the machine's own keys
        "fe80::/10",
        "100.100.100.200/32",  # clouds that chose an address elsewhere
        "192.0.0.192/32",
        "168.63.129.16/32",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
        "fd00:42::42/128",
    )
)
"""Never reached, also when an entry of the allow-list covers them: what answers there takes whoever asks for the
machine's operator."""

_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade
        "192.0.0.0/24",
        "192.88.99.0/24",  # the relays of 6to4, which are gone
        "198.18.0.0/15",
        "::/96",  # an IPv4 address in an obsolete form
        "64:ff9b:1::/48",  # NAT64 of somebody's own network
        "100::/48",
        "2001::/23",  # assignments for protocols; Teredo (2001::/32) among them
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",  # site-local
    )
)
"""Beside what `ipaddress` knows not to be public: its list depends on the version of Python."""

_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
"""Of translators without state (RFC 7915)."""
_ISATAP = (0x00005EFE, 0x02005EFE)
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)


class NotAllowed(Exception):
    """A webhook may not go there. The text says why and may be shown to whoever saved the URL."""


def embedded(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for or leads to, by every scheme that is in use or was."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    low = IPv4Address(number & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or (number >> 32 == 0 and number > 1):
        yield low
    if any(address in network for network in (_NAT64, _LOCAL_NAT64, _TRANSLATED)):
        yield low
    if address in _LOCAL_NAT64:
        # A prefix of 48 bits has the address on both sides of its ninth byte (RFC 6052, 2.2).
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, and leads to no other kind."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is not None:
        return is_public(mapped)
    # Of NAT64's own network the embedded address decides, whatever a version of Python says of the whole.
    translated = isinstance(address, IPv6Address) and address in _NAT64
    special = not address.is_global or address.is_multicast or address.is_reserved or _in(address, _NOT_PUBLIC)
    if special and not translated:
        return False
    return all(is_public(inner) for inner in embedded(address))


def is_metadata(address: Address) -> bool:
    """Whether it is, or leads to, an address at which a cloud tells a machine its secrets."""
    return any(_in(one, METADATA) for one in (address, *embedded(address)))


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str | None
    network: Network | None
    port: int | None

    def takes_port(self, port: int) -> bool:
        return port == self.port if self.port is not None else port in KNOWN_PORTS


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The operator's list of internal hosts that webhooks may reach (REPLAY_VISION_WEBHOOK_ALLOWED_HOSTS).

    An entry is a name, an address or a CIDR, each with a port or without: then it stands for KNOWN_PORTS. What an entry
    covers may be reached without TLS.
    """

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> AllowedHosts:
        """Reads `name`, `name:port`, `10.0.0.0/8`, `10.0.0.0/8:8080`, `[fd00::/8]:8080`. Raises ValueError."""
        if len(entries) > MOST_ALLOWED:
            message = f"at most {MOST_ALLOWED} entries"
            raise ValueError(message)
        return cls(tuple(_entry(text) for text in entries))

    def check_url(self, url: str) -> SplitResult:
        """What can be told without asking for addresses. Returns the parts. Raises NotAllowed."""
        try:
            check_webhook_url(url)
        except Invalid as error:
            raise NotAllowed("This is not a URL that a webhook can have.") from error
        parts = urlsplit(url)
        host, port = host_of(parts), port_of(parts)
        literal = _literal(host)
        if literal is not None:
            self.check_address(parts, literal)
        elif not self._named(host, port) and not any(
            entry.network is not None and entry.takes_port(port) for entry in self.entries
        ):
            # Where the name leads is seen when something is sent: it may be into an allowed network.
            _check_form(parts.scheme, port)
        return parts

    def check_address(self, parts: SplitResult, address: Address) -> None:
        """Whether a request for the URL may be sent to an address of its host. Raises NotAllowed."""
        host, port = host_of(parts), port_of(parts)
        if is_metadata(address):
            raise NotAllowed(f"{host} leads to a link-local or metadata address.")
        if self._named(host, port) or self._covered(address, port):
            return
        _check_form(parts.scheme, port)
        if not is_public(address):
            raise NotAllowed(f"{host} does not lead to a public address.")

    def _named(self, host: str, port: int) -> bool:
        return any(entry.name == host and entry.takes_port(port) for entry in self.entries)

    def _covered(self, address: Address, port: int) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        address = mapped or address
        return any(
            entry.network is not None and entry.takes_port(port) and _in(address, (entry.network,))
            for entry in self.entries
        )


def host_of(parts: SplitResult) -> str:
    """The host of a URL in the one spelling that is compared: small letters, without the root's dot."""
    return (parts.hostname or "").lower().removesuffix(".")


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _check_form(scheme: str, port: int) -> None:
    if scheme != "https":
        raise NotAllowed("A webhook needs https, unless the operator has allowed its host.")
    if port not in KNOWN_PORTS:
        known = ", ".join(str(known) for known in sorted(KNOWN_PORTS))
        raise NotAllowed(f"A webhook goes to port {known}, unless the operator has allowed its host with another.")


def _entry(text: str) -> _Entry:
    refused = ValueError(f"{text!r} is no name, address or CIDR, with or without a port")
    host, port = text.strip(), None
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::([0-9]{1,5}))?", host)
    plain = re.fullmatch(r"([^:\[\]]+):([0-9]{1,5})", host)
    if found := bracketed or plain:
        host, port = found[1], int(found[2]) if found[2] else None
    if port is not None and not 1 <= port <= _LAST_PORT:
        raise refused
    try:
        network = ip_network(host)
    except ValueError:
        network = None
    if network is not None:
        return _Entry(None, network, port)
    name = host.lower().removesuffix(".")
    last = name.rpartition(".")[2]
    if bracketed or not _HOST.fullmatch(name) or last[0].isdigit():
        raise refused
    return _Entry(name, None, port)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
