"""Operator interface, Health; contract 2 for errors that nobody foresaw."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from api.http.app import create_app
from api.http.routes import capture
from api.http.services import Readiness
from tests.contract.site import Site, refusal, served


@pytest.fixture
def broken(site: Site) -> Iterator[httpx.Client]:
    """The same application over a pool that is defective in a way that nobody foresaw."""

    class Defective:
        max_size = 1

        def connection(self) -> Any:
            raise RuntimeError("secret detail")

    with served(replace(site.services, pool=Defective())) as client:
        yield client


@pytest.fixture
def cut_off(site: Site) -> Iterator[httpx.Client]:
    """The same application while the database is away."""

    class Away:
        max_size = 1

        def connection(self) -> Any:
            raise site.services.outages[0]("secret address")

    with served(replace(site.services, pool=Away())) as client:
        yield client


def test_healthz_and_metrics(site: Site) -> None:
    bare = site.bare()
    assert bare.get("/healthz").status_code == bare.get("/healthz/").status_code == 200
    text = bare.get("/metrics").text
    assert 'replay_vision_http_requests_total{method="GET",route="/healthz/",status="200"}' in text


def test_readyz_tells_the_reasons(site: Site) -> None:
    assert site.bare().get("/readyz").json() == {"ready": True, "reasons": [], "warnings": []}
    late = replace(
        site.services, readiness=lambda: Readiness(False, ["projections: 5000 behind"], ["one stream is parked"])
    )
    with served(late) as client:
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "reasons": ["projections: 5000 behind"],
        "warnings": ["one stream is parked"],
    }


def test_the_openapi_document(site: Site) -> None:
    document = site.bare().get("/api/schema/").json()
    assert document["openapi"].startswith("3.1")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers)
    assert "environments_vision_scanners_list" in identifiers
    assert all("422" not in operation["responses"] for operation in operations)
    assert "/api/schema/" in site.bare().get("/docs").text


@pytest.mark.rule("2.2/type-server-error")
def test_a_defect_is_an_enveloped_500_and_a_log_line(broken: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = broken.get("/api/environments/1/vision/scanners/", headers={"Authorization": "Bearer phx_x"})
    assert refusal(response) == (500, "server_error", "error", None)
    assert "secret" not in response.text
    assert response.headers["replay-vision-correlation-id"] in caplog.text


@pytest.mark.rule("2.2/unavailable", "2.2/type-server-error", "10/7")
def test_an_outage_is_a_503_that_old_and_new_clients_can_read(cut_off: httpx.Client) -> None:
    response = cut_off.get("/api/environments/1/vision/scanners/", headers={"Authorization": "Bearer phx_x"})
    assert refusal(response) == (503, "server_error", "error", None)
    assert response.json()["error"] == response.json()["detail"]
    assert "secret" not in response.text


@pytest.mark.rule("2.1/key-nowhere-else")
def test_a_key_in_the_query_string_is_never_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Architecture 10: the server's own access log included."""
    key = site.key()
    with caplog.at_level(logging.DEBUG):
        answer = site.bare().get(f"/api/projects/@current/vision/scanners/?personal_api_key={key}&limit=1")
        httpx.get(f"{site.url}/api/projects/1/vision/nothing/?a=1&personal%5Fapi_key={key}")
    assert answer.status_code == 200
    assert key not in answer.text
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    assert any("/vision/scanners/" in line for line in told)
    assert not any(key in line for line in told)


def test_there_is_one_thread_for_each_connection(site: Site) -> None:
    """More threads would only queue for connections, in no order."""
    app = create_app(site.services)

    async def threads() -> float:
        async with app.router.lifespan_context(app):
            return anyio.to_thread.current_default_thread_limiter().total_tokens

    assert anyio.run(threads) + capture.threads(site.services) == site.services.pool.max_size
