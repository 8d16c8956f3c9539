"""Analytics over HTTP (capture 1, 2): every path and encoding, durable or 503, and readable beside the recording."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes
from uuid import uuid4

import httpx
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers.capture.analytics.event import TOPIC
from consumers.capture.analytics.handler import GROUP, AnalyticsHandler
from consumers.capture.store.blobs import FolderBlobs
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import LogSettings
from projections.queries.people import person_of_session
from projections.queries.session_events import events_of_session
from tests.capture.traffic import ANALYTICS_PATHS, EXPECTED, posts
from tests.contract.site import Site, refusal, served
from tests.contract.test_capture import snapshot
from tests.transports.brokers import consuming
from tests.transports.ledger import wait_until

PAGE = {"Origin": "https://shop.example"}
PATHS = ("/e", "/i/v0/e", "/batch", "/capture", "/track", "/engage", "/s")
SAMPLES = ("tests/recordings/sdk_1_160_abandon.jsonl.gz", "tests/recordings/uncompressed_sdk.jsonl.gz")


def event(project_token: str, session_id: str | None = None, **properties: Any) -> dict[str, Any]:
    known = {"token": project_token, "distinct_id": "d", "$session_id": session_id}
    return {"event": "order_placed", "uuid": str(uuid4()), "properties": {**known, **properties}}


@pytest.fixture(scope="module")
def relayed(site: Site) -> Iterator[httpx.Client]:
    """With a second address for sites whose visitors block the first."""
    with served(replace(site.services, capture_prefix="/relay")) as client:
        yield client


@pytest.fixture
def reading(site: Site, tmp_path: Path) -> Iterator[None]:
    """With the consumer at work."""
    handler = AnalyticsHandler(FolderBlobs(tmp_path), lambda _conn, _token: None)
    with consuming(site.services.transport, GROUP, [TOPIC], handler):
        yield


def of_site(site: Site, body: bytes) -> bytes:
    """A recorded body with the site's own token in it, in the same encoding."""
    if body.startswith(b"\x1f\x8b"):
        return gzip.compress(of_site(site, gzip.decompress(body)))
    if body.startswith(b"data="):
        plain = base64.b64decode(unquote_to_bytes(body.removeprefix(b"data=")))
        return b"data=" + quote_from_bytes(base64.b64encode(of_site(site, plain))).encode()
    return body.replace(b"phc_demo_token", site.project_token.encode())


def found(site: Site, session_id: str) -> list[str]:
    with site.services.pool.connection() as conn:
        return [one.name for one in events_of_session(conn, site.tenant, session_id)]


@pytest.mark.usefixtures("reading")
def test_every_path_takes_events_once_however_often_they_are_sent(site: Site, relayed: httpx.Client) -> None:
    sessions: list[str] = []
    for path in (f"{prefix}{path}{slash}" for prefix in ("", "/relay") for path in PATHS for slash in ("", "/")):
        sessions.append(str(uuid4()))
        body = json.dumps({"api_key": site.project_token, "batch": [event(site.project_token, sessions[-1])]})
        for _ in range(2):
            response = relayed.post(path, content=gzip.compress(body.encode()), headers=PAGE)
            assert (response.status_code, response.json()) == (200, {"status": "Ok"}), path
            assert response.headers["access-control-allow-origin"] == "https://shop.example"
        assert relayed.options(path, headers=PAGE).status_code == 204
    wait_until(lambda: all(found(site, each) for each in sessions))
    assert {tuple(found(site, each)) for each in sessions} == {("order_placed",)}


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("name", SAMPLES)
def test_real_bodies_can_be_read_beside_their_session(site: Site, relayed: httpx.Client, name: str) -> None:
    session_id, sent = EXPECTED[name]["session_id"], 0
    for post in posts(name):
        if post["path"] in ANALYTICS_PATHS:
            headers = {"Content-Type": post["headers"].get("content-type", "text/plain")}
            body = of_site(site, post["body"])
            assert relayed.post(post["path"], params=post["query"], content=body, headers=headers).status_code == 200
            sent += 1
    assert sent
    wait_until(lambda: len(found(site, session_id)) >= sent)
    assert Counter(found(site, session_id)).keys() >= {"$pageview", "$autocapture"}


@pytest.mark.usefixtures("reading")
def test_recordings_and_events_may_come_in_one_body(site: Site, relayed: httpx.Client) -> None:
    session_id = str(uuid4())
    said = event(site.project_token, session_id, **{"$set": {"email": "v@shop.example"}})
    for path in ("/s/", "/e/"):
        assert relayed.post(path, json=[snapshot(site.project_token, session_id), said]).status_code == 200
    wait_until(lambda: bool(found(site, session_id)))
    with site.services.pool.connection() as conn:
        row = conn.execute(
            "SELECT count(*) FROM log.record r JOIN log.topic t ON t.id = r.topic_id WHERE t.name = %s AND r.key = %s",
            ("vision.snapshots", session_id.encode()),
        ).fetchone()
        person = person_of_session(conn, site.tenant, session_id)
    assert row == (2,), "two batches with a uuid of their own"
    assert person is not None
    assert person.email == "v@shop.example"


def test_while_the_transport_is_away_the_sdk_is_told_to_try_again(site: Site) -> None:
    away = "postgresql://127.0.0.1:1/nothing"
    with ConnectionPool[Connection](away, min_size=0, max_size=1, open=True, timeout=0.2) as pool:
        transport = PostgresTransport(away, pool, LogSettings(publish_seconds=0.2))
        with served(replace(site.services, transport=transport)) as client:
            response = client.post("/i/v0/e/", json=event(site.project_token), headers=PAGE)
    assert refusal(response) == (503, "server_error", "error", None)


@pytest.mark.parametrize(
    ("broken", "status", "code"),
    [
        ({"token": "phc_unknown"}, 401, "unknown_token"),
        ({"$session_id": "../../etc/passwd"}, 400, "malformed"),
        ({"$session_id": "' OR 1=1 --"}, 400, "malformed"),
        ({"$session_id": [1]}, 400, "malformed"),
        ({"distinct_id": None}, 400, "malformed"),
    ],
)
def test_what_is_lost_is_told(
    site: Site, relayed: httpx.Client, broken: dict[str, Any], status: int, code: str
) -> None:
    response = relayed.post("/e/", json=event(site.project_token, **broken), headers=PAGE)
    assert refusal(response)[::2] == (status, code)
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


def test_too_many_events_are_refused(site: Site, relayed: httpx.Client) -> None:
    response = relayed.post("/batch/", json={"api_key": site.project_token, "batch": [{}] * 1_001})
    assert refusal(response)[::2] == (413, "too_large")
