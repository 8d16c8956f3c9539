"""One database for the tests of a module: each world has an environment of its own in it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from projections.accounts import ACCOUNTS
from projections.engine.installing import install
from projections.recordings import RECORDINGS
from tests.conftest import Server


@pytest.fixture(scope="module")
def connection(fast_server: Server) -> Iterator[psycopg.Connection[TupleRow]]:
    url = fast_server.clone()
    try:
        with psycopg.connect(url, autocommit=True) as made:
            install(made, [ACCOUNTS, RECORDINGS])
            yield made
    finally:
        fast_server.drop(url)
