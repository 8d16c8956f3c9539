"""What tests of actions share."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from commands.store.application import Store
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from tests.actions.acting import Acting
from tests.projections.world import World


@pytest.fixture
def acting(database_url: str, pool: ConnectionPool) -> Iterator[Acting]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert install(connection, PROJECTIONS) == []
    store = Store(database_url)
    yield Acting(World.create(store), pool)
    store.close()
