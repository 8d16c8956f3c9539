"""Large saves are refused at once or stored; nothing ever hangs (eventsourcing 9)."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from commands.store.application import BULK, Save, Store
from commands.store.mapper import STATE_LIMIT, EventMapper
from commands.store.private_text import private_text
from commands.store.recorder import Group
from domain.errors import EventTooLarge
from domain.event import Event, Stamp
from domain.observation import Observation
from tests.store.world import NOW, PERSON

STAMP = Stamp(recorded_at=NOW, actor=PERSON, correlation_id=uuid4(), environment_id=7, organization_id=uuid4())
MEGABYTES = 1_000_000
AT_ONCE, SOON = 2.0, 20.0
"""Seconds, generous for a busy machine; a hang lasts for ever."""


def observation(size: int, session_id: str = "s-1") -> Observation:
    """One that has recorded one event of a little more than `size` bytes."""
    snapshot: dict[str, Any] = {"scanner_config": {"prompt": "x" * size}}
    return Observation.request(
        STAMP,
        scanner_id=uuid4(),
        session_id=session_id,
        scanner_snapshot=snapshot,
        triggered_by="on_demand",
        period="2026-11",
    )


def first_event(of: Observation) -> Event:
    event = of.pending_events[0]
    assert isinstance(event, Event)
    return event


@contextmanager
def within(seconds: float) -> Generator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def events(store: Store) -> int:
    with store.recorder.datastore.get_connection() as connection:
        row = connection.execute("SELECT count(*) AS n FROM store.events").fetchone()
    return row["n"] if row else -1


def test_a_5_mb_event_is_refused_at_once_and_the_next_save_works(store: Store) -> None:
    with within(AT_ONCE), pytest.raises(EventTooLarge, match="ObservationRequested has 5000"):
        store.save(observation(5 * MEGABYTES))
    assert events(store) == 0
    with within(AT_ONCE):
        assert store.save(observation(10)) is not None


def test_the_cap_is_exact(store: Store) -> None:
    slack = STATE_LIMIT - len(EventMapper().to_stored_event(first_event(observation(0))).state)
    store.save(observation(slack))
    with pytest.raises(EventTooLarge):
        store.save(observation(slack + 1))


def test_the_database_itself_refuses_an_oversized_event(store: Store) -> None:
    """Whatever way it came in: the reader's page is bounded by the cap."""
    with within(AT_ONCE), pytest.raises(IntegrityError, match="event_size"):
        store.recorder.insert_events([StoredEvent(uuid4(), 1, "Big", b"x" * 5 * MEGABYTES)])
    assert events(store) == 0


@pytest.mark.parametrize(("count", "size"), [(1_000, 450), (5_000, 450), (40, 250_000)])
def test_one_save_of_many_events_does_not_hang(store: Store, count: int, size: int) -> None:
    batch = [StoredEvent(uuid4(), 1, "Written", b"x" * size) for _ in range(count)]
    with within(SOON):
        positions = store.recorder.insert_events(batch)
    assert list(positions) == list(range(positions[0], positions[0] + count))
    assert events(store) == count


def test_a_whole_bulk_of_the_largest_events_does_not_hang(store: Store) -> None:
    saves = [Save((observation(100_000, f"s-{number}"),)) for number in range(BULK)]
    with within(SOON):
        outcomes = store.save_each(saves)
    assert len({outcome.position for outcome in outcomes}) == BULK
    assert events(store) == BULK


def test_bulks_of_200_on_many_connections_do_not_hang(store: Store) -> None:
    with within(SOON):
        for _ in range(10):
            groups = [Group([StoredEvent(uuid4(), 1, "Written", b"x" * 450)], []) for _ in range(BULK)]
            assert all(refusal is None for _, refusal in store.recorder.insert_groups(groups))
    assert events(store) == 10 * BULK


def test_a_large_private_text_does_not_hang(store: Store, database_url: str) -> None:
    _, row = private_text(7, "d-1", {"reasoning": "y" * 5 * MEGABYTES})
    with within(SOON):
        store.save(observation(10), guards=[row])
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT length(body->>'reasoning') FROM store.private_text").fetchone()
    assert stored == (5 * MEGABYTES,)
