from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.fixtures import CutKafka
from tests.transports.brokers import Broker, KafkaBroker, PostgresBroker
from tests.transports.ledger import open_ledger


@pytest.fixture(params=["postgres", pytest.param("kafka", marks=pytest.mark.broker)])
def broker(request: pytest.FixtureRequest, database_url: str) -> Iterator[Broker]:
    """Each transport in turn, empty."""
    with ExitStack() as stack:
        open_ledger(database_url)
        if request.param == "postgres":
            yield PostgresBroker(database_url, stack)
        else:
            address, cut = request.getfixturevalue("kafka_cut")
            yield KafkaBroker(database_url, stack, address, cut)


@pytest.fixture
def kafka(database_url: str, kafka_cut: CutKafka) -> Iterator[KafkaBroker]:
    """Topics of the test's own on the session's broker, through a proxy that it may cut."""
    with ExitStack() as stack:
        open_ledger(database_url)
        yield KafkaBroker(database_url, stack, kafka_cut.bootstrap, kafka_cut.cut)
