"""Capture while its transport is away: a crowd of browsers neither keeps readers waiting nor fills the memory."""

import gc
import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from psycopg_pool import ConnectionPool

from api.bootstrap import runtime
from api.http.app import create_app
from api.http.errors import RETRY_SECONDS
from api.http.routes.capture import table
from api.http.routes.capture.posting import SMALL_BYTES
from api.http.tokens import Tokens
from api.settings import Settings
from api.wiring import services_for
from consumers.capture.messages.snapshot import MAX_TEXT_BYTES
from consumers.capture.posting.posts import Post
from consumers.capture.store.blobs import FolderBlobs
from tests.contract.site import CHEAP, Site, refusal, served, serving
from tests.live import wait_until
from tests.servers.fixtures import CutKafka

BROWSERS = 80
WAITING = 20
WAITING_SECONDS = 3.0
PAGE = {"Origin": "https://shop.example"}
READ_SECONDS = 1.0
"""Far above what a read takes, far below what the transport's patience is."""


class Slow(FolderBlobs):
    """A store that takes long, until it is told to go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def put(self, environment_id: int, session_id: str, data: bytes) -> str:
        self.asked.set()
        assert self.go_on.wait(60)
        return super().put(environment_id, session_id, data)


def snapshot(site: Site, token: str | None = None, href: str = "https://shop.example/") -> bytes:
    session_id = str(uuid4())
    known = {
        "$snapshot_data": [{"type": 4, "timestamp": 1760000000000, "data": {"href": href}}],
        "$session_id": session_id,
        "$window_id": session_id,
        "token": token or site.project_token,
        "distinct_id": "d",
    }
    return gzip.compress(json.dumps([{"event": "$snapshot", "properties": known}]).encode())


@pytest.fixture
def away(
    site: Site, kafka_cut: CutKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, CutKafka]]:
    """The address of a second server of the site, whose brokers swallow everything: nobody says that they are away."""
    monkeypatch.setattr(table, "WAITING", WAITING)
    monkeypatch.setattr(table, "WAITING_SECONDS", WAITING_SECONDS)
    settings = Settings(
        home=tmp_path, kafka_bootstrap_servers=[kafka_cut.bootstrap], kafka_topic_prefix=f"crowd-{uuid4().hex[:8]}."
    )
    database_url = str(cast("ConnectionPool[Any]", site.services.pool).conninfo)
    kafka_cut.cut.stall()
    with (
        runtime(settings, database_url, secret=b"of this test") as running,
        serving(create_app(services_for(running))) as url,
    ):
        yield url, kafka_cut
        kafka_cut.cut.go_on()


def test_reads_are_quick_while_a_crowd_waits_for_brokers_that_are_away(site: Site, away: tuple[str, CutKafka]) -> None:
    url, kafka_cut = away
    answers: list[tuple[float, httpx.Response]] = []
    posted: list[tuple[float, httpx.Response]] = []

    def post(client: httpx.Client) -> None:
        began = time.monotonic()
        answer = client.post("/s/", content=snapshot(site), headers=PAGE)
        posted.append((time.monotonic() - began, answer))

    key = {"Authorization": f"Bearer {site.key()}"}
    with httpx.Client(base_url=url, **CHEAP) as client, httpx.Client(base_url=url, headers=key, **CHEAP) as reader:
        crowd = [threading.Thread(target=post, args=(client,)) for _ in range(BROWSERS)]
        for thread in crowd:
            thread.start()
        while any(thread.is_alive() for thread in crowd):
            began = time.monotonic()
            answer = reader.get(f"/api/environments/{site.environment_id}/vision/scanners/")
            answers.append((time.monotonic() - began, answer))
            time.sleep(0.02)
        kafka_cut.cut.go_on()
        wait_until(lambda: client.post("/s/", content=snapshot(site)).status_code == 200, 30, "the brokers are back")
    assert len(answers) > 20
    assert {answer.status_code for _, answer in answers} == {200}
    assert max(took for took, _ in answers) < READ_SECONDS
    assert [answer.status_code for _, answer in posted] == [503] * BROWSERS
    for _, answer in posted:
        assert refusal(answer) == (503, "server_error", "error", None)
        assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    at_once = [answer for took, answer in posted if took < WAITING_SECONDS / 2]
    # One is in hand of those that are read at once, and one of the others; as many wait behind each.
    assert len(at_once) >= BROWSERS - 2 * (WAITING + 1)
    assert {answer.headers["retry-after"] for answer in at_once} == {str(RETRY_SECONDS)}


def test_common_posts_go_on_while_others_take_long(site: Site, tmp_path: Path) -> None:
    """Also those whose token nobody has asked for yet, or not in the last second."""
    made = site.accounts.create_environment(site.system, site.organization_id, "Beside")
    site.caught_up(made.position)
    store = Slow(tmp_path)
    answers: list[httpx.Response] = []
    with served(replace(site.services, blobs=store)) as client:
        body = snapshot(site, href="x" * (MAX_TEXT_BYTES + 1))
        assert len(body) < SMALL_BYTES
        other = threading.Thread(target=lambda: answers.append(client.post("/s/", content=body)))
        other.start()
        try:
            assert store.asked.wait(30)
            assert client.post("/s/", content=snapshot(site, made.project_token), timeout=10).status_code == 200
            assert not answers
        finally:
            store.go_on.set()
            other.join()
    assert [answer.status_code for answer in answers] == [200]


def test_a_crowd_of_sites_is_told_in_time_that_the_database_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose each token is would be asked one after the other, and each time it takes as long to find out."""
    monkeypatch.setattr(table, "WAITING_SECONDS", WAITING_SECONDS)

    class Away:
        def connection(self) -> Any:
            time.sleep(1)
            raise site.services.outages[0]("secret address")

    with served(replace(site.services, tokens=Tokens(Away()))) as client, ThreadPoolExecutor(BROWSERS // 4) as crowd:
        began = time.monotonic()
        posts = [crowd.submit(client.post, "/s/", content=snapshot(site, f"site {at}")) for at in range(BROWSERS // 4)]
        assert {refusal(post.result())[0] for post in posts} == {503}
        assert time.monotonic() - began < 3 * WAITING_SECONDS


def test_bodies_in_hand_are_bounded_together(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that have not arrived whole: senders may be slow, and many."""
    monkeypatch.setattr(table, "BYTES_IN_HAND", 100_000)
    with served(site.services) as client:
        slow = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=30)
        slow.putrequest("POST", "/s/")
        slow.putheader("Content-Length", "90000")
        slow.endheaders()
        slow.send(b"x" * 80_000)

        def full() -> bool:
            answer = client.post("/s/", content=b"y" * 30_000, headers=PAGE)
            if answer.status_code != 503:
                return False  # what the slow one has sent is not there yet
            assert answer.headers["retry-after"] == str(RETRY_SECONDS)
            assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
            return refusal(answer) == (503, "server_error", "error", None)

        wait_until(full, 10, "the slow body counts")
        assert client.post("/s/", content=snapshot(site)).status_code == 200, "there is room for a small one"
        slow.send(b"x" * 10_000)
        assert slow.getresponse().status == 400
        slow.close()
        assert client.post("/s/", content=b"y" * 90_000).status_code == 400, "the room is free again"


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000])
def test_what_is_refused_is_gone_without_the_cyclic_collector(site: Site, size: int) -> None:
    """It comes seldom: forty of the largest bodies were a gigabyte until then."""

    def kept() -> int:
        return sum(type(one) is Post for one in gc.get_objects())

    with served(site.services) as client:
        gc.collect()
        before = kept()
        gc.disable()
        try:
            assert {client.post("/s/", content=b"\0" * size).status_code for _ in range(5)} == {400}
            assert client.post("/s/", content=snapshot(site, "nobody's")).status_code == 401
            wait_until(lambda: kept() <= before, 5, "what was posted is gone")
        finally:
            gc.enable()


def test_a_sender_that_leaves_gives_its_room_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BYTES_IN_HAND", 100_000)
    with served(site.services) as client:
        for _ in range(5):
            leaving = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=30)
            leaving.putrequest("POST", "/s/")
            leaving.putheader("Content-Length", "95000")
            leaving.endheaders()
            leaving.send(b"x" * 90_000)
            leaving.close()
        wait_until(lambda: client.post("/s/", content=b"y" * 95_000).status_code == 400, 10, "the room is free again")
