"""Networks and brokers that fail, and what is left behind by clients of theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from kafka.errors import KafkaError

from consumers.transports.kafka.clients import Clients
from consumers.transports.port import Outgoing, Record, Unavailable
from consumers.transports.settings import KafkaSettings
from tests.live import free_port
from tests.servers.fixtures import CutKafka
from tests.servers.kafka import KafkaServer
from tests.transports.brokers import KafkaBroker, consuming, suite_settings
from tests.transports.ledger import (
    assert_accounted,
    enter,
    entries,
    messages,
    open_ledger,
    published,
    wait_drained,
    wait_until,
    writes,
)


def test_a_network_that_swallows_everything_is_lived_through(kafka: KafkaBroker, kafka_cut: CutKafka) -> None:
    """Worse than a cut: nobody says that the connection is gone."""
    transport = kafka.transport()
    sent = messages(300)
    with consuming(transport, "g", ["facts"], writes("g"), workers=2):
        transport.publish("facts", sent[:100])
        wait_until(lambda: len(entries(kafka.database_url, "g")) > 0)
        kafka_cut.cut.stall()
        began = time.monotonic()
        with pytest.raises(Unavailable):
            transport.publish("facts", sent[100:200])
        with pytest.raises(Unavailable):
            transport.lag("g")
        assert time.monotonic() - began < 8
        kafka_cut.cut.go_on()
        wait_until(lambda: published(transport, sent[100:]), what="publishing")
        wait_drained(transport, "g", seconds=60)
    assert_accounted(entries(kafka.database_url, "g"), sent)


@pytest.mark.parametrize("kind", ["producer", "watcher", "admin", "member"])
def test_clients_that_cannot_be_made_leave_no_thread_behind(kind: str) -> None:
    """An outage of hours makes thousands of them."""
    nobody = Clients(KafkaSettings([f"127.0.0.1:{free_port()}"], answer_seconds=0.1), suite_settings())
    make = {"member": lambda: nobody.member("g")}.get(kind) or getattr(nobody, kind)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(KafkaError):
            make()
    wait_until(lambda: threading.active_count() <= before, seconds=5, what="the end of their threads")


def test_a_crowd_is_not_kept_waiting_for_brokers_that_are_away(kafka: KafkaBroker, kafka_cut: CutKafka) -> None:
    """Or it would hold every thread, and every database connection, of a server that has other things to answer."""
    transport = kafka.adjusted(replace(suite_settings(), publish_seconds=5))
    transport.publish("facts", messages(1))
    kafka_cut.cut.cut()
    with pytest.raises(Unavailable):
        transport.publish("facts", messages(1, start=1))
    with pytest.raises(Unavailable):
        transport.publish("facts", messages(1, start=1))
    took: list[float] = []

    def publish(number: int) -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            transport.publish("facts", messages(1, start=number))
        took.append(time.monotonic() - began)

    crowd = [threading.Thread(target=publish, args=(number,)) for number in range(2, 52)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert len(took) == 50
    assert max(took) < 8
    assert sorted(took)[45] < 1, "only a few may wait"
    kafka_cut.cut.restore()
    wait_until(lambda: published(transport, messages(1, start=100)), what="publishing")


def test_a_failed_producer_sends_nothing_more(kafka: KafkaBroker, kafka_cut: CutKafka) -> None:
    """What it still held must not come later, between the records of its successor; and its thread must be gone."""
    transport = kafka.transport()
    transport.publish("facts", messages(1))
    kafka_cut.cut.cut()
    with pytest.raises(Unavailable):
        transport.publish("facts", [Outgoing(b"k", b"-1", f"held:{n}") for n in range(500)])
    kafka_cut.cut.restore()
    time.sleep(2)  # the time in which a producer that still lives would connect and send
    wait_until(lambda: published(transport, messages(1, start=1)))
    wait_until(lambda: sum("kafka-python-producer" in thread.name for thread in threading.enumerate()) <= 1)
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    assert sorted(int(entry.value) for entry in entries(kafka.database_url, "g")) == [0, 1]


def test_relayed_records_have_no_holes_through_cuts(kafka: KafkaBroker, kafka_cut: CutKafka) -> None:
    """A hole would be skipped by the next repetition, as its source id is below the highest: it would be lost."""
    transport = kafka.transport()
    total, done = 6_000, threading.Event()
    sent = [Outgoing(f"key-{n % 50}".encode(), str(n).encode(), f"e:{n}", source_id=n + 1) for n in range(total)]

    def relay() -> None:
        start = 0
        while start < total:
            try:
                transport.publish("facts", sent[start : start + 200])
            except Unavailable:
                continue  # from the checkpoint, like the relay
            start += 200
        done.set()

    publisher = threading.Thread(target=relay)
    with consuming(transport, "g", ["facts"], writes("g"), workers=2):
        publisher.start()
        while not done.wait(0.15):
            kafka_cut.cut.cut()
            time.sleep(0.05)
            kafka_cut.cut.restore()
        publisher.join()
        wait_drained(transport, "g", seconds=60)
    assert_accounted(entries(kafka.database_url, "g"), sent)


def test_restarts_and_kills_of_the_broker_lose_and_double_nothing(
    database_url: str, own_kafka_server: KafkaServer
) -> None:
    open_ledger(database_url)
    sent = messages(900, keys=30)
    with ExitStack() as stack:
        kafka = KafkaBroker(database_url, stack, own_kafka_server.bootstrap)
        transport = kafka.adjusted(replace(suite_settings(), publish_seconds=5))

        def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
            enter(conn, "g", records)
            time.sleep(0.01)

        def publish() -> None:
            for start in range(0, 900, 10):
                while not published(transport, sent[start : start + 10]):
                    continue
                time.sleep(0.01)

        publisher = threading.Thread(target=publish)
        with consuming(transport, "g", ["facts"], handle, workers=2, max_records=15):
            publisher.start()
            for least, end in ((100, own_kafka_server.stop), (400, own_kafka_server.kill)):
                wait_until(lambda least=least: len(entries(database_url, "g")) > least, seconds=60)
                end()
                own_kafka_server.start()
            publisher.join(60)
            assert not publisher.is_alive()
            wait_drained(transport, "g", seconds=60)
        assert_accounted(entries(database_url, "g"), sent)
