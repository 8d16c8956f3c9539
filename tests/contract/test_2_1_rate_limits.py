"""Contract 2.1, rate limits: off unless set; then per environment, shared by all copies of the server."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.http.app import create_app
from api.settings import Settings
from consumers.rate_limits import ANALYTICS, CRUD, QUIET_SECONDS, RateLimits, forget
from tests.contract.site import CHEAP, MONITOR, Site, refusal, serving
from tests.live import wait_until

THROTTLED = (429, "throttled_error", "throttled", None)
START = datetime(2026, 11, 27, 11, 59, 58, 250_000, UTC)
BLOCKED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock' AND query LIKE '%count_request%'"
)


@pytest.fixture(scope="module")
def limited(site: Site) -> Iterator[str]:
    """The address of a copy of the server with limits."""
    with serving(create_app(replace(site.services, rates=RateLimits()))) as url:
        yield url


@pytest.fixture
def environment(site: Site) -> int:
    """One that nobody has asked for anything yet."""
    created = site.accounts.create_environment(site.system, site.organization_id, str(uuid4()))
    site.caught_up(created.position)
    return created.id


def client(site: Site, url: str, environment: int, key: str | None = None) -> httpx.Client:
    return httpx.Client(
        base_url=f"{url}/api/environments/{environment}/vision/",
        headers={"Authorization": f"Bearer {key or site.key()}"},
        **CHEAP,
    )


def crowd(api: httpx.Client, path: str, count: int) -> list[httpx.Response]:
    with ThreadPoolExecutor(60) as threads:
        return list(threads.map(lambda _: api.get(path), range(count)))


@pytest.mark.rule("2.1/rate-limits", "2.1/rate-limit-429")
@pytest.mark.parametrize(("path", "limit"), [("quota/", 480), ("scanners/stats/", 240)])
def test_600_at_once(site: Site, limited: str, environment: int, path: str, limit: int) -> None:
    with client(site, limited, environment) as api:
        answers = crowd(api, path, 600)
        assert Counter(answer.status_code for answer in answers) == {200: limit, 429: 600 - limit}
        last = next(answer for answer in answers if answer.status_code == 429)
        assert refusal(last) == THROTTLED
        wait = int(last.headers["retry-after"])
        assert 1 <= wait <= 61
        assert last.json()["detail"] == f"Request was throttled. Expected available in {wait} seconds."
        other = "scanners/stats/" if path == "quota/" else "quota/"
        assert api.get(other).status_code == 200, "the other kind has a count of its own"


def test_copies_count_together_and_keys_do_too_but_environments_do_not(
    site: Site, limited: str, environment: int
) -> None:
    with (
        serving(create_app(replace(site.services, rates=RateLimits()))) as second,
        client(site, limited, environment) as one,
        client(site, second, environment) as other,
    ):
        assert {answer.status_code for answer in crowd(one, "quota/", 240)} == {200}
        answers = crowd(other, "quota/", 250)
        assert Counter(answer.status_code for answer in answers) == {200: 240, 429: 10}
        with client(site, limited, site.environment_id) as elsewhere:
            assert elsewhere.get("quota/").status_code == 200


@pytest.mark.rule("2.1/rate-limit-429")
def test_a_request_is_counted_after_its_caller_and_before_its_object(
    site: Site, limited: str, environment: int
) -> None:
    fill(site, environment)
    with client(site, limited, environment) as api:
        assert refusal(api.get(f"scanners/{uuid4()}/")) == THROTTLED
        assert refusal(api.post("scanners/", json={})) == THROTTLED
        keyed = api.post("scanners/", json=MONITOR, headers={"Idempotency-Key": "once"})
        assert refusal(keyed) == THROTTLED
    for key, status in (("nobody", 401), (site.key("vision_action:read"), 403)):
        with client(site, limited, environment, key) as api:
            assert api.get("quota/").status_code == status
    with client(site, limited, site.foreign_id) as api:
        assert api.get("quota/").status_code == 403
    with site.services.pool.connection() as conn:
        rows = conn.execute("SELECT count(*) FROM access.request_rate WHERE environment_id = %s", (site.foreign_id,))
        assert rows.fetchone() == (0,)


def fill(site: Site, environment: int) -> None:
    with site.services.pool.connection() as conn:
        for _ in range(CRUD.per_minute):
            RateLimits().count(conn, environment, analytics=False)


def test_off_asks_nothing(site: Site, environment: int, tmp_path: Path) -> None:
    assert Settings(home=tmp_path).rate_limit == "off"
    assert site.services.rates is None
    assert {answer.status_code for answer in crowd(site.client(environment=environment), "quota/", 500)} == {200}
    with site.services.pool.connection() as conn:
        rows = conn.execute("SELECT count(*) FROM access.request_rate WHERE environment_id = %s", (environment,))
        assert rows.fetchone() == (0,)


def test_a_database_that_goes_away_while_it_counts_is_a_503(site: Site, limited: str, environment: int) -> None:
    with client(site, limited, environment) as api, ThreadPoolExecutor(1) as thread:
        assert api.get("quota/").status_code == 200
        lend = site.services.pool.connection
        with lend() as killer, lend() as holder, holder.transaction():
            holder.execute("SELECT 1 FROM access.request_rate WHERE environment_id = %s FOR UPDATE", (environment,))
            blocked = thread.submit(api.get, "quota/")
            wait_until(lambda: killer.execute(BLOCKED).fetchone() is not None, 10, "nothing waits for the row")
            answer = blocked.result(20)
        assert refusal(answer) == (503, "server_error", "error", None)
        assert int(answer.headers["retry-after"]) > 0
        assert api.get("quota/").status_code == 200


def asked(conn: Any, environment: int, at: datetime, per_minute: int, per_hour: int) -> float:
    """Seconds to wait; 0 when the request was let through."""
    values = (environment, "test", per_minute, per_hour, at)
    return float(conn.execute("SELECT access.count_request(%s, %s, %s, %s, %s)", values).fetchone()[0])


@pytest.mark.rule("2.1/rate-limits")
@pytest.mark.parametrize("seed", range(8))
def test_no_window_has_more_than_the_limit_and_nobody_waits_much_longer_than_needed(
    site: Site, environment: int, seed: int
) -> None:
    """Against an exact history of times: never one too many, and refused for a second (a minute) longer at most."""
    chance, per_minute, per_hour = random.Random(seed), 5, 20
    at, passed = START + timedelta(seconds=chance.uniform(0, 3600)), list[datetime]()
    with site.services.pool.connection() as conn, conn.transaction():
        for _ in range(400):
            at += timedelta(seconds=chance.choice([0, 0.01, 0.5, 1, chance.uniform(0, 40), 59.999, 60, 61, 900]))
            wait = asked(conn, environment, at, per_minute, per_hour)
            if wait == 0:
                passed.append(at)
                assert within(passed, at, 60) <= per_minute
                assert within(passed, at, 3600) <= per_hour
            else:
                assert within(passed, at, 61) >= per_minute or within(passed, at, 3660) >= per_hour
                assert 0 < wait <= 3660
                if chance.random() < 0.2:
                    at += timedelta(seconds=wait)
                    assert asked(conn, environment, at, per_minute, per_hour) == 0, "the wait that was told is enough"
                    passed.append(at)
    assert len(passed) > 50


def within(passed: list[datetime], at: datetime, seconds: float) -> int:
    """How many in the window that ends at a time."""
    return sum(1 for _ in itertools.takewhile(lambda one: at - one < timedelta(seconds=seconds), reversed(passed)))


def test_a_clock_that_is_set_back(site: Site, environment: int) -> None:
    with site.services.pool.connection() as conn:
        for _ in range(5):
            assert asked(conn, environment, START, 5, 100) == 0
        assert asked(conn, environment, START - timedelta(seconds=30), 5, 100) > 0, "a little: time stands still"
        assert asked(conn, environment, START - timedelta(days=1), 5, 100) == 0, "a lot: counted anew"


def test_rows_that_count_nothing_are_swept(site: Site, environment: int) -> None:
    def rows() -> int:
        found = conn.execute("SELECT count(*) FROM access.request_rate WHERE environment_id = %s", (environment,))
        return int(found.fetchone()[0])

    with site.services.pool.connection() as conn:
        now = site.services.clock()
        RateLimits().count(conn, environment, analytics=True)
        RateLimits().count(conn, environment, analytics=False)
        forget(conn, now)
        assert rows() == 2
        forget(conn, now + timedelta(seconds=QUIET_SECONDS + 10))
        assert rows() == 0


@pytest.mark.rule("2.1/rate-limits")
def test_the_limits_are_those_of_the_contract() -> None:
    assert (CRUD.per_minute, CRUD.per_hour, ANALYTICS.per_minute, ANALYTICS.per_hour) == (480, 4800, 240, 1200)
