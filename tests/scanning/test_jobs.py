"""Leases: one holder at a time, by the database's clock, and nothing is changed by a worker that lost its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from consumers.scanning import jobs
from consumers.scanning.jobs import Job, LeaseKeeper, NewJob
from tests.transports.ledger import wait_until

ORGANIZATION = UUID(int=1)
SCANNER = UUID(int=2)


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def _job(
    number: int = 1, *, run: int = 1, trigger: str = "schedule", scanner: UUID = SCANNER, environment: int = 1
) -> NewJob:
    return NewJob(UUID(int=number), run, environment, ORGANIZATION, scanner, f"session-{number}", trigger, UUID(int=99))


def _leased(conn: psycopg.Connection, *, seconds: float = 60) -> Job:
    job = jobs.lease(conn, "worker", seconds=seconds)
    assert job is not None
    return job


def _state(conn: psycopg.Connection, number: int = 1, run: int = 1) -> tuple[str, int]:
    row = conn.execute(
        "SELECT state, try_number FROM scanning.job WHERE observation_id = %s AND run = %s", (UUID(int=number), run)
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_job_comes_back_as_it_was_enqueued(conn: psycopg.Connection) -> None:
    new = _job(7, run=3, trigger="on_demand")
    assert jobs.enqueue(conn, new)
    job = _leased(conn)
    for name in NewJob.__slots__:
        assert getattr(job, name) == getattr(new, name)
    assert job.try_number == 1
    assert 55 < (job.lease_expires_at - datetime.now(UTC)).total_seconds() < 65
    assert jobs.lease(conn, "other") is None


@pytest.mark.rule("trap/1")
def test_a_run_has_one_job_whatever_became_of_it(conn: psycopg.Connection) -> None:
    assert jobs.enqueue(conn, _job())
    assert not jobs.enqueue(conn, _job())
    job = _leased(conn)
    assert not jobs.enqueue(conn, _job())
    assert jobs.finish(conn, job)
    assert not jobs.enqueue(conn, _job())
    assert jobs.lease(conn, "worker") is None
    assert jobs.enqueue(conn, _job(run=2))
    assert _leased(conn).run == 2


def test_enqueue_belongs_to_the_callers_transaction(conn: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as other:
        jobs.enqueue(other, _job())
        assert jobs.lease(conn, "worker") is None
        other.rollback()
    assert jobs.lease(conn, "worker") is None
    assert jobs.waiting(conn).queued == 0


def test_on_demand_goes_first_then_the_least_busy_scanner_then_the_oldest(conn: psycopg.Connection) -> None:
    busy, idle = UUID(int=10), UUID(int=11)
    for number in (1, 2, 3):
        jobs.enqueue(conn, _job(number, scanner=busy))
    for number in (4, 5):
        jobs.enqueue(conn, _job(number, scanner=idle))
    jobs.enqueue(conn, _job(6, scanner=busy, trigger="on_demand"))
    order = [_leased(conn).observation_id.int for _ in range(6)]
    assert order == [6, 4, 1, 5, 2, 3]


def test_one_scanners_backlog_does_not_hide_another(conn: psycopg.Connection) -> None:
    for number in range(1, 151):  # a scanner's in-flight cap
        jobs.enqueue(conn, _job(number, scanner=UUID(int=10)))
    jobs.enqueue(conn, _job(900, scanner=UUID(int=11)))
    assert 900 in {_leased(conn).observation_id.int for _ in range(2)}


def test_two_workers_never_hold_the_same_job(pool: ConnectionPool, conn: psycopg.Connection) -> None:
    for number in range(1, 201):
        jobs.enqueue(conn, _job(number, scanner=UUID(int=number % 7)))
    done: Counter[int] = Counter()
    by: Counter[str] = Counter()
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        while True:
            with pool.connection() as mine:
                job = jobs.lease(mine, name)
                if job is None:
                    return
                done[job.observation_id.int] += 1
                by[name] += 1
                assert jobs.finish(mine, job)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert done == Counter(range(1, 201))
    assert len(by) == 4
    assert jobs.waiting(conn) == (0, 0, 0.0)


@pytest.mark.rule("trap/12")
def test_an_expired_job_is_taken_over_and_its_first_worker_is_refused(conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    stale = _leased(conn, seconds=0.1)
    assert jobs.expired(conn, 10) == []
    assert not jobs.requeue(conn, stale), "a lease that runs cannot be taken away"
    wait_until(lambda: jobs.expired(conn, 10) == [stale])
    assert jobs.lease(conn, "other") is None, "only the reaper decides what becomes of an expired job"
    assert not jobs.renew(conn, stale), "an expired lease does not come back to life"
    assert jobs.requeue(conn, stale)
    assert not jobs.requeue(conn, stale), "two reapers make one job of it"
    fresh = _leased(conn)
    assert (fresh.try_number, fresh.observation_id) == (2, stale.observation_id)
    assert fresh.lease_token != stale.lease_token
    for change in (
        lambda: jobs.finish(conn, stale),
        lambda: jobs.renew(conn, stale),
        lambda: jobs.retry_at(conn, stale, datetime.now(UTC)),
        lambda: jobs.requeue(conn, stale),
    ):
        assert change() is False
    assert _state(conn) == ("leased", 2)
    assert jobs.renew(conn, fresh)
    assert jobs.finish(conn, fresh)
    assert not jobs.finish(conn, fresh)
    assert _state(conn) == ("done", 2)


def test_a_reaper_may_end_an_expired_job(conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    stale = _leased(conn, seconds=0.05)
    wait_until(lambda: jobs.expired(conn, 10) == [stale])
    assert jobs.finish(conn, stale)
    assert _state(conn) == ("done", 1)


def test_expired_jobs_come_oldest_first_and_bounded(conn: psycopg.Connection) -> None:
    for number in range(1, 6):
        jobs.enqueue(conn, _job(number))
    held = [_leased(conn, seconds=0.05 + n / 1000) for n in range(5)]
    wait_until(lambda: len(jobs.expired(conn, 10)) == 5)
    assert jobs.expired(conn, 2) == held[:2]


def test_a_job_is_due_again_at_the_time_asked_for(conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    job = _leased(conn)
    row = conn.execute("SELECT clock_timestamp() + interval '300 ms'").fetchone()
    assert row is not None
    assert jobs.retry_at(conn, job, row[0])
    assert jobs.lease(conn, "worker") is None
    assert not jobs.finish(conn, job)
    again: list[Job | None] = []

    def leased() -> bool:
        again.append(jobs.lease(conn, "worker"))
        return again[-1] is not None

    assert wait_until(leased) > 0.2
    assert again[-1] is not None
    assert again[-1].try_number == 2


def test_done_jobs_are_cleared_when_they_are_old(conn: psycopg.Connection) -> None:
    for number in range(1, 6):
        jobs.enqueue(conn, _job(number))
    for _ in range(4):
        jobs.finish(conn, _leased(conn))
    assert jobs.clear(conn, older_than=timedelta(days=7)) == 0
    assert jobs.clear(conn, older_than=timedelta(0), limit=3) == 3
    assert jobs.clear(conn, older_than=timedelta(0)) == 1
    assert jobs.clear(conn, older_than=timedelta(0)) == 0
    assert jobs.waiting(conn).queued == 1


def test_waiting_tells_how_long_the_oldest_has_been_due(conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job(1))
    jobs.enqueue(conn, _job(2))
    _leased(conn)
    conn.execute("UPDATE scanning.job SET available_at = now() - interval '1 minute' WHERE state = 'queued'")
    waiting = jobs.waiting(conn)
    assert (waiting.queued, waiting.leased) == (1, 1)
    assert 60 <= waiting.oldest_seconds < 90


@pytest.mark.rule("trap/11")
def test_a_keeper_holds_a_lease_beyond_its_time(pool: ConnectionPool, conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    job = _leased(conn, seconds=0.6)
    with LeaseKeeper(pool, job, seconds=0.6) as keeper:
        assert not keeper.lost.wait(2.0)
        assert jobs.expired(conn, 10) == []
    assert jobs.finish(conn, job)


def test_a_keeper_tells_when_the_job_was_taken(pool: ConnectionPool, conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    job = _leased(conn, seconds=60)
    with LeaseKeeper(pool, job, seconds=0.6) as keeper:
        conn.execute("UPDATE scanning.job SET lease_token = %s", (uuid4(),))
        assert keeper.lost.wait(1.0)
    assert not jobs.finish(conn, job)


def test_a_keeper_tells_when_the_database_is_away_for_the_whole_lease(
    pool: ConnectionPool, conn: psycopg.Connection, database_url: str
) -> None:
    jobs.enqueue(conn, _job())
    job = _leased(conn, seconds=1)
    small: ConnectionPool = ConnectionPool(database_url, min_size=0, max_size=1, open=True, kwargs={"autocommit": True})
    with (
        small as starved,
        starved.connection(),
        LeaseKeeper(starved, job, seconds=1) as keeper,
    ):
        began = time.monotonic()
        assert keeper.lost.wait(3.0)
        assert time.monotonic() - began == pytest.approx(1.0, abs=0.3)


@pytest.mark.rule("trap/12")
def test_a_keeper_survives_a_short_outage(pool: ConnectionPool, conn: psycopg.Connection) -> None:
    jobs.enqueue(conn, _job())
    job = _leased(conn, seconds=1.5)
    with LeaseKeeper(pool, job, seconds=1.5) as keeper:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert not keeper.lost.wait(3.0)
    assert jobs.finish(conn, job)


@pytest.mark.parametrize("change", ["enqueue", "retry", "requeue"])
def test_a_waiting_worker_is_woken(pool: ConnectionPool, conn: psycopg.Connection, change: str) -> None:
    held: Job | None = None
    if change != "enqueue":
        jobs.enqueue(conn, _job())
        held = _leased(conn, seconds=0.01)
        wait_until(lambda: jobs.expired(conn, 1) == [held])
    woken = Event()

    def wait() -> None:
        jobs.wait_for_work(pool, Event(), seconds=30)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE '%EXISTS (SELECT FROM scanning.job%' AND state = 'idle'"
    )
    wait_until(lambda: conn.execute(listening).fetchone() != (0,))
    assert not woken.is_set()
    if held is None:
        jobs.enqueue(conn, _job())
    elif change == "retry":
        assert jobs.retry_at(conn, held, datetime.now(UTC))
    else:
        assert jobs.requeue(conn, held)
    assert woken.wait(3)
    thread.join()


def test_waiting_returns_at_once_when_a_job_is_due_and_soon_after_a_stop(
    pool: ConnectionPool, conn: psycopg.Connection
) -> None:
    stop = Event()
    jobs.enqueue(conn, _job())
    began = time.monotonic()
    jobs.wait_for_work(pool, stop, seconds=30)
    assert time.monotonic() - began < 2
    _leased(conn)
    threading.Timer(0.2, stop.set).start()
    jobs.wait_for_work(pool, stop, seconds=30)
    assert time.monotonic() - began < 4
    with pool.connection() as used:
        assert used.execute("SELECT count(*) FROM pg_listening_channels()").fetchone() == (0,)
