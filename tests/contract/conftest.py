"""A live server for each contract test file: real database, event store, commands, projections and HTTP on loopback."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from api.bootstrap import Runtime, runtime
from api.http.app import create_app
from api.settings import Settings
from api.wiring import services_for
from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from projections.catalogue import PROJECTIONS
from projections.engine import Runner, install
from tests.contract.site import Site, serving

EMAIL = "rina@example.org"


class Server(Protocol):
    """tests/conftest.py: the session's PostgreSQL."""

    def clone(self) -> str: ...
    def drop(self, url: str) -> None: ...


@contextmanager
def _projecting(database_url: str) -> Generator[None]:
    runner = Runner(database_url, PROJECTIONS, EventLog(), CHANNEL)
    thread = threading.Thread(target=runner.run, name="projections")
    thread.start()
    try:
        yield
    finally:
        runner.stop()
        thread.join()


def _populated(running: Runtime, url: str, services: Any) -> Site:
    system = running.context("test")
    own = running.accounts.create_organization(system, "Own", 100_000)
    foreign = running.accounts.create_organization(system, "Foreign", None)
    first, sibling = (running.accounts.create_environment(system, own.id, name) for name in ("First", "Sibling"))
    elsewhere = running.accounts.create_environment(system, foreign.id, "Elsewhere")
    user = running.accounts.create_user(system, own.id, EMAIL, "Rina", "Oduya")
    site = Site(
        url=url,
        services=services,
        accounts=running.accounts,
        integrations=running.integrations,
        blobs=running.blobs,
        system=system,
        organization_id=own.id,
        environment_id=first.id,
        sibling_id=sibling.id,
        foreign_id=elsewhere.id,
        project_token=first.project_token,
        email=EMAIL,
        user_id=user.id,
    )
    site.caught_up(user.position)
    return site


@pytest.fixture(scope="module")
def site(fast_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with two organizations in a database of its own."""
    database_url = fast_server.clone()
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, public_url="https://replay.example.org")
    with psycopg.connect(database_url, autocommit=True) as connection:
        install(connection, PROJECTIONS)
    with (
        runtime(settings, database_url, secret=b"of this test") as running,
        _projecting(database_url),
        serving(create_app(services_for(running))) as url,
    ):
        populated = _populated(running, url, services_for(running))
        yield populated
        populated.close()
    fast_server.drop(database_url)


@pytest.fixture
def quota_of(site: Site) -> Iterator[Any]:
    """Sets the organization's quota, and gives back plenty afterwards."""

    def give(amount: int) -> None:
        site.accounts.set_quota(replace(site.system, now=site.services.clock()), site.organization_id, amount)
        site.standing()

    yield give
    give(100_000)
