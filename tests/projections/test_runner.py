"""The runner: save to visible, killed connections, one active with a standby, read-your-writes."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from projections.engine.rebuilding import rebuild
from projections.engine.runner import Runner
from projections.engine.waiting import wait_for
from projections.queries import observations
from projections.queries.observations import ObservationFilters
from tests.projections.small import POISON, SEEN, named
from tests.projections.world import World, wait_until

NAMES = [projection.name for projection in PROJECTIONS]
KILL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'replay-vision projections' AND datname = current_database()
"""


@contextmanager
def running(database_url: str, projections: object = PROJECTIONS) -> Iterator[Runner]:
    runner = Runner(database_url, projections, EventLog(), CHANNEL)  # type: ignore[arg-type]
    thread = threading.Thread(target=runner.run, name="projections")
    thread.start()
    try:
        yield runner
    finally:
        runner.stop()
        began = time.monotonic()
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - began < 2


def position(world: World, connection: Connection) -> int:
    return EventLog().head(connection)


def test_a_write_is_visible_within_milliseconds(
    world: World, connection: Connection, database_url: str, pool: ConnectionPool
) -> None:
    with running(database_url):
        assert wait_for(pool, NAMES, position(world, connection), 10)
        taken: list[float] = []
        for number in range(50):
            written = world.scanners.create(
                world.context(), name=f"n{number}", scanner_type="monitor", scanner_config={"prompt": "p"},
                model="builtin", provider="builtin",
            )  # fmt: skip
            assert written.position is not None
            began = time.perf_counter()
            assert wait_for(pool, NAMES, written.position)
            taken.append(time.perf_counter() - began)
        assert statistics.median(taken) < 0.1  # about 5 ms on an idle machine; the bound only catches polling


def test_wait_gives_up_and_knows_unknown_names(world: World, connection: Connection, pool: ConnectionPool) -> None:
    world.scanner()
    began = time.monotonic()
    assert not wait_for(pool, ["scanners"], position(world, connection), 0.1)
    assert 0.1 <= time.monotonic() - began < 1
    assert not wait_for(pool, ["nowhere"], 0, 0)
    assert wait_for(pool, NAMES, 0, 0)


def test_killed_connections_do_not_stop_it(
    world: World, connection: Connection, database_url: str, pool: ConnectionPool
) -> None:
    with running(database_url):
        for number in range(3):
            world.scanner(f"before {number}")
            assert wait_for(pool, NAMES, position(world, connection), 10)
            assert connection.execute(KILL).fetchone() == (2,)
            world.scanner(f"after {number}")
            assert wait_for(pool, NAMES, position(world, connection), 10)
    assert connection.execute("SELECT count(*) FROM read_scanners.scanner").fetchone() == (6,)


def test_one_is_active_and_the_other_takes_over(
    world: World, connection: Connection, database_url: str, pool: ConnectionPool
) -> None:
    with running(database_url) as first:
        world.scanner("one")
        assert wait_for(pool, NAMES, position(world, connection), 10)
        with running(database_url) as second:
            wait_until(lambda: connection.execute(_HOLDERS).fetchone() == (1, len(NAMES)))
            first.stop()
            world.scanner("two")
            assert wait_for(pool, NAMES, position(world, connection), 10)
            assert second is not first
    assert connection.execute("SELECT count(*) FROM read_scanners.scanner").fetchone() == (2,)


_HOLDERS = """
SELECT count(DISTINCT pid), count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_it_goes_on_through_poison_rebuilds_and_missing_tables(
    world: World, connection: Connection, database_url: str, pool: ConnectionPool
) -> None:
    install(connection, [SEEN])
    with running(database_url, [SEEN, *PROJECTIONS]):
        for name in ("a", POISON, "b"):
            world.scanner(name)
        assert wait_for(pool, ["seen"], position(world, connection), 10)
        assert named(connection) == ["a", "b"]
        rebuild(database_url, SEEN, EventLog())
        world.scanner("c")
        assert wait_for(pool, ["seen"], position(world, connection), 10)
        assert named(connection) == ["a", "b", "c"]
        connection.execute("ALTER TABLE read_seen.seen RENAME TO hidden")
        world.scanner("d")
        assert wait_for(pool, NAMES, position(world, connection), 10)  # the others are not held up
        connection.execute("ALTER TABLE read_seen.hidden RENAME TO seen")
        assert wait_for(pool, ["seen"], position(world, connection), 10)
        assert named(connection) == ["a", "b", "c", "d"]


def test_rows_of_a_deleted_scanner_go_by_themselves(
    world: World, connection: Connection, database_url: str, pool: ConnectionPool
) -> None:
    scanner_id = world.scanner()
    world.observe(scanner_id, "s1", "s2")
    with running(database_url):
        assert wait_for(pool, NAMES, position(world, connection), 10)
        world.scanners.delete(world.context(), scanner_id)
        assert wait_for(pool, NAMES, position(world, connection), 10)
        assert observations.page(connection, world.tenant, ObservationFilters()) == (0, [])
        rows = "SELECT count(*) FROM read_observations.observation"
        wait_until(lambda: connection.execute(rows).fetchone() == (0,))
    assert rebuild(database_url, PROJECTIONS[1], EventLog()).differences == []


def test_a_database_that_is_away_at_first(database_url: str) -> None:
    runner = Runner(database_url.replace("/test_", "/nowhere_"), PROJECTIONS, EventLog(), CHANNEL)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database_url.replace("/test_", "/nowhere_"))
    thread = threading.Thread(target=runner.run)
    thread.start()
    time.sleep(0.1)  # long enough to have failed once; it must still be trying
    assert thread.is_alive()
    runner.stop()
    thread.join(5)
    assert not thread.is_alive()
