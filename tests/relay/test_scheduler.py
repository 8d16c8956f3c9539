"""One tick a bucket, whatever the number of schedulers and whatever is away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from threading import Event

import orjson
import psycopg
import pytest

from consumers.scheduler import BucketStarts, Ticker
from consumers.transports.port import Outgoing, Record, Transport, Unavailable
from consumers.transports.postgres import PostgresTransport
from tests.transports.brokers import PostgresBroker, consuming
from tests.transports.ledger import wait_until


@pytest.fixture
def log(database_url: str) -> Iterator[PostgresBroker]:
    with ExitStack() as stack:
        yield PostgresBroker(database_url, stack)


@contextmanager
def _ticking(log: PostgresBroker, ticks: dict[str, int], *transports: Transport) -> Iterator[None]:
    stop = Event()
    threads = [
        threading.Thread(target=Ticker(log.database_url, transport, ticks).run, args=(stop,))
        for transport in transports
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        began = time.monotonic()
        stop.set()
        for thread in threads:
            thread.join(10)
    assert time.monotonic() - began < 2
    assert not any(thread.is_alive() for thread in threads)


@contextmanager
def _hearing(log: PostgresBroker) -> Iterator[list[Record]]:
    heard: list[Record] = []
    with consuming(log.transport(), "g", ["ticks"], lambda _, records: heard.extend(records)):
        yield heard


def _of(heard: Sequence[Record], name: str) -> list[Record]:
    return [record for record in list(heard) if record.key == name.encode()]


def _bucket(record: Record, seconds: int) -> int:
    return int(datetime.fromisoformat(orjson.loads(record.value)["at"]).timestamp() // seconds)


def test_the_first_tick_comes_at_once_and_once(log: PostgresBroker) -> None:
    """A day long bucket: neither the second scheduler nor a restart ticks again."""
    day = {"sweep": 86_400, "reap": 86_400}
    with _hearing(log) as heard:
        for _ in range(2):
            with _ticking(log, day, log.transport(), log.transport()):
                wait_until(lambda: len(heard) >= 2, seconds=5)
                time.sleep(0.3)
    assert Counter(record.key for record in heard) == {b"sweep": 1, b"reap": 1}
    tick = orjson.loads(_of(heard, "sweep")[0].value)
    assert set(tick) == {"tick", "at"}
    assert tick["tick"] == "sweep"
    at = datetime.fromisoformat(tick["at"])
    assert abs((datetime.now(UTC) - at).total_seconds()) < 30


def test_one_tick_a_bucket(log: PostgresBroker) -> None:
    with _hearing(log) as heard, _ticking(log, {"fast": 1}, log.transport(), log.transport(), log.transport()):
        wait_until(lambda: len(heard) >= 4, seconds=10)
    buckets = [_bucket(record, 1) for record in heard]
    assert buckets == list(range(buckets[0], buckets[0] + len(buckets)))


def test_a_standby_takes_over(log: PostgresBroker) -> None:
    with _hearing(log) as heard:
        with _ticking(log, {"fast": 1}, log.transport()):
            wait_until(lambda: len(heard) >= 1)
            stop = Event()
            standby = threading.Thread(target=Ticker(log.database_url, log.transport(), {"fast": 1}).run, args=(stop,))
            standby.start()
            wait_until(lambda: len(heard) >= 2)
        so_far = len(heard)
        wait_until(lambda: len(heard) >= so_far + 2, seconds=6)
        stop.set()
        standby.join(5)
    buckets = [_bucket(record, 1) for record in heard]
    assert len(set(buckets)) == len(buckets)


def test_a_transport_that_is_away_delays_a_tick(log: PostgresBroker) -> None:
    back = Event()
    refused = Event()

    class Flaky(PostgresTransport):
        def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
            if not back.is_set():
                refused.set()
                raise Unavailable("away")
            super().publish(topic, records)

    with _hearing(log) as heard, _ticking(log, {"day": 86_400}, Flaky(log.database_url, log.pool())):
        assert refused.wait(5)
        back.set()
        wait_until(lambda: len(heard) == 1, seconds=5)


def test_an_outage_of_the_database_is_lived_through(log: PostgresBroker) -> None:
    with _hearing(log) as heard, _ticking(log, {"fast": 1}, log.transport(), log.transport()):
        wait_until(lambda: len(heard) >= 1)
        with log.outage():
            time.sleep(0.5)  # long enough that the lock's connection is found dead and a tick falls into it
        so_far = len(heard)
        wait_until(lambda: len(heard) >= so_far + 2, seconds=10)
    buckets = [_bucket(record, 1) for record in heard]
    assert len(set(buckets)) == len(buckets)


def test_buckets_begin_on_the_clock_and_missed_ones_are_left_out() -> None:
    quarter = BucketStarts(900)
    now = datetime(2026, 11, 23, 10, 7, tzinfo=UTC)
    assert quarter.get_next_fire_time(None, now) == datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    assert quarter.get_next_fire_time(datetime(2026, 11, 22, tzinfo=UTC), now) == datetime(
        2026, 11, 23, 10, 15, tzinfo=UTC
    )
    on_it = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    assert quarter.get_next_fire_time(on_it, on_it) == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


def test_a_tick_takes_a_second_at_least(log: PostgresBroker) -> None:
    with pytest.raises(ValueError, match="a second or more"):
        Ticker(log.database_url, log.transport(), {"never": 0})


def test_a_tick_belongs_to_its_bucket(log: PostgresBroker) -> None:
    ticker = Ticker(log.database_url, log.transport(), {"hour": 3_600})
    for minute in (0, 1, 59):
        ticker.tick("hour", datetime(2026, 11, 23, 10, minute, tzinfo=UTC))
    ticker.tick("hour", datetime(2026, 11, 23, 11, 0, tzinfo=UTC))
    with psycopg.connect(log.database_url) as conn:
        ids = conn.execute("SELECT count(*), count(DISTINCT event_id) FROM log.record").fetchone()
    assert ids == (2, 2)
