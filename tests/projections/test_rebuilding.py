"""Rebuild beside live: compare, swap, and a batch in flight that must not be lost."""

import threading

import pytest
from psycopg import Connection

from commands.store.event_log import EventLog
from projections.catalogue import named as projection_named
from projections.engine.feeding import Page, feed
from projections.engine.installing import install
from projections.engine.place import Moved, live_place
from projections.engine.projection import Projection
from projections.engine.rebuilding import RebuildBusy, rebuild
from tests.projections.small import POISON, SEEN, named
from tests.projections.world import World, catch_up

LOG = EventLog()


@pytest.fixture(autouse=True)
def _seen(connection: Connection) -> None:
    install(connection, [SEEN])


def schemas(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read_seen%' ORDER BY 1")
    return [row[0] for row in rows]


def test_a_rebuild_of_a_right_table_finds_no_difference(
    world: World, connection: Connection, database_url: str
) -> None:
    for name in ("a", "b", POISON):
        world.scanner(name)
    head = catch_up(connection, [SEEN])
    report = rebuild(database_url, SEEN, LOG)
    assert (report.generation, report.position, report.differences, report.parked) == (2, head, [], 1)
    assert named(connection) == ["a", "b"]
    assert schemas(connection) == ["read_seen"]
    assert connection.execute("SELECT generation, live FROM projection.position WHERE name = 'seen'").fetchall() == [
        (2, True)
    ]
    assert connection.execute("SELECT generation FROM projection.parked WHERE name = 'seen'").fetchall() == [(2,)]


def test_differences_are_reported_and_put_right(world: World, connection: Connection, database_url: str) -> None:
    world.scanner("a")
    world.scanner("b")
    catch_up(connection, [SEEN])
    connection.execute("UPDATE read_seen.seen SET seen = 9 WHERE name = 'a'")
    connection.execute("DELETE FROM read_seen.seen WHERE name = 'b'")
    kept = rebuild(database_url, SEEN, LOG, swap=False)
    assert [(d.table, d.lost, d.new, d.reshaped) for d in kept.differences] == [("seen", 1, 2, False)]
    assert (named(connection), schemas(connection)) == (["a"], ["read_seen"])
    assert rebuild(database_url, SEEN, LOG).differences == kept.differences
    assert named(connection) == ["a", "b"]
    assert rebuild(database_url, SEEN, LOG).differences == []


def test_another_shape_is_told_and_swapped_in(world: World, connection: Connection, database_url: str) -> None:
    world.scanner("a")
    catch_up(connection, [SEEN])
    wider = Projection(
        name="seen", handles=SEEN.handles, apply=SEEN.apply,
        sql=SEEN.sql.replace("name text", "extra integer, name text"),
    )  # fmt: skip
    assert install(connection, [wider]) == ["seen"]
    (difference,) = rebuild(database_url, wider, LOG).differences
    assert difference.reshaped
    assert install(connection, [wider]) == []
    assert connection.execute("SELECT extra, name FROM read_seen.seen").fetchall() == [(None, "a")]


def test_what_an_interrupted_rebuild_left_does_not_matter(
    world: World, connection: Connection, database_url: str
) -> None:
    world.scanner("a")
    catch_up(connection, [SEEN])
    connection.execute("CREATE SCHEMA read_seen_next; CREATE TABLE read_seen_next.seen (x integer)")
    connection.execute("CREATE SCHEMA read_seen_retired")
    connection.execute("INSERT INTO projection.position VALUES ('seen', 2, false, 7, 0, 'x')")
    assert rebuild(database_url, SEEN, LOG).differences == []
    assert schemas(connection) == ["read_seen"]


def test_a_batch_in_flight_during_the_swap_is_not_lost(world: World, connection: Connection, database_url: str) -> None:
    world.scanner("a")
    catch_up(connection, [SEEN])
    stale = live_place(connection, "seen")
    assert stale is not None
    world.scanner("b")
    rows = LOG.read_raw(connection, stale.position)
    rebuild(database_url, SEEN, LOG)
    with pytest.raises(Moved):
        feed(connection, SEEN, stale, rows, Page(LOG, rows).decode)
    catch_up(connection, [SEEN])
    assert named(connection) == ["a", "b"]


def test_one_rebuild_at_a_time(connection: Connection, database_url: str) -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('projection:rebuild:seen', 0))")
        with pytest.raises(RebuildBusy):
            rebuild(database_url, SEEN, LOG)
    rebuild(database_url, SEEN, LOG)
    with pytest.raises(Moved):
        rebuild(database_url, Projection(name="nowhere", handles=None, apply=SEEN.apply, sql="SELECT 1"), LOG)


def test_reads_and_writes_go_on_during_rebuilds(world: World, connection: Connection, database_url: str) -> None:
    """A writer, a feeder and a rebuilder at once; nothing is lost, nothing is there twice."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def rebuilding() -> None:
        try:
            while not stop.is_set():
                for name in ("scanners", "history"):
                    assert rebuild(database_url, projection_named(name), LOG).differences == []
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    thread = threading.Thread(target=rebuilding)
    thread.start()
    try:
        for number in range(40):
            world.scanner(f"n{number}")
            try:
                catch_up(connection)
            except Moved:
                continue  # the runner would read its place again
            rows = connection.execute("SELECT count(*) FROM read_scanners.scanner").fetchone()
            assert rows is not None
            assert rows[0] == number + 1
    finally:
        stop.set()
        thread.join()
    assert failures == []
    catch_up(connection)
    assert connection.execute("SELECT count(*) FROM read_scanners.scanner").fetchone() == (40,)
    generation = connection.execute("SELECT max(generation) FROM projection.position WHERE name = 'history'").fetchone()
    assert generation is not None
    assert generation[0] > 1
