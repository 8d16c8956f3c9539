"""Batches, compare-and-set, poison events, parking and replay."""

from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection

from commands.store.event_log import EventLog
from projections.catalogue import PROJECTIONS
from projections.engine import feeding
from projections.engine.feeding import Page, TooManyParked, feed, is_poison
from projections.engine.installing import install
from projections.engine.parking import lag, parked, replay
from projections.engine.place import Moved, live_place
from projections.engine.projection import Projection
from tests.projections.small import POISON, SEEN, named
from tests.projections.world import World, catch_up

LOG = EventLog()


@pytest.fixture(autouse=True)
def _seen(connection: Connection) -> None:
    install(connection, [SEEN])


def seen(connection: Connection) -> list[str]:
    catch_up(connection, [SEEN])
    return named(connection)


def test_every_projection_reaches_the_head(world: World, connection: Connection) -> None:
    scanner = world.scanner()
    world.succeed(world.start(world.observe(scanner, "s1")[0], distinct_id="v1", email="v@example.org"))
    world.scanners.edit(world.context(), scanner, {"name": "New", "sampling_rate": 0.5})
    head = catch_up(connection, (*PROJECTIONS, SEEN))
    found = lag(connection, LOG)
    assert {row.name for row in found} == {projection.name for projection in (*PROJECTIONS, SEEN)}
    assert all((row.position, row.behind, row.parked, row.still_seconds) == (head, 0, 0, 0) for row in found)
    world.scanner("one more")
    assert {row.behind for row in lag(connection, LOG)} == {1}


def test_install_is_repeatable_and_tells_of_other_tables(connection: Connection) -> None:
    assert install(connection, PROJECTIONS) == []
    connection.execute("UPDATE projection.position SET tables = 'older' WHERE name = 'quota'")
    assert install(connection, PROJECTIONS) == ["quota"]


def test_a_batch_that_lost_its_race_changes_nothing(world: World, connection: Connection) -> None:
    world.scanner("a")
    place = live_place(connection, "seen")
    assert place is not None
    rows = LOG.read_raw(connection, 0)
    feed(connection, SEEN, place, rows, Page(LOG, rows).decode)
    for other in (place, replace(place, generation=2), replace(place, live=False)):
        with pytest.raises(Moved):
            feed(connection, SEEN, other, rows, Page(LOG, rows).decode)
    assert connection.execute("SELECT seen FROM read_seen.seen").fetchall() == [(1,)]


def test_a_poison_event_parks_its_stream_and_the_others_go_on(world: World, connection: Connection) -> None:
    bad = world.scanner("a")
    good = world.scanner("b")
    world.scanners.edit(world.context(), bad, {"name": POISON})
    world.scanners.edit(world.context(), good, {"name": "c"})
    world.scanners.edit(world.context(), bad, {"name": "d"})
    world.scanner("e")
    assert seen(connection) == ["a", "c", "e"]
    (stream,) = parked(connection)
    assert (stream.name, stream.stream_id, stream.error) == ("seen", bad, f"ValueError: {POISON}")
    world.scanners.edit(world.context(), bad, {"name": "f"})
    assert seen(connection) == ["a", "c", "e"]
    assert [(row.parked, row.behind) for row in lag(connection, LOG) if row.name == "seen"] == [(1, 0)]


def test_replay_feeds_a_parked_stream_in_order(world: World, connection: Connection) -> None:
    bad = world.scanner("a")
    for name in (POISON, "b", "c"):
        world.scanners.edit(world.context(), bad, {"name": name})
    other = world.scanner(POISON)
    assert seen(connection) == ["a"]
    assert replay(connection, SEEN, LOG).failed == [bad, other]
    assert len(parked(connection, "seen")) == 2

    forgiving = replace(SEEN, apply=_forgiving)
    assert replay(connection, forgiving, LOG, bad).released == [bad]
    assert connection.execute("SELECT name, seen, tags FROM read_seen.seen").fetchall() == [
        ("c", 4, ["a", "was poison", "b", "c"])
    ]
    assert [stream.stream_id for stream in parked(connection)] == [other]
    assert replay(connection, forgiving, LOG).released == [other]
    assert replay(connection, forgiving, LOG, bad).released == []
    assert [row.parked for row in lag(connection, LOG) if row.name == "seen"] == [0]
    world.scanners.edit(world.context(), bad, {"name": "z"})
    assert seen(connection) == ["was poison", "z"]


def _forgiving(connection: Connection, recorded: object) -> None:
    """SEEN.apply as the next release might have it."""

    class Renamed:
        def __init__(self, item: object) -> None:
            self.position = item.position  # type: ignore[attr-defined]
            event = item.event  # type: ignore[attr-defined]
            self.event = event.model_copy(update={"name": "was poison"}) if event.name == POISON else event

    SEEN.apply(connection, [Renamed(item) for item in recorded])  # type: ignore[attr-defined]


def test_a_row_that_cannot_be_decoded_parks_its_stream(world: World, connection: Connection) -> None:
    bad = world.scanner("a")
    world.scanner("b")
    connection.execute("UPDATE store.events SET state = '{}' WHERE originator_id = %s", (bad,))
    connection.execute(
        "INSERT INTO store.events (originator_id, originator_version, topic, state) VALUES (%s, 1, 'Unheard', '{')",
        (uuid4(),),
    )
    assert seen(connection) == ["b"]
    assert [stream.stream_id for stream in parked(connection, "seen")] == [bad]
    catch_up(connection)
    assert len(parked(connection, "history")) == 2


def test_data_that_postgresql_refuses_is_poison_too(world: World, connection: Connection) -> None:
    narrow = Projection(
        name="narrow", handles=SEEN.handles, apply=SEEN.apply, sql=SEEN.sql.replace("name text", "name varchar(3)")
    )
    install(connection, [narrow])
    world.scanner("abc")
    long = world.scanner("abcd")
    world.scanner("xyz")
    catch_up(connection, [narrow])
    assert connection.execute("SELECT count(*) FROM read_narrow.seen").fetchone() == (2,)
    assert [(stream.stream_id, stream.error[:27]) for stream in parked(connection)] == [
        (long, "StringDataRightTruncation: ")
    ]


def test_what_no_event_is_to_blame_for_stops_the_batch(world: World, connection: Connection) -> None:
    world.scanner("a")
    connection.execute("ALTER TABLE read_seen.seen RENAME TO other")
    with pytest.raises(psycopg.errors.UndefinedTable):
        seen(connection)
    assert parked(connection) == []
    place = live_place(connection, "seen")
    assert place is not None
    assert place.position == 0
    for error in (psycopg.OperationalError(), psycopg.errors.LockNotAvailable(), OSError(), MemoryError(), Moved()):
        assert not is_poison(error)
    for poison in (ValueError(), psycopg.errors.UniqueViolation(), psycopg.DataError("NUL")):
        assert is_poison(poison)


def test_a_projection_stops_before_it_parks_the_world(
    world: World, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "PARKED_LIMIT", 2)
    ids = [world.scanner(f"a{n}") for n in range(4)]
    for scanner_id in ids[:3]:
        connection.execute("UPDATE store.events SET state = '{}' WHERE originator_id = %s", (scanner_id,))
    with pytest.raises(TooManyParked):
        seen(connection)
    assert len(parked(connection)) == 2
    assert named(connection) == []
