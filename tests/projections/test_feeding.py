"""Batches, compare-and-set, and poison events."""

from psycopg import Connection

from commands.store.event_log import EventLog
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from projections.engine.parking import lag
from tests.projections.world import World, catch_up


def test_every_projection_reaches_the_head(world: World, connection: Connection) -> None:
    scanner = world.scanner()
    world.succeed(world.start(world.observe(scanner, "s1")[0], distinct_id="v1", email="v@example.org"))
    world.scanners.edit(world.context(), scanner, {"name": "New", "sampling_rate": 0.5})
    head = catch_up(connection)
    found = lag(connection, EventLog())
    assert {row.name for row in found} == {projection.name for projection in PROJECTIONS}
    assert all((row.position, row.behind, row.parked) == (head, 0, 0) for row in found)
    assert connection.execute("SELECT name, scanner_version FROM read_scanners.scanner").fetchall() == [("New", 2)]
    assert connection.execute("SELECT status, verdict FROM read_observations.observation").fetchall() == [
        ("succeeded", "yes")
    ]
    assert connection.execute("SELECT requested, refunded FROM read_quota.usage").fetchall() == [(1, 0)]


def test_install_is_repeatable_and_tells_of_other_tables(connection: Connection) -> None:
    assert install(connection, PROJECTIONS) == []
    connection.execute("UPDATE projection.position SET tables = 'older' WHERE name = 'quota'")
    assert install(connection, PROJECTIONS) == ["quota"]
