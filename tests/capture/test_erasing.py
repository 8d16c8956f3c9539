"""Deleted sessions: everything of them is erased, nothing that comes later stays, and nothing brings them back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
from psycopg_pool import ConnectionPool

from consumers.capture.digest.deletions import DeletionHandler, deleted, dropped_batches
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.ending import erasing, removed
from consumers.capture.ending.erasing import Eraser
from consumers.capture.ending.settler import settle
from consumers.capture.messages.snapshot import to_messages
from consumers.capture.store.blobs import Blobs, FolderBlobs
from consumers.transports.port import Outgoing, Poison, Record
from tests.capture.buckets import Bucket
from tests.capture.traffic import ENVIRONMENT, NOW, Capture, click, posted, snapshot, until

TABLES = ("session", "part", "console_line", "analytics_event", "settlement", "undecodable")
_EVENT = """
INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, properties, received_at, arrived_at)
VALUES (%s, %s, %s, 'clicked', 1, '{}', %s, %s)
"""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return Bucket.made(request.getfixturevalue("s3_server")).blobs()


@pytest.fixture
def kept(capture: Capture, blobs: Blobs) -> Capture:
    """Capture with these blobs."""
    capture.blobs = blobs  # type: ignore[assignment]
    capture.handler = SnapshotHandler(blobs, capture.pool, lambda *_: None, lambda: capture.now)
    return capture


def event(session_id: str, environment_id: int = ENVIRONMENT, **data: Any) -> Record:
    """A deletion as the relay publishes it."""
    fields = {"environment_id": environment_id, "session_id": session_id, "recorded_at": NOW.isoformat(), **data}
    message = {"event_id": "e", "type": "SessionDeleted", "stream_id": str(uuid4()), "version": 1, "position": 1}
    return Record("events", 0, 1, b"", orjson.dumps({**message, "data": fields}), {}, NOW)


def hear(pool: ConnectionPool, *records: Record) -> Event:
    handler = DeletionHandler()
    with pool.connection() as conn, conn.transaction():
        handler(conn, records)
    return handler.due


def eraser(capture: Capture) -> Eraser:
    return Eraser(capture.pool, capture.blobs, Event(), lambda: capture.now)


def rows(capture: Capture, session_id: str, environment_id: int = ENVIRONMENT) -> dict[str, int]:
    """How many rows there are of a session, by table; those without any are left out."""
    found = {
        table: capture.rows(
            f"SELECT count(*) AS n FROM capture.{table} WHERE environment_id = %s AND session_id = %s",
            environment_id,
            session_id,
        )[0]["n"]
        for table in TABLES
    }
    return {table: count for table, count in found.items() if count}


def fill(capture: Capture, session_id: str, environment_id: int = ENVIRONMENT) -> None:
    """Something in every table, and blobs."""
    logged = {"type": 6, "data": {"plugin": "rrweb/console@1", "payload": {"level": "warn", "payload": ["hm"]}}}
    items = [click(1), {**logged, "timestamp": 2}]
    capture.capture(snapshot(items, session_id, environment_id=environment_id))
    capture.capture(snapshot([click(5_000)], session_id, environment_id=environment_id))
    capture.handle([junk(session_id, b"junk", environment_id)])
    with capture.pool.connection() as conn:
        for _ in range(3):
            conn.execute(_EVENT, (environment_id, session_id, uuid4(), NOW, NOW))
        settle(conn, NOW, 0)


@pytest.mark.rule("sessions/delete-erases")
def test_everything_of_the_session_goes_and_nothing_of_others(kept: Capture) -> None:
    for session_id, environment_id in (("s-1", 1), ("s-2", 1), ("s-1", 2)):
        fill(kept, session_id, environment_id)
    before = rows(kept, "s-2")
    assert {"session", "part", "analytics_event", "settlement", "undecodable"} <= set(before)
    hear(kept.pool, event("s-1"), event("s-1"))
    assert eraser(kept).work(Event())
    assert rows(kept, "s-1") == {}
    assert list(kept.blobs.list(1, "s-1")) == []
    assert list(kept.blobs.list(1, "undecodable/s-1")) == []
    assert rows(kept, "s-2") == rows(kept, "s-1", 2) == before
    assert len(list(kept.blobs.list(1, "s-2"))) == len(list(kept.blobs.list(2, "s-1"))) == 2
    with kept.pool.connection() as conn:
        counts = removed.counts(conn)
    assert (counts["parts"], counts["blobs"], counts["analytics events"]) == (2, 2, 3)
    (marked,) = kept.rows("SELECT erased_at FROM capture.deleted_session")
    assert marked["erased_at"] == kept.now
    assert eraser(kept).work(Event()), "nothing is pending, and nothing fails"


@pytest.mark.rule("sessions/delete-erases")
def test_a_large_session_goes_in_steps_and_a_step_that_breaks_off_is_made_again(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        capture.capture(snapshot([click(number + 1)], "s-1"))
    monkeypatch.setattr(erasing, "STEP", 2)
    hear(capture.pool, event("s-1"))
    with capture.pool.connection() as conn:
        assert erasing.erase_step(conn, capture.blobs, (1, "s-1"), lambda: capture.now), "there is more"
        assert rows(capture, "s-1")["part"] == 5
        with conn.transaction(force_rollback=True):
            erasing.erase_step(conn, capture.blobs, (1, "s-1"), lambda: capture.now)
        assert rows(capture, "s-1")["part"] == 5
    assert eraser(capture).work(Event())
    assert rows(capture, "s-1") == {}
    assert list(capture.blobs.list(1, "s-1")) == []


@pytest.mark.rule("sessions/delete-erases")
def test_what_comes_later_is_dropped_and_counted_and_replays_bring_nothing_back(capture: Capture) -> None:
    messages = to_messages(snapshot([click(1)], "s-1", "first"))
    capture.handle(messages)
    hear(capture.pool, event("s-1"))
    eraser(capture).work(Event())
    capture.handle(messages)
    capture.capture(snapshot([click(2)], "s-1", "late"), snapshot([click(3)], "s-2"))
    assert rows(capture, "s-1") == {}
    assert set(rows(capture, "s-2")) == {"session", "part"}
    assert list(capture.blobs.list(1, "s-1")) == []
    with capture.pool.connection() as conn:
        assert dropped_batches(conn) == 2
        assert deleted(conn, [(1, "s-1"), (1, "s-2"), (2, "s-1")]) == {(1, "s-1")}
    # A blob that the batch came in, say.
    capture.blobs.put(1, "s-1", b"the body of a large batch")
    capture.capture(snapshot([click(4)], "s-1", "later"))
    eraser(capture).work(Event())
    assert list(capture.blobs.list(1, "s-1")) == []


def test_events_of_a_deleted_session_are_not_taken_in(capture: Capture) -> None:
    hear(capture.pool, event("s-1"))
    for session_id in ("s-1", "s-2"):
        properties = {"distinct_id": "d", "$session_id": session_id}
        capture.say(posted({"event": "bought", "timestamp": NOW.isoformat(), "properties": properties}))
    assert (rows(capture, "s-1"), rows(capture, "s-2")) == ({}, {"analytics_event": 1})


def junk(session_id: str, value: bytes, environment_id: int = ENVIRONMENT) -> Outgoing:
    (message,) = to_messages(snapshot([click(1)], session_id, environment_id=environment_id))
    return replace(message, value=value)


@pytest.mark.rule("sessions/delete-erases")
def test_junk_that_names_a_deleted_session_is_counted_and_not_kept(capture: Capture) -> None:
    hear(capture.pool, event("s-1"))
    eraser(capture).work(Event())
    capture.handle([junk("s-1", b"one"), junk("s-2", b"two"), junk("s-1", b"three", 2)])
    capture.handle_events([junk("s-1", b"four"), junk("s-2", b"five")])
    kept = capture.rows("SELECT environment_id AS e, session_id AS s FROM capture.undecodable ORDER BY id")
    assert [(row["e"], row["s"]) for row in kept] == [(1, "s-2"), (2, "s-1"), (1, "s-2")]
    assert list(capture.blobs.list(1, "undecodable/s-1")) == []
    with capture.pool.connection() as conn:
        assert undecodable_counts(conn) == {"undecodable": 5}


def test_who_erases_waits_for_junk_that_is_being_kept(capture: Capture) -> None:
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as threads:
        with capture.pool.connection() as conn, conn.transaction():
            capture.handler(conn, [capture.record(junk("s-1", b"at the same moment"))])
            hear(capture.pool, event("s-1"))
            erasing_it = threads.submit(eraser(capture).work, Event())
            until(lambda: erasing_it.done() or bool(capture.rows(waiting)))
        assert erasing_it.result(timeout=30)
    assert rows(capture, "s-1") == {}
    assert list(capture.blobs.list(1, "undecodable/s-1")) == []


@pytest.mark.rule("sessions/delete-erases")
def test_events_without_a_recording_are_erased(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        for session_id in ("s-1", "s-2"):
            conn.execute(_EVENT, (1, session_id, uuid4(), NOW, NOW))
    hear(capture.pool, event("s-1"))
    eraser(capture).work(Event())
    assert (rows(capture, "s-1"), rows(capture, "s-2")) == ({}, {"analytics_event": 1})


def test_events_that_come_later_go_at_the_next_look(capture: Capture) -> None:
    hear(capture.pool, event("s-1"))
    worker = eraser(capture)
    worker.work(Event())
    with capture.pool.connection() as conn:
        conn.execute(_EVENT, (1, "s-1", uuid4(), NOW, NOW))
    worker.look_again()
    worker.work(Event())
    assert rows(capture, "s-1") == {}


@pytest.mark.rule("sessions/delete-erases")
def test_batches_and_the_deletion_may_cross(capture: Capture) -> None:
    """Writers, whoever hears of the deletion, and erasers at once: nothing is left, and nobody waits for ever."""
    for turn in range(12):
        name, other = f"s-{turn}", f"other-{turn}"
        due = Event()

        def write(number: int, name: str = name, other: str = other) -> None:
            batches = [snapshot([click(number + 1)], one, f"{one}-{number}") for one in (name, other)]
            with capture.pool.connection() as conn, conn.transaction():
                capture.handler(conn, [capture.record(message) for one in batches for message in to_messages(one)])

        def delete(_: int, name: str = name, due: Event = due) -> None:
            hear(capture.pool, event(name))
            due.set()
            eraser(capture).work(Event())

        with ThreadPoolExecutor(8) as threads:
            work = [threads.submit(write, number) for number in range(3)]
            work += [threads.submit(delete, number) for number in range(2)]
            work += [threads.submit(write, number) for number in range(3, 6)]
            for done in work:
                done.result(timeout=30)
        eraser(capture).work(Event())
        assert rows(capture, name) == {}, turn
        assert list(capture.blobs.list(1, name)) == [], turn
        assert rows(capture, other) == {"session": 1, "part": 6}


def test_an_eraser_waits_for_the_blob_store_without_holding_others_back(capture: Capture, tmp_path: Path) -> None:
    capture.capture(snapshot([click(1)], "s-1"), snapshot([click(1)], "s-2"))
    hear(capture.pool, event("s-1"), event("s-2"))
    (key,) = capture.blobs.list(1, "s-1")
    blob = capture.folder / key
    content = blob.read_bytes()
    blob.unlink()
    blob.mkdir()  # a blob that cannot be deleted
    assert not eraser(capture).work(Event())
    assert rows(capture, "s-2") == {}
    assert rows(capture, "s-1") != {}
    blob.rmdir()
    blob.write_bytes(content)
    assert eraser(capture).work(Event())
    assert rows(capture, "s-1") == {}


def test_it_works_until_it_is_told_to_stop(capture: Capture) -> None:
    capture.capture(snapshot([click(1)], "s-1"))
    stop, due = Event(), hear(capture.pool, event("s-1"))
    worker = Eraser(capture.pool, capture.blobs, due, lambda: datetime.now(UTC))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(worker.run, stop)
        try:
            until(lambda: rows(capture, "s-1") == {})
        finally:
            stop.set()
        running.result(timeout=10)


def test_other_events_are_passed_over_and_defective_ones_are_told(pool: ConnectionPool[psycopg.Connection]) -> None:
    other = event("s-1")
    renamed = other._replace(value=other.value.replace(b"SessionDeleted", b"ScannerDeleted"))
    assert not hear(pool, renamed).is_set()
    with pytest.raises(Poison):
        hear(pool, event("s-1", environment_id=None))  # type: ignore[arg-type]
