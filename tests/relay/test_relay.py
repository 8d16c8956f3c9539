"""Every event of the store reaches the topic once in effect, in order, whatever fails in between."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID

import orjson
import psycopg
import pytest

from commands.store.event_log import EventLog
from consumers.relay import Relay
from consumers.standby import Deposed
from consumers.transports.port import Outgoing, Record, Unavailable
from consumers.transports.postgres import PostgresTransport
from tests.relay.event_source import append, stream
from tests.transports.brokers import ROOT, PostgresBroker, consuming
from tests.transports.ledger import enter, entries, open_ledger, wait_drained, wait_until


@pytest.fixture
def log(database_url: str) -> Iterator[PostgresBroker]:
    with ExitStack() as stack:
        open_ledger(database_url)
        yield PostgresBroker(database_url, stack)


@contextmanager
def _running(*relays: Relay) -> Iterator[Sequence[threading.Thread]]:
    stop = Event()
    threads = [threading.Thread(target=relay.run, args=(stop,)) for relay in relays]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        began = time.monotonic()
        stop.set()
        for thread in threads:
            thread.join(10)
    assert time.monotonic() - began < 2
    assert not any(thread.is_alive() for thread in threads)


def _relay(log: PostgresBroker, batch: int = 50) -> Relay:
    return Relay(log.database_url, EventLog(), log.transport(), batch=batch)


def _ledger(conn: psycopg.Connection, records: Sequence[Record]) -> None:
    """The value is the version, the key the stream."""
    facts = [orjson.loads(record.value) for record in records]
    enter(
        conn,
        "g",
        [
            record._replace(key=fact["stream_id"].encode(), value=str(fact["version"]).encode())
            for record, fact in zip(records, facts, strict=True)
        ],
    )


def _assert_copied(log: PostgresBroker, streams: int, versions: int) -> None:
    found: dict[str, list[int]] = defaultdict(list)
    for entry in entries(log.database_url, "g"):
        found[entry.key].append(int(entry.value))
    assert dict(found) == {str(stream(n)): list(range(1, versions + 1)) for n in range(streams)}


def _append_all(log: PostgresBroker, streams: int, versions: range) -> None:
    for version in versions:
        append(log.database_url, [(stream(n), version) for n in range(streams)])


def _checkpoint(conn: psycopg.Connection) -> int:
    row = conn.execute("SELECT position FROM log.relay_checkpoint WHERE name = 'events'").fetchone()
    return row[0] if row else 0


def test_an_event_as_a_record(log: PostgresBroker) -> None:
    append(log.database_url, [(stream(1), 1)])
    append(log.database_url, [(stream(1), 2)], schema_version=3, amount=12.5)
    seen: list[Record] = []
    transport = log.transport()
    with _running(_relay(log)), consuming(transport, "g", ["events"], lambda _, records: seen.extend(records)):
        wait_until(lambda: len(seen) == 2)
    record = seen[1]
    fact = orjson.loads(record.value)
    assert record.key == stream(1).bytes
    assert record.headers == {
        "type": b"test.happened",
        "schema": b"3",
        "event_id": f"{stream(1)}:2".encode(),
        "source_id": str(fact["position"]).encode(),
    }
    assert set(fact) == {"event_id", "type", "stream_id", "version", "position", "data"}
    assert (fact["event_id"], fact["type"], fact["version"]) == (f"{stream(1)}:2", "test.happened", 2)
    assert UUID(fact["stream_id"]) == stream(1)
    assert fact["data"]["amount"] == 12.5
    assert seen[0].headers["schema"] == b"1"


def test_in_order_and_once_with_a_standby(log: PostgresBroker) -> None:
    with _running(_relay(log, 7), _relay(log, 7)):
        _append_all(log, 20, range(1, 31))
        with consuming(log.transport(), "g", ["events"], _ledger, workers=2):
            wait_until(lambda: len(entries(log.database_url, "g")) >= 600)
            wait_drained(log.transport(), "g")
    _assert_copied(log, 20, 30)


def test_an_append_wakes_the_relay(log: PostgresBroker) -> None:
    seen: list[float] = []
    with (
        _running(_relay(log)),
        consuming(log.transport(), "g", ["events"], lambda _, __: seen.append(time.monotonic())),
    ):
        took: list[float] = []
        for version in range(1, 12):
            appended = time.monotonic()
            append(log.database_url, [(stream(1), version)])
            wait_until(lambda version=version: len(seen) >= version)
            took.append(seen[version - 1] - appended)
        assert sorted(took)[5] < 0.3


def test_a_moved_checkpoint_deposes(log: PostgresBroker) -> None:
    """Two relays that both think they are active: the slower one notices, and consumers see each event once."""
    _append_all(log, 3, range(1, 5))

    class Overtaken(PostgresTransport):
        def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
            super().publish(topic, records)
            with psycopg.connect(log.database_url, autocommit=True) as other:
                assert _relay(log, 3).step(other) == 3

    slow = Relay(log.database_url, EventLog(), Overtaken(log.database_url, log.pool()), batch=5)
    with psycopg.connect(log.database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO log.relay_checkpoint (name, position) VALUES ('events', 0)")
        with pytest.raises(Deposed):
            slow.step(conn)
        reached = _checkpoint(conn)
    assert reached == 3
    with _running(_relay(log)), consuming(log.transport(), "g", ["events"], _ledger):
        wait_until(lambda: len(entries(log.database_url, "g")) >= 12)
        wait_drained(log.transport(), "g")
    _assert_copied(log, 3, 4)


def test_repeated_batches_are_removed_downstream(log: PostgresBroker) -> None:
    """A crash between confirmation and checkpoint, made by turning the checkpoint back."""
    _append_all(log, 5, range(1, 11))
    with (
        consuming(log.transport(), "g", ["events"], _ledger),
        psycopg.connect(log.database_url, autocommit=True) as conn,
    ):
        with _running(_relay(log)):
            wait_until(lambda: len(entries(log.database_url, "g")) >= 50)
        conn.execute("UPDATE log.relay_checkpoint SET position = 10")
        _append_all(log, 5, range(11, 13))
        with _running(_relay(log)):
            wait_until(lambda: len(entries(log.database_url, "g")) >= 60)
            wait_drained(log.transport(), "g")
    _assert_copied(log, 5, 12)


@pytest.mark.rule("trap/8")
def test_while_the_transport_is_away_the_checkpoint_stands(log: PostgresBroker) -> None:
    away = Event()
    refused = Event()

    class Flaky(PostgresTransport):
        def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
            if away.is_set():
                refused.set()
                raise Unavailable("away")
            super().publish(topic, records)

    relay = Relay(log.database_url, EventLog(), Flaky(log.database_url, log.pool()), batch=4)
    with (
        psycopg.connect(log.database_url, autocommit=True) as conn,
        _running(relay),
        consuming(log.transport(), "g", ["events"], _ledger),
    ):
        _append_all(log, 2, range(1, 4))
        wait_until(lambda: len(entries(log.database_url, "g")) == 6)
        away.set()
        _append_all(log, 2, range(4, 9))
        assert refused.wait(5)
        assert _checkpoint(conn) == 6
        lag = relay.lag(conn)
        assert lag.positions == 10
        assert 0 < lag.seconds < 60
        away.clear()
        wait_until(lambda: len(entries(log.database_url, "g")) == 16)
        wait_until(lambda: relay.lag(conn) == (0, 0.0))
    _assert_copied(log, 2, 8)


def test_outages_of_the_database_are_lived_through(log: PostgresBroker) -> None:
    with _running(_relay(log, 10), _relay(log, 10)) as threads:
        _append_all(log, 10, range(1, 11))
        for round_ in range(3):
            with log.outage():
                assert all(thread.is_alive() for thread in threads)
            _append_all(log, 10, range(11 + round_ * 5, 16 + round_ * 5))
        with consuming(log.transport(), "g", ["events"], _ledger):
            wait_until(lambda: len(entries(log.database_url, "g")) >= 250)
            wait_drained(log.transport(), "g")
    _assert_copied(log, 10, 25)


def test_killed_relays_lose_and_double_nothing(log: PostgresBroker) -> None:
    """SIGKILL for the active one while a standby waits; the standby takes over within seconds."""

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "tests.relay.relay_process", log.database_url, "3"], cwd=ROOT)

    relays = [spawn(), spawn()]
    try:
        with psycopg.connect(log.database_url, autocommit=True) as conn:
            reached = 0
            for round_ in range(3):
                _append_all(log, 20, range(1 + round_ * 10, 11 + round_ * 10))
                wait_until(lambda reached=reached: _checkpoint(conn) > reached)
                wait_until(lambda: _active(conn) is not None)
                active = _active(conn)
                victim = next(relay for relay in relays if relay.pid == active)
                victim.kill()
                victim.wait()
                relays.remove(victim)
                relays.append(spawn())
                reached = _checkpoint(conn)
            wait_until(lambda: _checkpoint(conn) == 600)
        with consuming(log.transport(), "g", ["events"], _ledger):
            wait_until(lambda: len(entries(log.database_url, "g")) >= 600)
            wait_drained(log.transport(), "g")
    finally:
        for relay in relays:
            relay.kill()
            relay.wait()
    _assert_copied(log, 20, 30)


def _active(conn: psycopg.Connection) -> int | None:
    """The process that holds the relay's lock; its connection's name ends with its id."""
    row = conn.execute(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
        " AND a.application_name LIKE 'relay events %'"
    ).fetchone()
    return None if row is None else int(row[0].split()[-1])


def test_lag_of_an_empty_log(log: PostgresBroker) -> None:
    with psycopg.connect(log.database_url, autocommit=True) as conn:
        assert _relay(log).lag(conn) == (0, 0.0)


def test_lag_tells_the_age(log: PostgresBroker) -> None:
    old = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    append(log.database_url, [(stream(1), 1)], recorded_at=old)
    with psycopg.connect(log.database_url, autocommit=True) as conn:
        lag = _relay(log).lag(conn)
    assert lag.positions == 1
    assert 300 <= lag.seconds < 360
