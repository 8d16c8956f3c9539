"""The proxy breaks connections as a network does, and leaves nothing behind."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.live import wait_until
from tests.servers.cutting import Cut
from tests.servers.ports import LOOPBACK, free_ports

SECONDS = 5
LARGE = 50_000_000


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        connection: socket.socket = self.request
        try:
            while received := connection.recv(65536):
                connection.sendall(received)
        except ConnectionError:
            return  # cut


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@pytest.fixture
def cut() -> Iterator[Cut]:
    before = threading.active_count()
    listen, target = free_ports(2)
    with EchoServer((LOOPBACK, target), Echo) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            with Cut(listen, target) as made:
                yield made
        finally:
            server.shutdown()
            serving.join()
    assert threading.active_count() == before


def connected(cut: Cut) -> socket.socket:
    return socket.create_connection((LOOPBACK, cut.listen), timeout=SECONDS)


def received(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := connection.recv(65536)):
        found += more
    return found


def use(connection: socket.socket) -> None:
    """A broken connection may look ended to the one who reads it; not to the one who writes, too."""
    assert not connection.recv(1)
    connection.sendall(b"more")


def test_bytes_go_both_ways_until_the_client_ends(cut: Cut) -> None:
    with connected(cut) as client:
        client.sendall(b"hello")
        assert received(client, 5) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_cut_breaks_connections_and_refuses_new_ones_until_restored(cut: Cut) -> None:
    with connected(cut) as client:
        client.sendall(b"hello")
        received(client, 5)
        cut.cut()
        with pytest.raises(ConnectionError):
            use(client)
        with pytest.raises(ConnectionRefusedError):
            connected(cut)
    cut.restore()
    with connected(cut) as client:
        client.sendall(b"again")
        assert received(client, 5) == b"again"


def test_a_stall_holds_bytes_back_and_keeps_connections(cut: Cut) -> None:
    with connected(cut) as client:
        client.sendall(b"hello")
        received(client, 5)
        cut.stall()
        client.sendall(b"held")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        with connected(cut) as late:
            late.sendall(b"late")
            client.settimeout(SECONDS)
            cut.go_on()
            assert received(client, 4) == b"held"
            assert received(late, 4) == b"late"


def test_a_sender_into_a_stall_is_stopped_by_full_buffers(cut: Cut) -> None:
    cut.stall()
    with connected(cut) as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * LARGE)


def test_a_stall_may_end_in_a_cut(cut: Cut) -> None:
    with connected(cut) as client:
        cut.stall()
        client.sendall(b"held")
        cut.cut()
        with pytest.raises(ConnectionError):
            use(client)


def test_many_bytes_arrive_as_they_were_sent(cut: Cut) -> None:
    sent = bytes(range(256)) * 200_000
    with connected(cut) as client:
        sending = threading.Thread(target=client.sendall, args=(sent,))
        sending.start()
        parts = []
        while sum(map(len, parts)) < len(sent) and (part := client.recv(1 << 20)):
            parts.append(part)
        sending.join()
    assert b"".join(parts) == sent


def test_who_comes_while_nobody_listens_behind_is_turned_away() -> None:
    listen, target = free_ports(2)

    def visit() -> bytes:
        with connected(cut) as client:
            return client.recv(1)

    with Cut(listen, target) as cut, pytest.raises(ConnectionError):
        visit()


def test_a_taken_port_is_an_error(cut: Cut) -> None:
    with pytest.raises(OSError, match="in use"):
        Cut(cut.listen, cut.target)


def test_threads_of_ended_connections_end(cut: Cut) -> None:
    before = threading.active_count()
    for _ in range(20):
        with connected(cut) as client:
            client.sendall(b"x")
            received(client, 1)
    wait_until(lambda: threading.active_count() == before, SECONDS, "threads are left")
