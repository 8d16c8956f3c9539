"""Addresses of services become ports of this machine's loopback address."""

from __future__ import annotations

import re
from collections.abc import Collection

from tests.servers.ports import LOOPBACK, free_ports

HERE = ("0.0.0.0", LOOPBACK, "localhost")
"""How a container calls itself, or every interface it has."""
MOST_PORTS = 8


class Network:
    """A port here for each port of a service, given when first named and then the same for everybody."""

    def __init__(self, services: Collection[str]) -> None:
        self._free = free_ports(MOST_PORTS)
        self._ports: dict[tuple[str, int], int] = {}
        names = "|".join(re.escape(name) for name in (*HERE, *services))
        self._address = re.compile(rf"(?<![\w.-])({names})([:/])(\d+)(?!\d)")

    def port(self, service: str, port: int) -> int:
        """The port of this machine at which that of the service is."""
        if (service, port) not in self._ports:
            self._ports[service, port] = self._free.pop()
        return self._ports[service, port]

    def local(self, text: str, service: str) -> str:
        """What a service says, with every `host:port` (or `host/port`, as in bash's /dev/tcp) as it is here."""

        def replaced(found: re.Match[str]) -> str:
            host, between, port = found.groups()
            return f"{LOOPBACK}{between}{self.port(service if host in HERE else host, int(port))}"

        return self._address.sub(replaced, text)
