"""A wire to PostgreSQL that can break at the worst moment: after the commit, before its answer is heard."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 65536


class LossyWire:
    """Forwards a Unix socket in `folder` to the server's. `folder` is the libpq `host` of clients."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self._losing = threading.Event()
        self.lost = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / server.name))
        self._listener.listen(64)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _hang_up(self._listener)
        for pair in list(self._pairs):
            for end in pair:
                _hang_up(end)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *(end for pair in self._pairs for end in pair)):
            end.close()

    def lose_next_answer(self) -> None:
        """The next thing that the server says is swallowed, and its connection broken."""
        self.lost.clear()
        self._losing.set()

    def break_clients(self) -> None:
        """Clients hear nothing any more; their backends do not notice before they next have something to say."""
        for client, _ in self._pairs:
            _hang_up(client)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            self._pairs.append((client, server))
            for work in (self._ask, self._answer):
                self._threads.append(threading.Thread(target=work, args=(client, server), daemon=True))
                self._threads[-1].start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """A client that is gone does not end its backend: the server's end stays open."""
        while asked := _receive(client):
            if not _send(server, asked):
                return

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        while answered := _receive(server):
            if self._losing.is_set():
                self._losing.clear()
                self.lost.set()
                break
            if not _send(client, answered):
                break
        _hang_up(client)
        _hang_up(server)


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(CHUNK)
    except OSError:
        return b""


def _send(end: socket.socket, sent: bytes) -> bool:
    try:
        end.sendall(sent)
    except OSError:
        return False
    return True


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is gone already
