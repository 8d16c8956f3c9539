"""What only recordings in an S3-compatible store have: another machine, a network, credentials, an address."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import psutil
import pytest

from consumers.capture.store import blobs as limits
from consumers.capture.store import s3_blobs as module
from consumers.capture.store.blobs import Blobs, key_of
from consumers.capture.store.s3_blobs import RETRY_SECONDS, TRIES
from consumers.capture.store.s3_place import S3Place
from consumers.capture.wire.refusals import TooLarge
from tests.capture.buckets import Bucket, client
from tests.servers.ports import free_ports
from tests.servers.s3 import S3Server

GUESSED = "guessed-secret-that-nobody-may-see"
TOKEN = "session-token-that-nobody-may-see"
PLACE = S3Place("bucket-1", "recordings")
KEY = key_of(1, "s-1", b"x")

CALLS: dict[str, Callable[[Blobs], object]] = {
    "put": lambda blobs: blobs.put(1, "s-1", b"x"),
    "put large": lambda blobs: blobs.put(1, "s-1", b"x" * (module.SINGLE_BYTES + 1)),
    "get": lambda blobs: blobs.get(KEY),
    "get a stretch": lambda blobs: blobs.get(KEY, 1, 5),
    "delete": lambda blobs: blobs.delete(KEY),
    "list": lambda blobs: list(blobs.list(1, "s-1")),
}


def outage(call: Callable[[Blobs], object], blobs: Blobs, seconds: float) -> str:
    """The text of the OSError that the call must raise within so many seconds: one line, and nowhere a secret."""
    began = time.monotonic()
    with pytest.raises(OSError, match=r"^S3 bucket .+") as raised:
        call(blobs)
    assert time.monotonic() - began < seconds
    told = str(raised.value)
    assert len(told.splitlines()) == 1
    whole = "".join(traceback.format_exception(raised.value))
    assert not [secret for secret in (S3Server.secret_key, GUESSED, TOKEN) if secret in whole]
    return told


class Elsewhere(BaseHTTPRequestHandler):
    """A web server that is no S3 store: it has the same answer to everything."""

    answer: ClassVar[int]
    asked: ClassVar[list[str]]

    def _answer(self) -> None:
        self.asked.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - the names of the library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Says nothing."""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, type[Elsewhere]]]:
    """Its address, and what it answers and was asked."""
    kind = type("Elsewhere", (Elsewhere,), {"answer": 404, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))  # how soon it sees that it is to end
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket.made(s3_server)


def at(endpoint: str, **variables: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": GUESSED, "AWS_ENDPOINT_URL": endpoint, **variables}


def test_machines_see_each_others_blobs(bucket: Bucket) -> None:
    one, other = bucket.blobs(), bucket.blobs()
    key = one.put(1, "s-1", b"shared")
    assert other.get(key) == b"shared"
    assert list(other.list(1, "s-1")) == [key]
    other.delete(key)
    assert list(one.list(1, "s-1")) == []


def test_what_is_there_is_not_sent_again(bucket: Bucket) -> None:
    bucket.blobs().put(1, "s-1", b"x")
    (file,) = bucket.files()
    before = bucket.changed(file)
    bucket.blobs().put(1, "s-1", b"x")
    assert bucket.changed(file) == before


@pytest.mark.parametrize("prefix", ["", "recordings", "a/b.c/d=e"])
@pytest.mark.parametrize("session_id", ["../../../x", "/x", "..", "🙂"])
def test_keys_are_below_the_prefix(bucket: Bucket, prefix: str, session_id: str) -> None:
    key = bucket.blobs(prefix).put(7, session_id, b"x")
    assert [str(path) for path in bucket.files()] == [f"{prefix}/{key}".lstrip("/")]


def test_prefixes_share_nothing(bucket: Bucket) -> None:
    one, other = bucket.blobs("one"), bucket.blobs("one/1")
    key = one.put(1, "s-1", b"x")
    assert list(other.list(1, "s-1")) == []
    other.delete(key)
    assert one.get(key) == b"x"


def test_more_blobs_than_a_page_of_the_list_holds(bucket: Bucket) -> None:
    blobs = bucket.blobs()
    key = blobs.put(1, "s-1", b"x")
    folder = bucket.server.folder / "buckets" / bucket.name / "recordings" / key[:-65]
    for number in range(2_500):
        (folder / sha256(str(number).encode()).hexdigest()).touch()
    (folder / "no-key").touch()
    assert len(set(blobs.list(1, "s-1"))) == 2_501


def test_a_large_blob_goes_in_parts_and_comes_back(bucket: Bucket) -> None:
    blobs, data = bucket.blobs(), os.urandom(40 * 1024 * 1024 + 1)
    before = psutil.Process().memory_info().rss
    key = blobs.put(1, "s-1", data)
    assert psutil.Process().memory_info().rss - before < len(data)
    assert blobs.put(1, "s-1", data) == key
    assert blobs.get(key, len(data) - 3) == data[-3:]
    assert blobs.get(key, module.PART_BYTES - 5, 10) == data[module.PART_BYTES - 5 : module.PART_BYTES + 5]
    assert blobs.get(key) == data


def test_too_large_a_blob_is_not_sent(elsewhere: tuple[str, type[Elsewhere]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BLOB_BYTES", 3)
    with pytest.raises(TooLarge):
        client(PLACE, at(elsewhere[0])).put(1, "s-1", b"four")
    assert elsewhere[1].asked == []


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_secret_is_an_outage_that_says_so(bucket: Bucket, call: str) -> None:
    bucket.blobs().put(1, "s-1", b"x")
    told = outage(CALLS[call], bucket.blobs(secret=GUESSED), RETRY_SECONDS)
    assert "403" in told
    assert "AWS_SECRET_ACCESS_KEY" in told


@pytest.mark.parametrize("call", [name for name in CALLS if name != "delete"])
def test_a_missing_bucket_is_an_outage_that_says_so(s3_server: S3Server, call: str) -> None:
    """For `delete` there is nothing to do: this server says that it is done."""
    told = outage(CALLS[call], Bucket(s3_server, "nobody-made-this").blobs(), RETRY_SECONDS)
    assert "NoSuchBucket" in told
    assert "nobody-made-this" in told


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [404, 400, 301])
def test_what_is_no_s3_store_says_nothing_about_blobs(
    elsewhere: tuple[str, type[Elsewhere]], call: str, status: int
) -> None:
    elsewhere[1].answer = status
    told = outage(CALLS[call], client(PLACE, at(elsewhere[0], AWS_SESSION_TOKEN=TOKEN)), RETRY_SECONDS)
    assert elsewhere[0] in told


@pytest.mark.parametrize("call", CALLS)
def test_errors_of_the_store_are_tried_again_and_then_an_outage(
    elsewhere: tuple[str, type[Elsewhere]], call: str
) -> None:
    elsewhere[1].answer = 503
    assert "503" in outage(CALLS[call], client(PLACE, at(elsewhere[0])), RETRY_SECONDS)
    assert len(elsewhere[1].asked) == TRIES


def test_a_store_that_is_killed_is_an_outage_until_it_is_back(own_s3_server: S3Server) -> None:
    blobs = Bucket.made(own_s3_server).blobs()
    blobs.put(1, "s-1", b"before")
    own_s3_server.kill()
    for call in CALLS.values():
        assert "refused" in outage(call, blobs, RETRY_SECONDS)
    own_s3_server.start()
    key = blobs.put(1, "s-1", b"x")
    assert blobs.get(key) == b"x"
    assert set(blobs.list(1, "s-1")) == {key, key_of(1, "s-1", b"before")}


def test_a_store_that_falls_silent_is_given_up_in_time(
    own_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 1.5)
    bucket = Bucket.made(own_s3_server)
    blobs = bucket.blobs()
    blobs.put(1, "s-1", b"x")
    own_s3_server.freeze()
    with ThreadPoolExecutor(len(CALLS)) as threads:  # they only wait
        told = [threads.submit(outage, call, bucket.blobs(), 1.5 + 1.0 + 1.0) for call in CALLS.values()]
    assert all("no answer in time" in one.result() for one in told)
    own_s3_server.thaw()
    # Not the same blob: what was given up is still on its way, a delete too.
    assert blobs.get(blobs.put(1, "s-2", b"y")) == b"y"


def test_a_name_that_nobody_has_is_an_outage() -> None:
    blobs = client(PLACE, at("http://store.invalid:9000"))
    assert "store.invalid" in outage(CALLS["get"], blobs, RETRY_SECONDS)


@pytest.mark.parametrize(
    "names",
    [
        {"AWS_ENDPOINT_URL_S3": "right", "AWS_ENDPOINT_URL": "wrong"},
        {"AWS_ENDPOINT_URL_S3": "right", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT": "wrong"},
        {"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "right"},
        {"AWS_ENDPOINT_URL": "right", "AWS_ENDPOINT": "wrong"},
        {"AWS_ENDPOINT": "right", "AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"},
        {"AWS_ENDPOINT_URL": "right", "AWS_ALLOW_HTTP": "false"},
    ],
)
def test_the_most_special_variable_counts(bucket: Bucket, names: dict[str, str]) -> None:
    wrong = f"http://127.0.0.1:{free_ports(1)[0]}"
    addresses = {"right": bucket.server.endpoint, "wrong": wrong}
    given = bucket.variables()
    del given["AWS_ENDPOINT_URL"]
    given |= {name: addresses.get(value, value) for name, value in names.items()}
    blobs = client(S3Place(bucket.name, ""), given)
    assert blobs.get(blobs.put(1, "s-1", b"x")) == b"x"


@pytest.mark.parametrize(
    "endpoint",
    ["", "store:9000", "ftp://store", "http://", "http://user:word@store", "http://a b", "http://x/\nhttp://y"],
)
def test_an_endpoint_that_is_no_address_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"^AWS_ENDPOINT_URL[^\n]+$"):
        client(PLACE, at(endpoint))


def test_half_a_pair_of_keys_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"^S3 bucket [^\n]*Missing SecretAccessKey$"):
        client(PLACE, {"AWS_ACCESS_KEY_ID": "k", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
