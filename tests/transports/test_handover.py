"""An installation that grows from the log in the database to Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from threading import Event

import psycopg
import pytest

from api.bootstrap import MeasuredTransport
from consumers.transports.dead_letters import Selection, newest_letters, replay
from consumers.transports.handover import HandingOver
from consumers.transports.installation import KNOWN_SECONDS, leave_kafka, quieten_kafka, settle_on
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.port import Poison, Record, Unavailable
from consumers.transports.postgres import PostgresTransport, take_letters
from tests.servers.fixtures import CutKafka
from tests.transports.brokers import PARTITIONS, KafkaBroker, PostgresBroker, consuming, suite_settings
from tests.transports.ledger import entries, messages, open_ledger, published, wait_drained, wait_until, writes
from tests.transports.letters import Sick


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
        return HandingOver(self.before(), kafka, self.settings.away)


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


def test_dead_letters_of_the_log_hold_their_keys_back_and_are_replayed(growing: Growing) -> None:
    before, after = growing.before(), growing.after()
    healed = Event()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if record.value in (b"3", b"4") and not healed.is_set():
                raise Poison(record, "sick")
        writes("g")(conn, records)

    before.publish("facts", messages(20, keys=10))
    with consuming(before, "g", ["facts"], handle, park_keys=True):
        wait_drained(before, "g")
    after.publish("facts", messages(20, keys=10, start=20))
    with consuming(after, "g", ["facts"], handle, park_keys=True):
        wait_drained(after, "g")
        with psycopg.connect(growing.database_url, autocommit=True) as conn:
            assert {(letter.state, letter.group) for letter in newest_letters(conn, 100, Selection())} == {
                ("dead", "g"),
                ("parked", "g"),
            }
            assert len(_in_order_of_handling(growing)) == 32
            healed.set()
            assert replay(conn, Selection(group="g")) == 8
        wait_until(lambda: len(_in_order_of_handling(growing)) == 40)
    handled = _in_order_of_handling(growing)
    for key in range(10):
        assert [value for value in handled if value % 10 == key] == [key, key + 10, key + 20, key + 30]


def test_a_stopped_partition_of_the_log_is_told_of_until_it_is_resumed(
    growing: Growing, caplog: pytest.LogCaptureFixture
) -> None:
    before, after = growing.before(), growing.after()
    healed = Event()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if not healed.is_set():
                raise Poison(record, "sick")
        writes("g")(conn, records)

    before.publish("facts", messages(20, keys=1))
    with consuming(before, "g", ["facts"], handle):
        wait_until(lambda: _stopped(before) == 1)
    healed.set()
    after.publish("facts", messages(20, keys=1, start=20))
    with consuming(after, "g", ["facts"], handle):
        wait_until(lambda: "cannot begin on Kafka, because the log's partition facts/" in caplog.text)
        assert _stopped(after) == 1
        assert not _in_order_of_handling(growing)
        for partition in range(PARTITIONS):
            after.resume("g", "facts", partition)
        wait_drained(after, "g")
    handled = _in_order_of_handling(growing)
    assert handled == sorted(handled)
    assert handled[-20:] == list(range(20, 40))


def test_the_log_is_emptied_after_the_change(growing: Growing) -> None:
    before = growing.before()
    before.publish("facts", messages(20))
    with consuming(before, "g", ["facts"], writes("g")):
        wait_drained(before, "g")
    growing.settings = replace(growing.settings, retention=timedelta(0), trim_every=timedelta(seconds=0.1))
    with consuming(growing.after(), "g", ["facts"], writes("g")), psycopg.connect(growing.database_url) as conn:
        wait_until(lambda: conn.execute("SELECT count(*) FROM log.record").fetchone() == (0,) and not conn.rollback())


def _stopped(transport: MeasuredTransport) -> float:
    return sum(gauge.value for gauge in transport.gauges() if gauge.name == "transport_stopped")


def test_a_group_that_never_ran_on_the_log_begins_there(growing: Growing) -> None:
    growing.before().publish("facts", messages(10))
    after = growing.after()
    after.publish("facts", messages(10, start=10))
    with consuming(after, "new", ["facts"], writes("new")):
        wait_until(lambda: len(entries(growing.database_url, "new")) == 20)
        wait_drained(after, "new")
    for key in range(10):
        assert [value for value in _in_order_of_handling(growing) if value % 10 == key] == [key, key + 10]


def test_what_a_relay_repeats_after_the_change_is_handled_once(growing: Growing) -> None:
    """It published to the log, and was killed before it had noted that."""
    before, after = growing.before(), growing.after()
    relayed = [replace(message, source_id=n + 1) for n, message in enumerate(messages(20))]
    with consuming(before, "g", ["facts"], writes("g")):
        before.publish("facts", relayed[:10])
        wait_drained(before, "g")
    after.publish("facts", relayed)
    with consuming(after, "g", ["facts"], writes("g")):
        wait_drained(after, "g")
    assert sorted(_in_order_of_handling(growing)) == list(range(20))


def test_nobody_publishes_to_a_log_that_was_left(growing: Growing) -> None:
    before, after = growing.before(), growing.after()
    with psycopg.connect(growing.database_url, autocommit=True) as conn:
        settle_on(conn, "postgres", growing.settings.prefix)
        before.publish("facts", messages(5))
        settle_on(conn, "kafka", growing.settings.prefix)
        with pytest.raises(Unavailable, match="runs on Kafka now"):
            before.publish("facts", messages(5, start=5))
        after.publish("facts", messages(5, start=5))

        quieten_kafka(conn, 60)
        time.sleep(KNOWN_SECONDS)
        with pytest.raises(Unavailable, match="leaves Kafka"):
            after.publish("facts", messages(5, start=10))
        quieten_kafka(conn, 0)
        after.publish("facts", messages(5, start=10))

        quieten_kafka(conn, 60)
        leave_kafka(conn)
        time.sleep(KNOWN_SECONDS)
        with pytest.raises(Unavailable, match="or has left it"):
            after.publish("facts", messages(5, start=15))
        before.publish("facts", messages(5, start=15))


def test_the_log_is_handled_while_the_brokers_are_away(growing: Growing, kafka_cut: CutKafka) -> None:
    before, after = growing.before(), growing.after()
    before.publish("facts", messages(20))
    kafka_cut.cut.cut()
    with consuming(after, "g", ["facts"], writes("g")):
        wait_until(lambda: len(entries(growing.database_url, "g")) == 20)
        kafka_cut.cut.restore()
        wait_until(lambda: published(after, messages(20, start=20)))
        wait_until(lambda: len(entries(growing.database_url, "g")) == 40)


def test_dead_letters_go_back_to_the_log_too(growing: Growing) -> None:
    before, after = growing.before(), growing.after()
    sick = Sick(3)
    after.publish("facts", messages(20, keys=10))
    with consuming(after, "g", ["facts"], sick, park_keys=True):
        wait_drained(after, "g")
    with psycopg.connect(growing.database_url, autocommit=True) as conn:
        settle_on(conn, "kafka", growing.settings.prefix)
        quieten_kafka(conn, 60)
        take_letters(conn, "kafka", growing.settings)
        leave_kafka(conn)
        before.publish("facts", messages(10, keys=10, start=20))
        with consuming(before, "g", ["facts"], sick, park_keys=True):
            wait_drained(before, "g")
            assert len(_in_order_of_handling(growing)) == 27
            sick.values.clear()
            assert replay(conn, Selection(group="g")) == 3
            wait_until(lambda: len(_in_order_of_handling(growing)) == 30)
    assert [value for value in _in_order_of_handling(growing) if value % 10 == 3] == [3, 13, 23]
