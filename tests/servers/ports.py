"""Ports of a server's own, that it can come back to after it was gone for a while."""

import random
import socket

LOOPBACK = "127.0.0.1"
FIRST, LAST = 15000, 32000
"""Below what Linux, macOS and the BSDs hand out to outgoing connections, which would take a port while it is unused."""
ATTEMPTS = 100


def free_ports(count: int) -> list[int]:
    """So many neighbouring ports of the loopback address on which nobody listens now.

    They are not reserved: whoever starts on them copes with the rare case that another was faster.
    Raises OSError when none are found.
    """
    for _ in range(ATTEMPTS):
        first = random.randrange(FIRST, LAST - count)
        block = list(range(first, first + count))
        if all(_is_free(port) for port in block):
            return block
    raise OSError(f"no {count} free ports in a row between {FIRST} and {LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that have just ended leave their port unavailable to a probe, but not to a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
