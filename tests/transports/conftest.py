from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.transports.brokers import BROKERS, PostgresBroker
from tests.transports.ledger import open_ledger


@pytest.fixture(params=sorted(BROKERS))
def broker(request: pytest.FixtureRequest, database_url: str) -> Iterator[PostgresBroker]:
    """Each transport in turn, empty."""
    with ExitStack() as stack:
        open_ledger(database_url)
        yield BROKERS[request.param](database_url, stack)
