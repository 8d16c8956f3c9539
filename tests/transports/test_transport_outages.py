"""The port's promises through kills, cuts and outages, on every transport; as ``test_transport_contract``."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from threading import Event

import psycopg
import pytest

from consumers.transports.port import (
    Outgoing,
    Record,
    Unavailable,
)
from tests.transports.brokers import Broker, consuming
from tests.transports.ledger import (
    assert_accounted,
    enter,
    entries,
    messages,
    published,
    wait_drained,
    wait_until,
    writes,
)


def test_a_killed_worker_loses_and_doubles_nothing(broker: Broker) -> None:
    """SIGKILL in the middle of a batch, again and again."""
    transport = broker.transport()
    sent = messages(400, keys=20)
    transport.publish("facts", sent)
    for _ in range(3):
        worker = broker.spawn("g", "facts", slow_ms=150)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "handling\n"
        worker.kill()
        worker.wait()
    behind = sum(transport.lag("g").values())
    assert behind > 0, "the workers were done before they were killed"
    with consuming(transport, "g", ["facts"], writes("g")):
        took = wait_until(lambda: sum(transport.lag("g").values()) < behind)
        assert took < 5, "a killed worker kept its partitions"
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_concurrent_publishers_with_long_transactions_lose_nothing(broker: Broker) -> None:
    """Records that become visible late must not be passed by a reader."""
    transport = broker.transport()
    publishers, each = 6, 120
    sent = [messages(each, keys=5, start=1_000 * p, mark=f"p{p}") for p in range(publishers)]
    done = Event()

    def dawdle() -> None:
        """Keeps an old transaction open, with a write in it, all the while."""
        with psycopg.connect(broker.database_url) as conn:
            while not done.is_set():
                conn.execute("CREATE TEMPORARY TABLE IF NOT EXISTS idle (n integer) ON COMMIT DROP")
                done.wait(0.4)
                conn.commit()

    def publish(mine: Sequence[Outgoing]) -> None:
        dice = random.Random(mine[0].event_id)
        start = 0
        while start < len(mine):
            size = dice.choice((1, 1, 3, 20))
            transport.publish("facts", mine[start : start + size])
            start += size

    threads = [threading.Thread(target=publish, args=(mine,)) for mine in sent]
    slow = threading.Thread(target=dawdle)
    slow.start()
    with consuming(transport, "g", ["facts"], writes("g"), workers=2):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        done.set()
        slow.join()
        wait_drained(transport, "g")
    everything = entries(broker.database_url, "g")
    assert len(everything) == publishers * each
    for p, mine in enumerate(sent):
        assert_accounted([entry for entry in everything if int(entry.value) // 1_000 == p], mine)


def test_an_outage_is_lived_through(broker: Broker) -> None:
    transport = broker.transport()
    sent = messages(300)
    with consuming(transport, "g", ["facts"], writes("g"), workers=2) as workers:
        transport.publish("facts", sent[:100])
        wait_until(lambda: len(entries(broker.database_url, "g")) > 0)
        with broker.outage():
            began = time.monotonic()
            with pytest.raises(Unavailable):
                transport.publish("facts", sent[100:200])
            with pytest.raises(Unavailable):
                transport.lag("g")
            assert time.monotonic() - began < 8
            assert all(worker.is_alive() for worker in workers)
        wait_until(lambda: published(transport, sent[100:]), what="publishing")
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_cuts_while_handling_lose_and_double_nothing(broker: Broker) -> None:
    transport = broker.transport()
    sent = messages(600, keys=20)

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        enter(conn, "g", records)
        time.sleep(0.02)

    with consuming(transport, "g", ["facts"], handle, workers=2, max_records=10):
        for start in range(0, 600, 200):
            wait_until(lambda start=start: published(transport, sent[start : start + 200]), what="publishing")
            with broker.outage():
                pass
        wait_drained(transport, "g", seconds=60)
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_a_worker_may_start_and_stop_during_an_outage(broker: Broker) -> None:
    transport = broker.transport()
    with broker.outage():
        stop = Event()
        thread = threading.Thread(target=lambda: transport.consume("g", ["facts"], writes("g"), stop=stop))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        began = time.monotonic()
        stop.set()
        thread.join(10)
        assert time.monotonic() - began < 2
