from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection

from commands.store.application import Store
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from tests.projections.world import World


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Autocommit, on a database in which every projection is installed."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        assert install(conn, PROJECTIONS) == []
        yield conn


@pytest.fixture
def store(database_url: str, connection: Connection) -> Iterator[Store]:
    found = Store(database_url)
    yield found
    found.close()


@pytest.fixture
def world(store: Store) -> World:
    return World.create(store)
