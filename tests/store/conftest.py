from collections.abc import Iterator

import pytest

from commands.store.application import Store
from tests.store.world import CONNECTIONS, World, build_world


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url, pool_size=CONNECTIONS)
    yield opened
    opened.close()


@pytest.fixture
def world(database_url: str, store: Store) -> World:
    return build_world(database_url, store)
