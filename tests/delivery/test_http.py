"""What a request does on the wire: the checked address, no redirect, no proxy, bounded size and time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.guard import Guard
from consumers.delivery.http import ANSWER_BYTES, Poster, Unanswered
from domain.delivery import check_webhook_url
from domain.outbound import AllowedHosts, NotAllowed
from tests.delivery.conftest import HOST
from tests.servers.vendors.server import Reply, VendorServer


def port_of(server: VendorServer) -> int:
    return int(server.url.rpartition(":")[2])


def poster(
    server: VendorServer, *, seconds: float = 20, trusted: ssl.SSLContext | None = None, addresses: tuple[str, ...] = ()
) -> Poster:
    allowed = AllowedHosts.parse([f"{HOST}:{port_of(server)}", f"127.0.0.1:{port_of(server)}"])
    guard = Guard(allowed, lambda _host, _port: addresses or ("127.0.0.1",))
    return Poster(guard, seconds=seconds, trusted=trusted)


def test_tls_and_the_host_header_keep_the_name(certificate: Path, trusted: ssl.SSLContext) -> None:
    with VendorServer([Reply({"ok": 1}, status=201)], certificate) as server:
        url = f"https://{HOST}:{port_of(server)}/a%20b?c=d#e"
        answer = poster(server, trusted=trusted).post(url, {"X-Own": "1"}, b"body")
        assert (answer.status, answer.body) == (201, b'{"ok": 1}')
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.body) == ("POST", "/a%20b?c=d", b"body")
        assert seen.headers["host"] == f"{HOST}:{port_of(server)}"
        assert seen.headers["x-own"] == "1"
        assert "cookie" not in seen.headers


def test_a_certificate_of_another_name_is_refused(certificate: Path, trusted: ssl.SSLContext) -> None:
    with VendorServer([Reply({})], certificate) as server:
        allowed = AllowedHosts.parse([f"other.example.org:{port_of(server)}"])
        other = Poster(Guard(allowed, lambda _host, _port: ["127.0.0.1"]), trusted=trusted)
        with pytest.raises(Unanswered, match="failed the TLS handshake"):
            other.post(f"https://other.example.org:{port_of(server)}/", {}, b"")
        with pytest.raises(Unanswered, match="failed the TLS handshake"):
            poster(server).post(f"https://{HOST}:{port_of(server)}/", {}, b"")  # its authority is nobody's
        assert server.requests == []


def test_a_name_that_is_bound_anew_after_the_check_leads_nowhere_else() -> None:
    """DNS rebinding: the name is asked for once, what was checked is connected to, where nothing listens."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2" if len(asked) == 1 else "127.0.0.1"]

    with VendorServer([Reply({})]) as server:
        port = port_of(server)
        allowed = AllowedHosts.parse([f"127.0.0.2:{port}"])
        with pytest.raises(Unanswered):
            Poster(Guard(allowed, rebinding), seconds=1).post(f"http://{HOST}:{port}/", {}, b"")
        assert asked == [HOST]
        # The other way round: an answer that is not allowed is refused before anything is sent.
        with pytest.raises(NotAllowed):
            Poster(Guard(allowed, rebinding)).post(f"http://{HOST}:{port}/", {}, b"")
        assert server.requests == []


def test_a_redirect_is_not_followed() -> None:
    with VendorServer([Reply({})]) as inner:
        for status in (301, 302, 303, 307, 308):
            with VendorServer([Reply({}, status=status, headers={"Location": inner.url})]) as server:
                answer = poster(server).post(f"{server.url}/", {}, b"x")
                assert answer.status == status
        assert inner.requests == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with VendorServer([Reply({})]) as proxy, VendorServer([Reply({})]) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert poster(server).post(f"http://{HOST}:{port_of(server)}/", {}, b"").status == 200
        assert (len(server.requests), proxy.requests) == (1, [])


def test_an_answer_is_read_no_further_than_its_bound() -> None:
    with VendorServer([Reply(size=50_000_000)]) as server:
        began = time.monotonic()
        answer = poster(server).post(f"{server.url}/", {}, b"")
        assert len(answer.body) == ANSWER_BYTES
        assert time.monotonic() - began < 10


def test_a_compressed_answer_is_not_unfolded() -> None:
    with VendorServer([Reply(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"})]) as server:
        assert poster(server).post(f"{server.url}/", {}, b"").body == b"\x1f\x8b\x08"
        assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("reply", [Reply({}, after=30), Reply(body=b"x" * 1000, between=0.05)], ids=["silent", "drip"])
def test_the_time_of_a_whole_request_is_bounded(reply: Reply) -> None:
    with VendorServer([reply]) as server:
        began = time.monotonic()
        with pytest.raises(Unanswered, match=r"no whole answer within 0\.5 s"):
            poster(server, seconds=0.5).post(f"{server.url}/", {}, b"")
        assert time.monotonic() - began < 5


def test_a_handshake_that_never_comes_is_bounded_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        guard = Guard(AllowedHosts.parse([f"127.0.0.1:{port}"]))
        began = time.monotonic()
        with pytest.raises(Unanswered):
            Poster(guard, seconds=0.5).post(f"https://127.0.0.1:{port}/", {}, b"")
        assert time.monotonic() - began < 5


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_url_is_saved_can_be_asked_for_or_is_refused(rest: str) -> None:
    """No URL that the API takes breaks the sending of it."""
    url = f"https://hooks.example.org/{rest}"
    check_webhook_url(url)
    with pytest.raises(Unanswered, match="refused the connection"):
        # Nothing listens there.
        Poster(Guard(AllowedHosts.parse(["hooks.example.org"]), lambda _host, _port: ["127.0.0.2"])).post(url, {}, b"")


def test_a_head_that_drips_is_bounded_too() -> None:
    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            try:
                for _ in range(400):
                    peer.sendall(b"H" if _ == 0 else b"T")
                    time.sleep(0.05)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener], daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        guard = Guard(AllowedHosts.parse([f"127.0.0.1:{port}"]))
        with pytest.raises(Unanswered):
            Poster(guard, seconds=0.5).post(f"http://127.0.0.1:{port}/", {}, b"")
        thread.join(10)
        assert not thread.is_alive()


def test_a_resolver_that_hangs_is_left_behind() -> None:
    done = threading.Event()

    def hanging(_host: str, _port: int) -> list[str]:
        done.wait(30)
        return ["8.8.8.8"]

    began = time.monotonic()
    with pytest.raises(Unanswered):
        Poster(Guard(AllowedHosts(), hanging), seconds=0.3).post("https://hooks.example.org/", {}, b"")
    assert time.monotonic() - began < 5
    done.set()


def _unknown(_host: str, _port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.mark.parametrize("resolver", [_unknown, lambda _host, _port: []])
def test_a_name_without_an_address(resolver: Callable[[str, int], list[str]]) -> None:
    with pytest.raises(Unanswered, match="was not found"):
        Poster(Guard(AllowedHosts(), resolver)).post("https://hooks.example.org/", {}, b"")


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with VendorServer([Reply({})]) as server:
        addresses = ("127.0.0.2", "127.0.0.1")
        allowed = AllowedHosts.parse([f"127.0.0.0/8:{port_of(server)}"])
        both = Poster(Guard(allowed, lambda _host, _port: addresses))
        assert both.post(f"http://{HOST}:{port_of(server)}/", {}, b"").status == 200


@pytest.mark.parametrize("cut_at", [0, 2])
def test_a_connection_that_breaks(cut_at: int) -> None:
    with (
        VendorServer([Reply({"long": "answer"}, cut_at=cut_at)]) as server,
        pytest.raises(Unanswered, match="broke off"),
    ):
        poster(server).post(f"{server.url}/", {}, b"")
