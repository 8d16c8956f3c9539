from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool

from commands.store.application import Store
from tests.selection.schedule import Schedule


@pytest.fixture
def schedule(readable: None, pool: ConnectionPool, database_url: str) -> Iterator[Schedule]:
    store = Store(database_url)
    yield Schedule(pool, store)
    store.close()
