"""What only the PostgreSQL log promises: order under its locks, retention, wake-up, fairness, restart of the server."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres, Tuning
from commands.store.migrations import Migrations
from consumers.transports.gauges import CATALOGUE
from consumers.transports.poison import PoisonCap
from consumers.transports.port import Outgoing, Poison, Record
from consumers.transports.postgres import PostgresTransport, partition_of
from tests.transports.brokers import PARTITIONS, ROOT, PostgresBroker, consuming, suite_settings
from tests.transports.ledger import (
    assert_accounted,
    enter,
    entries,
    messages,
    open_ledger,
    wait_drained,
    wait_until,
    writes,
)


@pytest.fixture
def log(database_url: str) -> Iterator[PostgresBroker]:
    with ExitStack() as stack:
        open_ledger(database_url)
        yield PostgresBroker(database_url, stack)


def _key_in(part: int) -> bytes:
    """A key that lives in that partition."""
    keys = (f"k{n}".encode() for n in range(1_000))
    return next(key for key in keys if partition_of(Outgoing(key, b"", "e"), PARTITIONS) == part)


def _store(conn: psycopg.Connection, key: bytes, event_id: str) -> None:
    """Publishes inside a transaction of the test's, which it may then leave open."""
    conn.execute(
        "SELECT log.publish('vision.facts', %s, %s, %s::bigint[], %b::bytea[], %b::bytea[], %s::text[])",
        ([partition_of(Outgoing(key, b"", event_id), PARTITIONS)], [event_id], [None], [key], [b"1"], ["{}"]),
    )


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]


def test_where_a_key_lives_never_changes() -> None:
    """Stored data depends on these numbers."""
    found = [partition_of(Outgoing(key, b"", "e"), 6) for key in (b"", b"a", b"session-1", bytes(16))]
    assert found == [0, 3, 4, 1]
    assert partition_of(Outgoing(None, b"", "a"), 6) == 3


def test_a_lower_transaction_id_with_a_higher_offset_hides_nothing(log: PostgresBroker) -> None:
    """A commits first and has the lower transaction id, B's record the lower offset: a snapshot horizon loses B's."""
    transport = log.transport()
    transport.publish("facts", [Outgoing(_key_in(0), b"0", "before")])
    a_key, b_key = _key_in(1), _key_in(2)
    with psycopg.connect(log.database_url) as a, psycopg.connect(log.database_url) as b:
        _store(a, a_key, "a1")  # A draws its transaction id
        _store(b, b_key, "b1")
        waiting = threading.Thread(target=_store, args=(a, b_key, "a2"))
        waiting.start()
        with consuming(transport, "g", ["facts"], lambda conn, records: enter(conn, "g", records)):
            time.sleep(0.3)
            assert waiting.is_alive(), "A must wait for B, or its record could be read past B's"
            b.commit()
            waiting.join(5)
            a.commit()
            wait_until(lambda: len(entries(log.database_url, "g")) == 4)
    same_partition = [entry for entry in entries(log.database_url, "g") if entry.key == b_key.decode()]
    assert [entry.off for entry in same_partition] == sorted(entry.off for entry in same_partition)


def test_an_open_transaction_elsewhere_delays_nothing(log: PostgresBroker) -> None:
    transport = log.transport()
    with psycopg.connect(log.database_url) as idle:
        idle.execute("CREATE TABLE held (n integer)")
        transport.publish("facts", messages(10))
        with consuming(transport, "g", ["facts"], writes("g")):
            wait_drained(transport, "g", seconds=3)
        assert _gauge(transport, "transport_oldest_transaction_seconds") > 0
        idle.rollback()


def test_a_publisher_that_holds_a_partition_delays_that_one_alone(log: PostgresBroker) -> None:
    transport = log.transport()
    transport.publish("facts", [Outgoing(_key_in(0), b"0", "before")])
    with psycopg.connect(log.database_url) as slow:
        _store(slow, _key_in(1), "slow")
        began = time.monotonic()
        transport.publish("facts", [Outgoing(_key_in(part), b"0", f"quick:{part}") for part in (0, 2, 3)])
        assert time.monotonic() - began < 1


def test_the_number_of_partitions_stays(log: PostgresBroker) -> None:
    log.transport().publish("facts", messages(1))
    grown = log.adjusted(replace(suite_settings(), partitions=12))
    grown.publish("facts", messages(50, keys=50, start=1))
    with consuming(grown, "g", ["facts"], writes("g")):
        wait_drained(grown, "g")
    assert len(grown.lag("g")) == PARTITIONS


def test_a_notification_wakes_an_idle_worker(log: PostgresBroker) -> None:
    transport = log.adjusted(replace(suite_settings(), poll_seconds=60))
    seen: list[float] = []
    with consuming(transport, "g", ["facts"], lambda _, __: seen.append(time.monotonic())):
        wait_until(lambda: bool(transport.lag("g")))
        for n in range(5):
            published = time.monotonic()
            transport.publish("facts", messages(1, start=n))
            wait_until(lambda n=n: len(seen) > n, seconds=5)
            assert seen[n] - published < 1


def test_a_batch_notifies_once_and_a_repetition_never(log: PostgresBroker) -> None:
    transport = log.transport()
    with psycopg.connect(log.database_url, autocommit=True) as ears:
        ears.execute('LISTEN "log.vision.facts"')
        transport.publish("facts", messages(500))
        transport.publish("facts", messages(500))
        assert len(list(ears.notifies(timeout=0.5))) == 1


def test_polling_finds_what_no_notification_told(log: PostgresBroker) -> None:
    transport = log.transport()
    transport.publish("facts", messages(1))
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
        with psycopg.connect(log.database_url) as conn:
            conn.execute(
                "INSERT INTO log.record (topic_id, part, event_id, key, value, headers, size)"
                " SELECT topic_id, part, 'quiet', 'k', '1', '{}', 1 FROM log.partition LIMIT 1"
            )
        wait_until(lambda: len(entries(log.database_url, "g")) == 2, seconds=3)


def test_partitions_take_turns(log: PostgresBroker) -> None:
    """One worker and a backlog everywhere: no partition is drained before the others are served."""
    transport = log.transport()
    transport.publish("facts", [Outgoing(_key_in(n % PARTITIONS), b"1", f"m:{n}") for n in range(400)])
    served: list[int] = []

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        served.append(records[0].partition)

    with consuming(transport, "g", ["facts"], handle, max_records=10):
        wait_drained(transport, "g")
    assert len(served) == 40
    for start in range(0, 40, PARTITIONS):
        assert len(set(served[start : start + PARTITIONS])) == PARTITIONS


def test_records_are_dropped_when_all_groups_are_past_and_they_are_old(log: PostgresBroker) -> None:
    transport = log.adjusted(
        replace(suite_settings(), retention=timedelta(0), trim_every=timedelta(seconds=0.1), trim_chunk=20)
    )
    transport.publish("facts", messages(300))
    with consuming(log.transport(), "slow", ["facts"], lambda _, __: time.sleep(0.1), max_records=1):
        wait_until(lambda: 0 < sum(transport.lag("slow").values()) < 300)
    left = sum(transport.lag("slow").values())
    with consuming(transport, "quick", ["facts"], writes("quick")):
        wait_drained(transport, "quick")
        wait_until(lambda: _count(log.database_url, "log.record") == left)
        time.sleep(0.5)
        assert _count(log.database_url, "log.record") == left
        assert transport.forget("slow") == PARTITIONS
        wait_until(lambda: _count(log.database_url, "log.record") == 0)
        transport.publish("facts", messages(10, start=300))
        wait_until(lambda: len(entries(log.database_url, "quick")) == 310)


def test_young_records_stay(log: PostgresBroker) -> None:
    transport = log.adjusted(replace(suite_settings(), trim_every=timedelta(0)))
    transport.publish("facts", messages(50))
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    assert _count(log.database_url, "log.record") == 50
    with consuming(transport, "late", ["facts"], writes("late")):
        wait_drained(transport, "late")
    assert_accounted(entries(log.database_url, "late"), messages(50))


def _poisonous(bad: Callable[[Record], bool]) -> Callable[[psycopg.Connection, Sequence[Record]], None]:
    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if bad(record):
                raise Poison(record, "bad")
        enter(conn, "g", records)

    return handle


def _gauge(transport: PostgresTransport, name: str, **labels: str) -> float:
    """The sum over what the labels leave open."""
    assert name in CATALOGUE
    return sum(
        gauge.value for gauge in transport.gauges() if gauge.name == name and labels.items() <= gauge.labels.items()
    )


def test_a_stopped_partition_goes_on_when_resumed(log: PostgresBroker) -> None:
    """Each resume lets the cap's number of records through, so an operator always gets further."""
    transport = log.adjusted(replace(suite_settings(), poison=PoisonCap(in_a_row=3)))
    key = _key_in(2)
    sick = [Outgoing(key, b"-1", f"sick:{n}") for n in range(8)]
    well = [Outgoing(key, str(n).encode(), f"well:{n}") for n in range(10)]
    transport.publish("facts", [*well[:5], *sick, *well[5:]])
    with consuming(transport, "g", ["facts"], _poisonous(lambda record: record.value == b"-1")):
        for letters in (3, 6, 8):
            wait_until(lambda letters=letters: _count(log.database_url, "log.dead_letter") == letters)
            if letters < 8:
                wait_until(lambda: _gauge(transport, "transport_stopped", partition="2") == 1)
                assert len(entries(log.database_url, "g")) == 5
                assert transport.resume("g", "facts", 2)
        wait_drained(transport, "g")
    assert_accounted(entries(log.database_url, "g"), well)
    assert _gauge(transport, "transport_dead_letters", group="g", topic="facts") == 8
    assert _gauge(transport, "transport_stopped") == 0
    assert not transport.resume("g", "facts", 99)


def test_a_large_share_of_poison_stops_the_partition(log: PostgresBroker) -> None:
    transport = log.adjusted(replace(suite_settings(), poison=PoisonCap(share=0.3, window=40)))
    key = _key_in(0)
    transport.publish("facts", [Outgoing(key, str(n).encode(), f"m:{n}") for n in range(100)])
    with consuming(transport, "g", ["facts"], _poisonous(lambda record: int(record.value) % 2 == 0)):
        wait_until(lambda: _gauge(transport, "transport_stopped", partition="0") == 1)
    assert _count(log.database_url, "log.dead_letter") == 20
    assert len(entries(log.database_url, "g")) == 20


def test_poison_that_names_a_foreign_record_is_an_error_of_the_handler(log: PostgresBroker) -> None:
    transport = log.transport()
    tries: Counter[str] = Counter()

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        tries["handler"] += 1
        raise Poison(records[0]._replace(offset=-1), "not of this batch")

    transport.publish("facts", messages(1))
    with consuming(transport, "g", ["facts"], handle):
        wait_until(lambda: _gauge(transport, "transport_failures") >= 1)
    assert _count(log.database_url, "log.dead_letter") == 0
    assert sum(transport.lag("g").values()) == 1


def test_gauges_tell_what_is_wrong(log: PostgresBroker) -> None:
    transport = log.transport()

    def fail(_: psycopg.Connection, __: Sequence[Record]) -> None:
        raise ValueError("no")

    transport.publish("facts", [Outgoing(_key_in(1), b"1", f"m:{n}") for n in range(7)])
    with consuming(transport, "g", ["facts"], fail):
        wait_until(lambda: _gauge(transport, "transport_failures", group="g", partition="1") >= 2)
    assert _gauge(transport, "transport_lag_records", group="g") == 7
    assert 0 < _gauge(transport, "transport_lag_seconds", group="g", partition="1") < 60
    assert {gauge.name for gauge in transport.gauges()} <= set(CATALOGUE)


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop, with production's durability and the log's tables."""
    home = Path(tempfile.mkdtemp(prefix="replay-vision-restart-"))
    server = EmbeddedPostgres(home, Tuning(shared_buffers="32MB", max_connections=40))
    server.start()
    try:
        with psycopg.connect(server.url, autocommit=True) as conn:
            Migrations.from_folders([ROOT / "consumers" / "transports" / "schema"]).apply(conn)
        yield server
    finally:
        server.destroy()
        shutil.rmtree(home, ignore_errors=True)


def test_a_restart_of_the_server_loses_and_doubles_nothing(own_server: EmbeddedPostgres) -> None:
    url = own_server.url
    open_ledger(url)
    sent = messages(900, keys=30)
    with ExitStack() as stack:
        log = PostgresBroker(url, stack)
        transport = log.adjusted(replace(suite_settings(), publish_seconds=30))

        def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
            enter(conn, "g", records)
            time.sleep(0.01)

        def publish() -> None:
            for start in range(0, 900, 10):
                transport.publish("facts", sent[start : start + 10])
                time.sleep(0.01)

        publisher = threading.Thread(target=publish)
        with consuming(transport, "g", ["facts"], handle, workers=2, max_records=15):
            publisher.start()
            wait_until(lambda: len(entries(url, "g")) > 100)
            own_server.stop()
            own_server.start()
            publisher.join(60)
            assert not publisher.is_alive()
            wait_drained(transport, "g", seconds=60)
        assert_accounted(entries(url, "g"), sent)
