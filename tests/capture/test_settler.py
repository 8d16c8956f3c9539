from collections.abc import Sequence
from datetime import timedelta
from threading import Barrier, Event, Thread

import psycopg
import pytest

from consumers.capture.digest.handler import GROUP as CAPTURE_GROUP
from consumers.capture.ending import settler
from consumers.capture.ending.settler import SettleHandler, settle
from consumers.capture.messages.snapshot import TOPIC, to_messages
from consumers.transports.port import Record
from consumers.transports.postgres import PostgresTransport
from tests.capture.traffic import NOW, Capture, click, snapshot, until

SETTLE = 2_100


def numbers(capture: Capture) -> dict[str, int | None]:
    rows = capture.rows("SELECT session_id, settle_number FROM capture.session ORDER BY session_id")
    return {row["session_id"]: row["settle_number"] for row in rows}


def settled(capture: Capture, seconds: float = SETTLE, limit: int = settler.BATCH) -> int:
    with capture.pool.connection() as conn:
        return settle(conn, capture.now, seconds, limit)


@pytest.mark.rule("trap/20", "trap/21")
def test_a_session_settles_when_nothing_came_for_the_interval(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    capture.now += timedelta(seconds=SETTLE - 1)
    assert settled(capture) == 0
    capture.capture(snapshot([click(1)], "b"))
    capture.now += timedelta(seconds=1)
    assert settled(capture) == 1
    assert numbers(capture) == {"a": 1, "b": None}
    assert capture.session("a")["settled_at"] == capture.now
    capture.now += timedelta(seconds=SETTLE)
    assert settled(capture) == 1
    assert numbers(capture) == {"a": 1, "b": 2}
    assert settled(capture) == 0


@pytest.mark.parametrize("at", [1, 4_000_000_000_000])
def test_the_visitors_clock_does_not_matter(capture: Capture, at: int) -> None:
    capture.capture(snapshot([click(at)], "a", received_at=NOW - timedelta(days=3)))
    assert settled(capture) == 0
    capture.now += timedelta(seconds=SETTLE)
    assert settled(capture) == 1


@pytest.mark.rule("trap/21")
def test_a_reopened_session_gets_a_new_number_when_it_settles_again(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a", "u1"), snapshot([click(1)], "b", "u1"))
    capture.now += timedelta(seconds=SETTLE)
    settled(capture)
    capture.capture(snapshot([click(2)], "a", "u2"))
    assert numbers(capture) == {"a": None, "b": 2}
    capture.now += timedelta(seconds=SETTLE)
    settled(capture)
    assert numbers(capture) == {"a": 3, "b": 2}
    rows = capture.rows("SELECT number, session_id FROM capture.settlement ORDER BY number")
    assert [(row["number"], row["session_id"]) for row in rows] == [(1, "a"), (2, "b"), (3, "a")]


def test_batches_are_bounded(capture: Capture) -> None:
    capture.capture(*(snapshot([click(1)], f"s-{number}") for number in range(7)))
    capture.now += timedelta(seconds=SETTLE)
    assert [settled(capture, limit=3) for _ in range(4)] == [3, 3, 1, 0]
    assert sorted(number for number in numbers(capture).values() if number) == list(range(1, 8))


def test_a_rolled_back_run_leaves_no_gap(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    capture.now += timedelta(seconds=SETTLE)
    with capture.pool.connection() as conn, conn.transaction(force_rollback=True):
        assert settle(conn, capture.now, SETTLE) == 1
    assert numbers(capture) == {"a": None}
    settled(capture)
    assert numbers(capture) == {"a": 1}


def test_many_settlers_at_once_give_every_number_once_and_never_out_of_order(
    capture: Capture, database_url: str
) -> None:
    """A reader that has seen a number must never meet a lower one later."""
    capture.capture(*(snapshot([click(1)], f"s-{number}") for number in range(60)))
    capture.now += timedelta(seconds=SETTLE)
    start, seen = Barrier(7), list[int]()

    def run() -> None:
        with psycopg.connect(database_url, autocommit=True) as conn:
            start.wait()
            for _ in range(4):
                settle(conn, capture.now, SETTLE, 3)

    def watch() -> None:
        with psycopg.connect(database_url, autocommit=True) as conn:
            start.wait()
            while len(seen) < 60:
                last = seen[-1] if seen else 0
                query = "SELECT number FROM capture.settlement WHERE number > %s ORDER BY number"
                seen.extend(row[0] for row in conn.execute(query, (last,)))

    threads = [Thread(target=run) for _ in range(6)] + [Thread(target=watch, daemon=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), seen
    assert seen == list(range(1, 61))
    assert sorted(number for number in numbers(capture).values() if number) == list(range(1, 61))


def test_a_session_that_is_being_written_waits_for_the_next_run(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"), snapshot([click(1)], "b"))
    capture.now += timedelta(seconds=SETTLE)
    with capture.pool.connection() as writer, writer.transaction():
        writer.execute("SELECT 1 FROM capture.session WHERE session_id = 'a' FOR UPDATE")
        assert settled(capture) == 1
    assert numbers(capture) == {"a": None, "b": 1}


def test_while_capture_is_behind_the_interval_counts_from_there(capture: Capture, database_url: str) -> None:
    """After an outage the rest of a session may still be in the queue."""
    transport = PostgresTransport(database_url, capture.pool)
    early, late = (to_messages(snapshot([click(at)], "a", f"u{at}"))[0] for at in (1, 2))
    transport.publish(TOPIC, [early])
    stop, broken = Event(), Event()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        if broken.is_set():
            raise OSError("no space left")
        capture.handler(conn, records)

    worker = Thread(target=transport.consume, args=(CAPTURE_GROUP, [TOPIC], handle), kwargs={"stop": stop})
    worker.start()
    lag = settler.capture_lag(transport)
    try:
        until(lambda: bool(capture.rows("SELECT 1 FROM capture.part")))
        broken.set()
        transport.publish(TOPIC, [late])
        until(lambda: lag() > 0.5)
        capture.now += timedelta(seconds=1)
        ticked = SettleHandler(0.8, lambda: capture.now, lag)
        with capture.pool.connection() as conn, conn.transaction():
            ticked(conn, [tick(b"settle", 1)])
        assert numbers(capture) == {"a": None}
        broken.clear()
        until(lambda: len(capture.rows("SELECT 1 FROM capture.part")) == 2)
    finally:
        stop.set()
        worker.join(20)
    assert lag() == 0
    capture.now += timedelta(seconds=1)
    with capture.pool.connection() as conn, conn.transaction():
        ticked(conn, [tick(b"settle", 2)])
    assert numbers(capture) == {"a": 1}


def test_a_partition_that_stands_still_does_not_hold_everything_for_ever(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "a"))
    handler = SettleHandler(SETTLE, lambda: capture.now, lambda: 1_000_000.0)
    for seconds, settles in ((SETTLE + settler.MAX_LAG_SECONDS - 1, False), (1, True)):
        capture.now += timedelta(seconds=seconds)
        with capture.pool.connection() as conn, conn.transaction():
            handler(conn, [tick(b"settle", 1)])
        assert (numbers(capture)["a"] is not None) == settles


def tick(key: bytes, offset: int) -> Record:
    return Record("ticks", 0, offset, key, b"", {"event_id": str(offset).encode()}, NOW)


def test_many_ticks_are_one_run_and_other_ticks_none(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settler, "BATCH", 2)
    monkeypatch.setattr(settler, "ROUNDS", 2)
    capture.capture(*(snapshot([click(1)], f"s-{number}") for number in range(5)))
    capture.now += timedelta(seconds=SETTLE)
    handler = SettleHandler(SETTLE, lambda: capture.now)
    with capture.pool.connection() as conn:
        with conn.transaction():
            handler(conn, [tick(b"sweep", 1)])
        assert set(numbers(capture).values()) == {None}
        with conn.transaction():
            handler(conn, [tick(b"settle", number) for number in range(2, 9)])
        assert sorted(number for number in numbers(capture).values() if number) == [1, 2, 3, 4]
        with conn.transaction():
            handler(conn, [tick(b"settle", 9)])
    assert sorted(number for number in numbers(capture).values() if number) == [1, 2, 3, 4, 5]
