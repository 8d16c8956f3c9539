"""A TCP proxy that can be a network that is cut, and one that swallows what is sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Self

from tests.servers.ports import LOOPBACK

CHUNK = 64 * 1024
CONNECT_SECONDS = 5
JOIN_SECONDS = 10
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for zero seconds: closing tells the peer at once that the connection is broken."""


class Cut:
    """Forwards every connection to `listen` on to `target`, both ports of the loopback address, until told otherwise.

    `cut` and `stall` may be undone by `restore` and `go_on`, in any order and any number of times. All methods return
    when what they say is so. Raises OSError when the port to listen on is taken.
    """

    def __init__(self, listen: int, target: int) -> None:
        self.listen, self.target = listen, target
        self._changed = threading.Condition()
        self._stalled = False
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self.restore()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.listen}"

    def cut(self) -> None:
        """Refuses new connections and breaks the established ones."""
        if self._listener is None or self._accepting is None:
            return
        with contextlib.suppress(OSError):  # not every system shuts a listening socket down; all wake when it closes
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        _join(self._accepting)
        self._listener = self._accepting = None
        with self._changed:
            links = list(self._links)
        for link in links:
            link.reset()
        with self._changed:
            self._changed.notify_all()
        for link in links:
            link.join()

    def restore(self) -> None:
        """Takes connections again after `cut`."""
        if self._listener is not None:
            return
        self._listener = socket.create_server((LOOPBACK, self.listen))
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), name=f"cut-{self.listen}")
        self._accepting.start()

    def stall(self) -> None:
        """Nothing arrives any more, but for a chunk under way, and nothing is lost.

        Connections stay open, new ones are taken, and senders fill what buffers there are: nothing tells them that
        their peer is out of reach.
        """
        with self._changed:
            self._stalled = True

    def go_on(self) -> None:
        """Delivers what was held back by `stall`, and forwards as before."""
        with self._changed:
            self._stalled = False
            self._changed.notify_all()

    def close(self) -> None:
        """`cut`, for good. No thread and no socket is left."""
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed by `cut`
            try:
                server = socket.create_connection((LOOPBACK, self.target), timeout=CONNECT_SECONDS)
            except OSError:
                _break(client)  # as if the client had come to the target itself, which is not there
                continue
            server.settimeout(None)
            link = _Link(self, client, server)
            with self._changed:
                self._links.add(link)
            link.start()

    def wait_for_passage(self, link: _Link) -> bool:
        """Blocks while nothing is to be forwarded; False when the link has been cut meanwhile."""
        if self._stalled:
            with self._changed:
                self._changed.wait_for(lambda: not self._stalled or link.broken)
        return not link.broken

    def forget(self, link: _Link) -> None:
        with self._changed:
            self._links.discard(link)


class _Link:
    """One client's connection and the one to the target that belongs to it, with a thread for each direction."""

    def __init__(self, cut: Cut, client: socket.socket, server: socket.socket) -> None:
        self.broken = False
        self._cut = cut
        self._client, self._server = client, server
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._there = threading.Thread(target=self._carry, args=(client, server), name=f"cut-{cut.listen}-there")
        self._back = threading.Thread(target=self._return, name=f"cut-{cut.listen}-back")

    def start(self) -> None:
        self._there.start()
        self._back.start()

    def reset(self) -> None:
        """Wakes both threads, which then break both connections."""
        self.broken = True
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):  # ended already
                end.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        _join(self._back)

    def _return(self) -> None:
        """Carries the other direction, and closes when both have ended."""
        self._carry(self._server, self._client)
        self._there.join()
        for end in (self._client, self._server):
            if self.broken:
                _break(end)
            else:
                end.close()
        self._cut.forget(self)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        buffer = memoryview(bytearray(CHUNK))
        try:
            while (size := source.recv_into(buffer)) and self._cut.wait_for_passage(self):
                sink.sendall(buffer[:size])
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # One end broke the connection: so it is for the other.
            self.reset()


def _break(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    end.close()


def _join(thread: threading.Thread) -> None:
    thread.join(JOIN_SECONDS)
    assert not thread.is_alive(), f"{thread.name} does not end"
