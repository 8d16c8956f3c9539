"""What is kept for a time only is deleted when that is over, in bounded batches and through outages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from commands.store import once
from consumers import rate_limits
from consumers.expiry import Expiry, Forget
from tests.live import wait_until

Pool = ConnectionPool[psycopg.Connection[Any]]

ROWS = """
INSERT INTO store.idempotency (environment_id, owner, route, key, digest, request, kept_until)
SELECT 1, 1, 'tests', n::text, '', gen_random_uuid(), %s FROM generate_series(%s::int, %s::int) n
"""


@contextmanager
def running(pool: Pool, **expired: Forget) -> Iterator[None]:
    stop = threading.Event()
    expiry = Expiry(pool, expired, lambda: datetime.now(UTC), seconds=0.05)
    thread = threading.Thread(target=expiry.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def left(pool: Pool) -> int:
    with pool.connection() as connection:
        row = connection.execute("SELECT count(*) FROM store.idempotency").fetchone()
    return int(row[0]) if row else 0


def test_everything_that_is_over_goes_and_nothing_else(pool: Pool) -> None:
    now = datetime.now(UTC)
    with pool.connection() as connection:
        connection.execute(ROWS, (now - timedelta(seconds=1), 1, 2 * once.SWEEP_BATCH + 5))
        connection.execute(ROWS, (now + timedelta(hours=1), 10_001, 10_003))
    with running(pool, keys=once.forget, rates=rate_limits.forget):
        wait_until(lambda: left(pool) == 3, 20, "rows that are over are still there")
    assert left(pool) == 3


def test_a_batch_has_a_limit_and_rows_in_use_are_left_for_later(pool: Pool) -> None:
    now = datetime.now(UTC)
    with pool.connection() as connection, pool.connection() as other:
        connection.execute(ROWS, (now, 1, once.SWEEP_BATCH + 7))
        assert once.forget(connection, now) == once.SWEEP_BATCH
        with other.transaction():
            other.execute("SELECT 1 FROM store.idempotency LIMIT 3 FOR UPDATE")
            assert once.forget(connection, now) == 4
        assert once.forget(connection, now) == 3
        assert once.forget(connection, now) == 0


def test_an_outage_is_waited_out(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def failing(name: str) -> Callable[[psycopg.Connection[Any], datetime], int]:
        def forget(_: psycopg.Connection[Any], __: datetime) -> int:
            calls.append(name)
            if calls.count(name) == 1:
                raise psycopg.OperationalError("away")
            return 0

        return forget

    with running(pool, first=failing("first"), second=failing("second")):
        wait_until(lambda: min(calls.count("first"), calls.count("second")) >= 3, 10, "it has stopped")
    assert {record.getMessage() for record in caplog.records if record.name == "replay_vision.expiry"} == {
        "first stay for now: away",
        "second stay for now: away",
    }
