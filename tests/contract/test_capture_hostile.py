"""What a stranger may post: told in the envelope, nothing stored, no effect on others, memory bounded.

Encodings alone are tested in tests/capture/test_encodings.py; here everything goes over HTTP.
"""

import base64
import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from consumers.capture.messages.snapshot import TOPIC
from consumers.capture.wire.encodings import MAX_WIRE_BYTES
from tests.contract.site import Site, refusal
from tests.contract.test_capture import PAGE, published, snapshot
from tests.live import wait_until

MEGABYTE = 1024 * 1024
ZEROS = b"0" * (70 * MEGABYTE)
BOMB = gzip.compress(ZEROS, 1)
STATUS = Path("/proc/self/status")


@pytest.fixture(scope="module")
def bare(site: Site) -> httpx.Client:
    return site.bare()


def everything(site: Site) -> int:
    """Recordings in the log, whosever they are."""
    with site.services.pool.connection() as conn:
        found = conn.execute(
            "SELECT count(*) FROM log.record r JOIN log.topic t ON t.id = r.topic_id WHERE t.name = %s",
            (f"vision.{TOPIC}",),
        ).fetchone()
    return found[0]


@pytest.fixture(autouse=True)
def _others_go_on(site: Site, bare: httpx.Client) -> Iterator[None]:
    """After each test: nothing was stored by it, and another session's next batch is."""
    before = everything(site)
    yield
    assert everything(site) == before
    session_id = f"{uuid4()}"
    assert bare.post("/s/", json=[snapshot(site.project_token, session_id)]).status_code == 200
    assert published(site, session_id) == 1
    assert bare.get("/healthz").status_code == 200


def refused(response: httpx.Response, *statuses: int) -> str:
    """The code of a refusal that a page can read."""
    status, _, code, _ = refusal(response)
    assert status in statuses, response.text
    assert response.headers["access-control-allow-origin"] == PAGE["Origin"]
    return code


def memory(name: str) -> int:
    """Of this process, which is the server's, in MB: `VmRSS` now, `VmHWM` at most."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) // 1024


BOMBS = {
    "gzip": (BOMB, 413),
    "base64 of gzip": (base64.b64encode(BOMB), 413),
    "a form of gzip": (b"data=" + base64.b64encode(BOMB), 413),
    "gzip of gzip": (gzip.compress(BOMB), 400),
    "many members": (gzip.compress(b" " * MEGABYTE) * 70, 413),
    "gzip of values": (gzip.compress(b"[" + b"{}," * 3_000_000 + b"1]", 1), 413),
    "nested lists": (b"[" * 1_000_000, 413),
    "nested objects": (b'{"a":' * 1_000_000, 413),
    "nested and closed": (gzip.compress(b"[" * 1_000_000 + b"]" * 1_000_000, 1), 413),
    "half characters": (gzip.compress(b'["' + b"\\ud800" * 10_000_000 + b'"]', 1), 400),
    "no UTF-8": (gzip.compress(b'["' + b"\xff" * 60 * MEGABYTE + b'"]', 1), 400),
    "a long text": (gzip.compress(b'["' + b"a" * 60 * MEGABYTE + b'"]', 1), 400),
    "a long number": (b"[" + b"9" * 5_000_000 + b"]", 400),
    "no number": (b"[1e999, NaN, Infinity]", 400),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_is_refused_in_bounded_memory(bare: httpx.Client, name: str) -> None:
    body, status = BOMBS[name]
    Path("/proc/self/clear_refs").write_text("5")  # the most from now on
    before = memory("VmRSS")
    refused(bare.post("/s/", content=body, headers=PAGE), status)
    assert memory("VmHWM") - before < 800


@pytest.mark.parametrize("first", [[], [{"type": 4, "timestamp": 1, "data": {}}]], ids=["alone", "behind an event"])
def test_bombs_in_many_batches_of_one_body_share_its_room(site: Site, bare: httpx.Client, first: list[Any]) -> None:
    """26 KB that would be 2.5 GB, here and once more in the consumer."""
    bomb = zlib.compress(b'{"a":"' + b"0" * (31 * MEGABYTE) + b'"}', 9).decode("latin-1")
    batch = snapshot(site.project_token, f"{uuid4()}")
    batch["properties"]["$snapshot_data"] = [*first, *[bomb] * 4]
    body = gzip.compress(json.dumps([batch] * 20, ensure_ascii=False).encode(), 9)
    assert len(body) < 30_000
    assert refused(bare.post("/s/", content=body, headers=PAGE), 413) == "too_large"


JUNK = {
    "noise": bytes(range(256)) * 40,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\x00" * 1000,
    "cut gzip": gzip.compress(b"[]" * 1000)[:-9],
    "a wrong checksum": gzip.compress(b"[]")[:-8] + b"\x00" * 8,
    "zlib": zlib.compress(b"[]"),
    "NUL": b"\x00" * 1000,
    "a form": b"a=b&c=d",
    "a form of junk": b"data=%00%ff%zz",
    "lz of junk": b"\xff\xfe" * 100,
    "text": b"DROP TABLE capture.session; --",
    "numbers": b"[1, 2, 3]",
    "lists": b"[[[]]]",
    "null": b"[null]",
    "a word": b'"snapshot"',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
}


@pytest.mark.parametrize("query", ["", "?compression=lz64", "?compression=base64", "?compression=gzip-js"])
@pytest.mark.parametrize("name", JUNK)
def test_junk(bare: httpx.Client, name: str, query: str) -> None:
    for path in ("/s/", "/rrweb/", "/flags/"):
        refused(bare.post(path + query, content=JUNK[name], headers=PAGE), 400, 401)


def test_who_leaves_in_the_middle_of_a_body_is_no_error_of_ours(
    site: Site, bare: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    def answered() -> list[str]:
        return [line for line in bare.get("/metrics").text.splitlines() if 'requests_total{method="POST"' in line]

    before = answered()
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
    connection.putrequest("POST", "/s/")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half")
    connection.close()
    wait_until(lambda: answered() != before, 30, "the request ends")
    assert "capture failed" not in caplog.text


def test_a_body_of_64_mb_is_refused_while_it_is_read(site: Site) -> None:
    """Sent without a length, so that only reading tells: the server hangs up long before the end."""
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
    connection.putrequest("POST", "/s/")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Origin", PAGE["Origin"])
    connection.endheaders()
    Path("/proc/self/clear_refs").write_text("5")
    before, sent = memory("VmRSS"), 0
    chunk = b"%x\r\n" % MEGABYTE + b"x" * MEGABYTE + b"\r\n"
    try:
        while sent < 64:
            connection.send(chunk)
            sent += 1
    except (BrokenPipeError, ConnectionResetError):
        assert sent > MAX_WIRE_BYTES // MEGABYTE
    else:
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["code"] == "request_too_large"
        assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    connection.close()
    assert memory("VmHWM") - before < 2 * MAX_WIRE_BYTES // MEGABYTE


IDS = [
    "../../../etc/passwd",
    "..",
    "a/b",
    "a\\b",
    "%2e%2e%2f",
    "'; DROP TABLE capture.session; --",
    "a' OR '1'='1",
    "(a+)+$",
    "a.*",
    "a\x00b",
    "\x00",
    "\ud800",
    "a b",
    "a\nb",
    "é",
    "ａ",
    "a" * 71,
    "",
    None,
    5,
    1e300,
    True,
    [],
    {"$ne": 1},
]


@pytest.mark.parametrize("session_id", IDS, ids=ascii)
def test_session_ids(site: Site, bare: httpx.Client, session_id: Any) -> None:
    body = json.dumps([snapshot(site.project_token, session_id)])
    assert refused(bare.post("/s/", content=body, headers=PAGE), 400) == "malformed"
    long = session_id if session_id != "a" * 71 else "a" * 129
    plain = json.dumps({"session_id": long, "events": [{"type": 4, "timestamp": 1760000000000, "data": {}}]})
    path = f"/rrweb?token={site.project_token}"
    assert refused(bare.post(path, content=plain, headers=PAGE), 400) == "malformed"


TOKENS = ["", "phc_", "phc_unknown", "' OR 1=1 --", "\x00", "\ud800", "x" * 100_000, "é", None, 5, [], {"a": 1}]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: ascii(token)[:20])
def test_forged_tokens(bare: httpx.Client, token: Any) -> None:
    body = json.dumps([snapshot(token, f"{uuid4()}")])
    assert refused(bare.post("/s/", content=body, headers=PAGE), 401) == "unknown_token"
    plain = {"session_id": f"{uuid4()}", "token": token, "events": [{"type": 4, "timestamp": 1, "data": {}}]}
    assert refused(bare.post("/rrweb", content=json.dumps(plain), headers=PAGE), 401) == "unknown_token"
    assert refused(bare.post("/flags/", content=json.dumps({"token": token}), headers=PAGE), 401) == "unknown_token"


def test_rrweb_without_a_token_goes_to_no_environment(bare: httpx.Client) -> None:
    plain = {"session_id": f"{uuid4()}", "events": [{"type": 4, "timestamp": 1760000000000, "data": {}}]}
    for path in ("/rrweb", "/rrweb/", "/rrweb?token=", "/rrweb?token=phc_unknown"):
        assert refused(bare.post(path, json=plain, headers=PAGE), 401) == "unknown_token"


def test_keys_of_the_api_are_no_tokens(site: Site, bare: httpx.Client) -> None:
    key = site.key()
    headers = {**PAGE, "Authorization": f"Bearer {key}"}
    for given in ("", key):
        assert refused(bare.post("/s/", json=[snapshot(given)], headers=headers), 401) == "unknown_token"


def test_huge_counts(site: Site, bare: httpx.Client) -> None:
    one = snapshot(site.project_token, f"{uuid4()}")
    assert refused(bare.post("/s/", json=[one] * 1_001, headers=PAGE), 413) == "too_large"
    event = {"type": 3, "timestamp": 1760000000000, "data": {}}
    many = snapshot(site.project_token, f"{uuid4()}", **{"$snapshot_data": [event] * 100_001})
    body = gzip.compress(json.dumps([many]).encode(), 1)
    assert refused(bare.post("/s/", content=body, headers=PAGE), 413) == "too_large"


EVENTS = {
    "none": [],
    "no events": [1, "x", None, [], {}],
    "no time": [{"type": 3, "data": {}}],
    "a time of text": [{"type": 3, "timestamp": "1760000000000", "data": {}}],
    "a time before all": [{"type": 3, "timestamp": -5, "data": {}}],
    "a time after all": [{"type": 3, "timestamp": 1e300, "data": {}}],
    "a packed bomb": [zlib.compress(ZEROS, 1).decode("latin-1")],
    "packed junk": ["\x1f\x8bjunk", "\x78\x9cjunk", "é" * 1000],
    "deep": None,
}


@pytest.mark.parametrize("name", EVENTS)
def test_events(site: Site, bare: httpx.Client, name: str) -> None:
    """Of which none can be read."""
    body = [snapshot(site.project_token, f"{uuid4()}", **{"$snapshot_data": EVENTS[name]})]
    packed = gzip.compress(json.dumps(body).encode(), 1)
    if name == "deep":
        deep = '{"a":' * 600 + "1" + "}" * 600
        packed = gzip.compress(json.dumps(body).replace("null", f'[{{"timestamp":1,"data":{deep}}}]').encode())
    refused(bare.post("/s/", content=packed, headers=PAGE), 400, 413)
