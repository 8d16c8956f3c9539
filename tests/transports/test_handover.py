"""An installation that grows from the log in the database to Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from consumers.transports.handover import HandingOver
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.postgres import PostgresTransport
from tests.servers.fixtures import CutKafka
from tests.transports.brokers import KafkaBroker, PostgresBroker, consuming, suite_settings
from tests.transports.ledger import assert_accounted, entries, messages, open_ledger, wait_drained, wait_until, writes


class Growing:
    """Before: the log. After: Kafka with the log's leftovers first. Both on one database and with one prefix."""

    def __init__(self, database_url: str, stack: ExitStack, way: CutKafka) -> None:
        self.database_url = database_url
        kafka = KafkaBroker(database_url, stack, way.bootstrap, way.cut)
        self._log, self._kafka = PostgresBroker(database_url, stack), kafka
        self.settings = suite_settings(kafka.prefix)

    def before(self) -> PostgresTransport:
        return self._log.adjusted(self.settings)

    def after(self) -> HandingOver:
        kafka = self._kafka.adjusted(self.settings)
        assert isinstance(kafka, KafkaTransport)
        return HandingOver(self.before(), kafka)


@pytest.fixture
def growing(database_url: str, kafka_cut: CutKafka) -> Iterator[Growing]:
    with ExitStack() as stack:
        open_ledger(database_url)
        yield Growing(database_url, stack, kafka_cut)


def test_what_the_log_holds_is_handled_before_what_comes_by_kafka(growing: Growing) -> None:
    before, after = growing.before(), growing.after()
    sent = messages(600, keys=20)
    with consuming(before, "g", ["facts"], writes("g")):
        before.publish("facts", sent[:100])
        wait_drained(before, "g")
    before.publish("facts", sent[100:300])  # the processes end, and this is left
    after.publish("facts", sent[300:])
    assert sum(after.lag("g").values()) >= 200
    with consuming(after, "g", ["facts"], writes("g"), workers=2, max_records=10):
        wait_until(lambda: len(entries(growing.database_url, "g")) == 600)
        wait_drained(after, "g")
    # Offsets of the two transports cannot be compared, the order of the values can.
    found = entries(growing.database_url, "g")
    assert sorted(int(entry.value) for entry in found) == list(range(600))
    handled = _in_order_of_handling(growing)
    for key in range(20):
        mine = [value for value in handled if value % 20 == key]
        assert mine == sorted(mine)


def test_a_group_that_is_new_with_kafka_begins_there(growing: Growing) -> None:
    growing.before().publish("facts", messages(10, start=1_000))
    after = growing.after()
    sent = messages(20)
    after.publish("facts", sent)
    with consuming(after, "new", ["facts"], writes("new")):
        wait_drained(after, "new")
    assert_accounted(entries(growing.database_url, "new"), sent)


def test_a_group_stops_in_time_while_it_empties_the_log(growing: Growing) -> None:
    before, after = growing.before(), growing.after()
    before.publish("facts", messages(1))
    with consuming(before, "g", ["facts"], writes("g")):
        wait_drained(before, "g")
    before.publish("facts", messages(50, start=1))

    def fail(*_: object) -> None:
        raise ValueError("never")

    with consuming(after, "g", ["facts"], fail):  # which asserts that it stops
        wait_until(lambda: any(g.value for g in after.gauges() if g.name == "transport_failures"))
    assert sum(after.lag("g").values()) == 50


def _in_order_of_handling(growing: Growing) -> list[int]:
    with psycopg.connect(growing.database_url) as conn:
        return [int(value) for (value,) in conn.execute("SELECT value FROM ledger ORDER BY n")]
