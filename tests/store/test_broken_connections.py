"""A connection that breaks during an append: the save is never doubled, lost or reported falsely."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from commands.store.application import Store
from commands.store.guards import absent, claim, require
from commands.store.once import Once
from commands.store.recorder import Datastore, EventRecorder, Group, Refused
from domain.errors import VisionError
from tests.store.derived import assert_derivable
from tests.store.lossy import LossyWire
from tests.store.racing import race
from tests.store.world import World, build_world, success

LOCK = 7301880512
"""The append lock of 0001_events.sql."""

WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND query LIKE '%store.append%'"
)

KILL_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
KILL_TWO = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND query LIKE '%store.append%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"
)


@pytest.fixture
def wire(database_url: str) -> Iterator[LossyWire]:
    [host] = parse_qs(urlsplit(database_url).query)["host"]
    server = next(Path(host).glob(".s.PGSQL.*[0-9]"))
    with tempfile.TemporaryDirectory() as folder, LossyWire(Path(folder), server) as opened:
        yield opened


@pytest.fixture
def wired(wire: LossyWire, database_url: str) -> Iterator[Store]:
    """A store with one connection, over the wire that can break."""
    address = urlsplit(database_url)
    opened = Store(address._replace(query=f"host={quote(str(wire.folder), safe='')}").geturl(), pool_size=1)
    opened.next_number("user_number")
    yield opened
    opened.close()


def written(version: int = 1, stream: UUID | None = None, state: bytes | None = None) -> StoredEvent:
    return StoredEvent(stream or uuid4(), version, "Written", state or b'{"n": "%s"}' % uuid4().bytes.hex().encode())


def positions(conninfo: str) -> list[int]:
    with psycopg.connect(conninfo) as connection:
        return [row[0] for row in connection.execute("SELECT notification_id FROM store.events ORDER BY 1")]


def wait_for(connection: psycopg.Connection, count: int) -> list[int]:
    """Backends that wait for the append lock, once there are `count` of them."""
    deadline = time.monotonic() + 20
    while True:
        pids = [row[0] for row in connection.execute(WAITING)]
        if len(pids) >= count:
            return pids
        assert time.monotonic() < deadline, f"{len(pids)} of {count} are waiting"
        time.sleep(0.01)


def one(store: Store, events: list[StoredEvent]) -> list[int]:
    """A save with guards that a second attempt would be refused by."""
    guards = [absent(UUID(str(events[0].originator_id))), claim("tests", str(events[0].originator_id), uuid4())]
    return list(store.recorder.insert_events(events, guards=guards))


def bulk(store: Store, events: list[StoredEvent]) -> list[int | None]:
    groups = [Group([event], [claim("tests", str(event.originator_id), uuid4())]) for event in events]
    answers = store.recorder.insert_groups(groups)
    assert all(refusal is None for _, refusal in answers)
    return [position for position, _ in answers]


def once() -> Once:
    now = datetime.now(UTC)
    return Once(environment_id=1, owner=1, route="tests", key=str(uuid4()), digest=b"x" * 32, request=uuid4(), at=now)


def one_once(store: Store, events: list[StoredEvent]) -> list[int]:
    """The row of the request is in the append: a second attempt is refused as a repeat of the first."""
    return list(store.recorder.insert_events(events, once=once()))


def bulk_once(store: Store, events: list[StoredEvent]) -> list[int | None]:
    """The last group is refused, which a second attempt must tell as well."""
    groups = [Group([event], []) for event in events]
    refused = Group([written()], [require("tests", "nobody has this")])
    answers = store.recorder.insert_groups([*groups, refused], once())
    assert [refusal for _, refusal in answers] == [None] * len(events) + ["missing:tests"]
    return [position for position, _ in answers[:-1]]


KINDS = pytest.mark.parametrize("save", [one, bulk, one_once, bulk_once])


@KINDS
def test_an_answer_that_is_lost_after_the_commit(
    wire: LossyWire, wired: Store, database_url: str, save: Callable[[Store, list[StoredEvent]], list[int]]
) -> None:
    wire.lose_next_answer()
    told = save(wired, [written(), written(), written()])
    assert wire.lost.is_set()
    assert told == positions(database_url)
    assert len(told) == 3


@KINDS
def test_a_client_that_is_cut_off_while_its_backend_waits_for_the_lock_and_then_commits(
    wire: LossyWire, wired: Store, database_url: str, save: Callable[[Store, list[StoredEvent]], list[int]]
) -> None:
    """The second attempt queues behind the first, and would be refused by what the first has stored."""
    with psycopg.connect(database_url, autocommit=True) as holder, ThreadPoolExecutor(1) as worker:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        told: Future[list[int]] = worker.submit(save, wired, [written(), written()])
        wait_for(holder, 1)
        wire.break_clients()
        wait_for(holder, 2)
        holder.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        assert told.result(30) == positions(database_url)
    assert len(told.result()) == 2


@KINDS
def test_a_backend_that_is_killed_before_the_commit(
    store: Store, database_url: str, save: Callable[[Store, list[StoredEvent]], list[int]]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as holder, ThreadPoolExecutor(1) as worker:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        told: Future[list[int]] = worker.submit(save, store, [written(), written()])
        [pid] = wait_for(holder, 1)
        holder.execute("SELECT pg_terminate_backend(%s)", (pid,))
        holder.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        assert told.result(30) == positions(database_url)
    assert len(told.result()) == 2


def test_every_idle_connection_was_killed(store: Store, database_url: str) -> None:
    race([partial(one, store, [written()]) for _ in range(30)])
    with psycopg.connect(database_url, autocommit=True) as killer:
        killed = killer.execute(KILL_ALL).fetchone()
    assert killed is not None
    assert killed[0] > 1
    before = positions(database_url)
    told = one(store, [written()])
    assert positions(database_url) == before + told


def test_a_refusal_stays_a_refusal_when_the_connection_breaks(wire: LossyWire, wired: Store, database_url: str) -> None:
    """Somebody else's event at the same place is not this save, however it is found."""
    stream = uuid4()
    wired.recorder.insert_events([written(stream=stream)])
    wire.lose_next_answer()
    with pytest.raises(Refused, match="version"):
        wired.recorder.insert_events([written(stream=stream)])
    wire.lose_next_answer()
    groups = [Group([written(stream=stream)], []), Group([written()], [])]
    [first, second] = wired.recorder.insert_groups(groups)
    assert first == (None, "version")
    assert second[1] is None
    assert positions(database_url)[-1] == second[0]


def test_a_lock_that_nobody_gives_back_is_an_error_and_stores_nothing(database_url: str) -> None:
    recorder = EventRecorder(Datastore(database_url, pool_size=1, lock_timeout=1))
    with closing(recorder.datastore), psycopg.connect(database_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        began = time.monotonic()
        with pytest.raises(OperationalError):
            recorder.insert_events([written()])
        with pytest.raises(OperationalError):
            recorder.insert_groups([Group([written()], [])])
        assert time.monotonic() - began < 10
    assert positions(database_url) == []


def test_a_killer_among_many_commands(store: Store, database_url: str) -> None:
    """Backends die at random while commands run; what the callers were told is what the log and the guard rows say."""
    world: World = build_world(database_url, store)
    scanner = world.scanner()
    done = threading.Event()

    def kill() -> int:
        killed = 0
        with psycopg.connect(database_url, autocommit=True) as killer:
            while not done.wait(0.02):
                killed += len(killer.execute(KILL_TWO).fetchall())
        return killed

    def work(number: int) -> str:
        try:
            [requested] = world.observations.request(world.context, scanner, [f"s-{number}"], "on_demand")
        except OperationalError:
            return "unknown"
        return requested.outcome

    with ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill)
        results = race([partial(work, number) for number in range(100)])
        done.set()
        assert killed.result(30) > 0
    assert not any(isinstance(result, VisionError) for result in results)
    assert set(results) <= {"started", "unknown"}
    assert results.count("started") <= world.count("ObservationRequested") <= 100
    assert world.count("ObservationRequested") - results.count("started") <= results.count("unknown")
    assert world.in_flight(scanner) == world.used() == world.count("ObservationRequested")
    lease = world.started(scanner, "after")
    world.observations.succeed(world.context, lease, success())
    assert_derivable(database_url)
