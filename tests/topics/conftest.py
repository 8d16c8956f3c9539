"""Real records: published by the code that publishes them and read back through a transport, headers and all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from consumers.scheduler import Ticker
from consumers.transports.port import Record
from tests.conftest import Server
from tests.topics.messages import AT, captured, posted_events, relayed, signals
from tests.topics.other_schemas import TICKS
from tests.transports.brokers import PostgresBroker, consuming
from tests.transports.ledger import wait_until

Wire = dict[str, list[Record]]


@pytest.fixture(scope="session")
def wire(fast_server: Server) -> Iterator[Wire]:
    """Records by topic, in the order of their partitions."""
    url = fast_server.clone()
    try:
        with ExitStack() as stack:
            yield _published(PostgresBroker(url, stack))
    finally:
        fast_server.drop(url)


def _published(broker: PostgresBroker) -> Wire:
    transport = broker.transport()
    events, snapshots, analytics = list(relayed()), list(captured()), list(posted_events())
    transport.publish("events", events)
    transport.publish("snapshots", snapshots)
    transport.publish("analytics", analytics)
    transport.publish("signals", list(signals()))
    ticker = Ticker(broker.database_url, transport, dict.fromkeys(TICKS, 60.0))
    for name in TICKS:
        ticker.tick(name, AT)
    # Golden histories and recordings have event ids in common, and what has the same id is kept once.
    expected = {
        "events": len({message.event_id for message in events}),
        "snapshots": len({message.event_id for message in snapshots}),
        "analytics": len({message.event_id for message in analytics}),
        "ticks": len(TICKS),
        "signals": 2,
    }
    heard: list[Record] = []
    with consuming(transport, "reader", list(expected), lambda _, records: heard.extend(records)):
        wait_until(lambda: Counter(record.topic for record in list(heard)) == expected)
    return {topic: [record for record in heard if record.topic == topic] for topic in expected}
