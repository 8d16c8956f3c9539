"""Capture routes (capture 1, 2, 8): 200 only when durable, 503 to be sent again, 4xx only for what is lost, CORS."""

import base64
import gzip
import http.client
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers.capture.messages.snapshot import MAX_MESSAGE_BYTES, TOPIC
from consumers.capture.posting.allowance import Allowance
from consumers.capture.store.blobs import FolderBlobs
from consumers.capture.wire.encodings import MAX_WIRE_BYTES
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import LogSettings
from tests.contract.site import Site, refusal, served
from tests.live import wait_until

PAGE = {"Origin": "https://shop.example"}


def snapshot(token: str, session_id: str = "0197aff0-1111-7222-8333-444455556666", **properties: Any) -> dict[str, Any]:
    items = [
        {"type": 4, "timestamp": 1760000000000, "data": {"href": "https://shop.example/", "width": 1, "height": 1}}
    ]
    known = {
        "$snapshot_data": items,
        "$session_id": session_id,
        "$window_id": session_id,
        "token": token,
        "distinct_id": "d",
    }
    return {"uuid": str(uuid4()), "event": "$snapshot", "properties": {**known, **properties}}


def large(token: str, session_id: str) -> dict[str, Any]:
    """With an event of noise: what packs well would fit into a message."""
    noise = base64.b64encode(random.Random(1).randbytes(9_000_000)).decode()
    item = {"type": 5, "timestamp": 1760000000000, "data": {"tag": "noise", "payload": noise}}
    return snapshot(token, session_id, **{"$snapshot_data": [item]})


@pytest.fixture(scope="module")
def bare(site: Site) -> httpx.Client:
    return site.bare()


@pytest.fixture
def limited(site: Site) -> Iterator[httpx.Client]:
    """With a second address for sites whose visitors block the first, and for pages of one origin only."""
    services = replace(site.services, capture_prefix="/relay", capture_origins=("https://shop.example",))
    with served(services) as client:
        yield client


@pytest.fixture
def cut_off(site: Site) -> Iterator[httpx.Client]:
    """With a transport whose server is away."""
    away = "postgresql://127.0.0.1:1/nothing"
    with ConnectionPool[Connection](away, min_size=0, max_size=1, open=True, timeout=0.2) as pool:
        transport = PostgresTransport(away, pool, LogSettings(publish_seconds=0.2))
        with served(replace(site.services, transport=transport)) as client:
            yield client


def published(site: Site, session_id: str) -> int:
    """How many records of a session lie in the log."""
    with site.services.pool.connection() as conn:
        found = conn.execute(
            "SELECT count(*) FROM log.record r JOIN log.topic t ON t.id = r.topic_id WHERE t.name = %s AND r.key = %s",
            (f"vision.{TOPIC}", session_id.encode()),
        ).fetchone()
    return found[0]


@pytest.mark.parametrize("path", ["/s/", "/s", "/s/?ip=0&_=1760000000000&ver=1.257.0&compression=gzip-js"])
def test_a_gzipped_body_is_taken(site: Site, bare: httpx.Client, path: str) -> None:
    body = gzip.compress(json.dumps([snapshot(site.project_token)]).encode())
    response = bare.post(path, content=body, headers={**PAGE, "Content-Type": "text/plain"})
    assert (response.status_code, response.json()) == (200, {"status": "Ok"})
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert response.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("path", ["/s/", "/relay/s/", "/relay/s"])
def test_what_is_taken_is_published_once_however_often_it_is_sent(site: Site, limited: httpx.Client, path: str) -> None:
    first, second = (snapshot(site.project_token, f"{uuid4()}") for _ in range(2))
    for _ in range(2):
        assert limited.post(path, json=[first, second]).status_code == 200
    assert [published(site, taken["properties"]["$session_id"]) for taken in (first, second)] == [1, 1]


def test_plain_rrweb_is_taken(site: Site, bare: httpx.Client) -> None:
    session_id = f"plain-{uuid4()}"
    body = {"session_id": session_id, "events": [{"type": 4, "timestamp": 1760000000000, "data": {}}]}
    assert bare.post(f"/rrweb?token={site.project_token}", json=body).status_code == 200
    assert published(site, session_id) == 1


def test_an_unknown_token_is_401(bare: httpx.Client) -> None:
    response = bare.post("/s/", json=[snapshot("phc_unknown")], headers=PAGE)
    assert refusal(response) == (401, "authentication_error", "unknown_token", None)
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x1f\x8b",
        b"\x1f\x8bxxxx",
        b"nope!",
        b"[1]",
        b"5",
        b'"x"',
        b"[" * 100_000,
        b"data=",
        b"data=%ff",
        b"\x00" * 100,
        b"null",
    ],
)
def test_bodies_that_are_lost_are_told_in_the_envelope(bare: httpx.Client, body: bytes) -> None:
    response = bare.post("/s/", content=body, headers=PAGE)
    status, kind, _, attr = refusal(response)
    assert status in (400, 413)
    assert (kind, attr) == ("invalid_request", None)
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


def test_an_empty_batch_and_other_events_lose_nothing(site: Site, bare: httpx.Client) -> None:
    assert bare.post("/s/", json=[]).status_code == 200
    mixed = [{"event": "$pageview", "properties": {"token": site.project_token}}, snapshot(site.project_token)]
    assert bare.post("/s/", json=mixed).status_code == 200


def test_a_transport_that_is_away_makes_the_browser_try_again(
    site: Site, cut_off: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = cut_off.post("/s/", json=[snapshot(site.project_token)], headers=PAGE)
    assert refusal(response) == (503, "server_error", "error", None)
    assert "127.0.0.1" not in response.text
    (told,) = [record for record in caplog.records if record.name == "replay_vision.http.capture"]
    assert told.levelname == "WARNING"
    assert told.getMessage().startswith("recordings are refused: could not publish")
    assert len(told.getMessage().splitlines()) == 1
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


def test_a_body_over_the_limit_is_refused_before_it_is_sent(site: Site) -> None:
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
    connection.putrequest("POST", "/s/")
    connection.putheader("Content-Length", str(MAX_WIRE_BYTES + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["code"] == "request_too_large"
    connection.close()


def test_preflight(bare: httpx.Client) -> None:
    asked = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-custom"}
    response = bare.options("/s/", headers=asked)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert response.headers["access-control-allow-headers"] == "content-type,x-custom"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["vary"] == "Origin"


def test_origins_can_be_limited(site: Site, limited: httpx.Client) -> None:
    session_id = f"{uuid4()}"
    body = [snapshot(site.project_token, session_id)]
    for origin in ("https://other.example", "https://shop.example.other", "http://shop.example", "null", ""):
        for path in ("/s/", "/relay/s/", "/rrweb/", "/flags/"):
            elsewhere = limited.post(path, json=body, headers={"Origin": origin})
            assert refusal(elsewhere) == (403, "authentication_error", "permission_denied", None)
            assert "access-control-allow-origin" not in elsewhere.headers
    assert published(site, session_id) == 0
    taken = limited.post("/s/", json=body, headers=PAGE)
    assert (taken.status_code, taken.headers["access-control-allow-origin"]) == (200, PAGE["Origin"])
    assert limited.post("/s/", json=body).status_code == 200
    assert published(site, session_id) == 1


def test_the_api_itself_has_no_cors(site: Site) -> None:
    api = site.client()
    for response in (api.get("scanners/", headers=PAGE), api.options("scanners/", headers=PAGE)):
        assert not any(name.startswith("access-control") for name in response.headers)


def test_other_verbs(bare: httpx.Client) -> None:
    for path in ("/s/", "/s", "/rrweb/"):
        refused = bare.get(path)
        assert refusal(refused) == (405, "invalid_request", "method_not_allowed", None)
        assert refused.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["/s/", "/relay/s"])
def test_posts_go_through_the_entrance_like_every_request(site: Site, limited: httpx.Client, path: str) -> None:
    """Past the framework's routing (ADR 0019), not past what is counted and told of each request."""

    def counted(status: int) -> float:
        route = f"{path.rstrip('/')}/"
        wanted = f'replay_vision_http_requests_total{{method="POST",route="{route}",status="{status}"}} '
        found = [line for line in limited.get("/metrics").text.splitlines() if line.startswith(wanted)]
        return sum(float(line.removeprefix(wanted)) for line in found)

    before = {status: counted(status) for status in (200, 401)}
    taken = [limited.post(path, json=[snapshot(site.project_token)]) for _ in range(2)]
    unknown = limited.post(path, json=[snapshot("phc_unknown")])
    assert [answer.status_code for answer in (*taken, unknown)] == [200, 200, 401]
    assert {status: counted(status) - of for status, of in before.items()} == {200: 2, 401: 1}
    assert len({UUID(answer.headers["replay-vision-correlation-id"]) for answer in (*taken, unknown)}) == 3


def test_headers_of_one_answer_are_not_those_of_the_next(site: Site, bare: httpx.Client) -> None:
    """The answer is made once for all posts."""
    first, second = "https://shop.example", "https://other.example"
    for origin in (first, second, first):
        answer = bare.post("/s/", json=[snapshot(site.project_token)], headers={"Origin": origin})
        assert answer.headers.get_list("access-control-allow-origin") == [origin]
    plain = bare.post("/s/", json=[snapshot(site.project_token)])
    assert not any(name.startswith("access-control") for name in plain.headers)
    assert plain.headers.get_list("vary") == ["Origin"]


def test_an_event_that_is_too_large_for_a_message_is_taken(site: Site, bare: httpx.Client) -> None:
    """By the blobs (ADR 0014)."""
    session_id = f"{uuid4()}"
    body = gzip.compress(json.dumps([large(site.project_token, session_id)]).encode(), 1)
    assert len(body) > MAX_MESSAGE_BYTES
    assert bare.post("/s/", content=body).status_code == 200
    assert published(site, session_id) == 1
    (blob,) = site.services.blobs.list(site.environment_id, session_id)
    assert len(site.services.blobs.get(blob)) > MAX_MESSAGE_BYTES


def test_blobs_that_are_away_make_the_browser_try_again(site: Site, tmp_path: Path) -> None:
    full = FolderBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / f"{site.environment_id}").write_text("no folder can be made here")
    with served(replace(site.services, blobs=full)) as client:
        response = client.post("/s/", json=[large(site.project_token, f"{uuid4()}")], headers=PAGE)
        assert refusal(response) == (503, "server_error", "error", None)
        assert response.headers["access-control-allow-origin"] == "https://shop.example"
        assert client.post("/s/", json=[snapshot(site.project_token)]).status_code == 200


@pytest.mark.parametrize("others", [0, 15_000])
def test_a_query_string_may_be_long(site: Site, bare: httpx.Client, others: int) -> None:
    body = {"session_id": f"{uuid4()}", "events": [{"type": 4, "timestamp": 1760000000000, "data": {}}]}
    assert bare.post(f"/rrweb?{'a=1&' * others}token={site.project_token}", json=body).status_code == 200
    assert bare.post(f"/rrweb?{'a=1&' * others}token=another", json=body).status_code == 401


def test_a_token_that_has_used_up_its_day_is_told_so(site: Site) -> None:
    """429: the browser drops what it has, as it should."""
    spent = Allowance(site.services.pool, 1, site.services.clock)
    with served(replace(site.services, allowance=spent)) as client:
        assert client.post("/s/", json=[snapshot(site.project_token)]).status_code == 200
        response = client.post("/s/", json=[snapshot(site.project_token)], headers=PAGE)
        assert refusal(response) == (429, "throttled_error", "over_day_bytes", None)
        opens = site.services.clock() + timedelta(seconds=int(response.headers["retry-after"]))
        midnight = opens.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        assert timedelta() <= opens - midnight < timedelta(seconds=30)
        assert response.headers["access-control-allow-origin"] == "https://shop.example"
        assert client.post("/s/", json=[snapshot("phc_unknown")]).status_code == 401
        assert client.get(f"/array/{site.project_token}/config").status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_rotated_token_is_refused_within_a_second_and_the_new_one_taken_at_once(site: Site) -> None:
    made = site.accounts.create_environment(site.system, site.organization_id, "Rotating")
    site.caught_up(made.position)
    bare = site.bare()
    assert bare.post("/s/", json=[snapshot(made.project_token)]).status_code == 200
    rotated = site.accounts.rotate_token(site.system, made.id)
    site.caught_up(rotated.position)
    assert bare.post("/s/", json=[snapshot(rotated.project_token)]).status_code == 200
    wait_until(lambda: bare.post("/s/", json=[snapshot(made.project_token)]).status_code == 401, 5, "it is refused")
    assert bare.get(f"/array/{made.project_token}/config").status_code == 401
