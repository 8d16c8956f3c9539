"""What is past its retention: nobody is shown it, and it is removed with everything that was kept for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.ending import leftovers, removed, retention
from consumers.capture.ending.retention import Retention, note_default
from consumers.capture.ending.settler import settle
from consumers.capture.store.blobs import Blobs, FolderBlobs
from domain.tenant import Tenant
from projections.queries.session_list import SessionFilters, page
from projections.queries.sessions import session_exists, sessions_facts
from tests.capture.buckets import Bucket
from tests.capture.traffic import NOW, Capture, click, snapshot

pytestmark = pytest.mark.usefixtures("readable")

DAY = timedelta(days=1)
TENANT = Tenant(1, UUID(int=7))
_ENVIRONMENT = """
INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at, retention_days)
VALUES (%s, %s, 'Web', 'UTC', %s, %s, %s)
"""
_EVENT = """
INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, properties, received_at, arrived_at)
VALUES (1, %s, %s, 'clicked', 1, '{}', %s, %s)
"""

_JUNK = """
INSERT INTO capture.undecodable
    (environment_id, session_id, topic, part, position, code, reason, blob, bytes, at)
VALUES (%s, 's', 'snapshots', 0, %s, 'undecodable', 'x', %s, 1, %s)
"""


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return Bucket.made(request.getfixturevalue("s3_server")).blobs()


@pytest.fixture
def kept(capture: Capture, blobs: Blobs) -> Capture:
    """Capture with these blobs, and two environments: the second one keeps for 7 days."""
    capture.blobs = blobs  # type: ignore[assignment]
    capture.handler = SnapshotHandler(blobs, capture.pool, lambda *_: None, lambda: capture.now)
    know_environments(capture)
    return capture


def know_environments(capture: Capture) -> None:
    with capture.pool.connection() as conn:
        for number, days in ((1, None), (2, 7)):
            conn.execute(_ENVIRONMENT, (number, TENANT.organization_id, f"phc_{number}", NOW, days))


def received(capture: Capture, session_id: str, at: datetime, environment_id: int = 1) -> None:
    """A session of which nothing came after a time, and that has settled."""
    before, capture.now = capture.now, at
    capture.capture(snapshot([click(at.day)], session_id, environment_id=environment_id, received_at=at))
    with capture.pool.connection() as conn:
        settle(conn, at, 0)
    capture.now = before


def sweep(capture: Capture, now: datetime) -> None:
    """A tick's work, slice by slice."""
    keeping = Retention(capture.pool, capture.blobs, lambda: now)
    for _ in range(100):
        if keeping.run() is None:
            return
    raise AssertionError("it does not end")


def there(capture: Capture, environment_id: int = 1) -> set[str]:
    """Sessions whose rows are there, shown or not."""
    found = capture.rows("SELECT session_id FROM capture.session WHERE environment_id = %s", environment_id)
    return {row["session_id"] for row in found}


@pytest.mark.rule("sessions/retention", "sessions/retention-environment")
def test_sessions_past_their_retention_go_with_their_blobs_and_rows(kept: Capture) -> None:
    for environment_id in (1, 2):
        for days in (6, 8, 29, 31):
            received(kept, f"{days}-days", NOW - days * DAY, environment_id)
    sweep(kept, NOW)
    assert there(kept, 1) == {"6-days", "8-days", "29-days"}
    assert there(kept, 2) == {"6-days"}
    for table in ("part", "settlement"):
        found = kept.rows(f"SELECT environment_id AS e, session_id AS s FROM capture.{table} ORDER BY 1, 2")
        assert [(row["e"], row["s"]) for row in found] == [(1, "29-days"), (1, "6-days"), (1, "8-days"), (2, "6-days")]
    for environment_id, days, left in ((1, 31, 0), (1, 29, 1), (2, 29, 0), (2, 8, 0), (2, 6, 1)):
        assert len(list(kept.blobs.list(environment_id, f"{days}-days"))) == left
    with kept.pool.connection() as conn:
        assert removed.counts(conn) == {"blobs": 4, "parts": 4, "sessions": 4, "settlements": 4}
    sweep(kept, NOW)
    assert there(kept, 1) == {"6-days", "8-days", "29-days"}


@pytest.mark.rule("sessions/retention", "sessions/retention-environment")
def test_what_is_past_it_is_shown_to_nobody_before_it_is_removed(kept: Capture) -> None:
    received(kept, "old", NOW - 30 * DAY - timedelta(seconds=1))
    received(kept, "young", NOW - 30 * DAY)
    with kept.pool.connection() as conn:
        assert set(sessions_facts(conn, TENANT, ["old", "young"], NOW)) == {"young"}
        assert not session_exists(conn, TENANT, "old", NOW)
        assert page(conn, TENANT, SessionFilters(), NOW, limit=10, offset=0)[0] == 1
        note_default(conn, 31)
        assert session_exists(conn, TENANT, "old", NOW)
        note_default(conn, 1)
        assert not session_exists(conn, TENANT, "young", NOW)
        conn.execute("UPDATE read_accounts.environment SET retention_days = 40 WHERE id = 1")
        assert session_exists(conn, TENANT, "old", NOW)


def test_a_session_that_goes_on_is_kept_whole(kept: Capture) -> None:
    for days in (40, 20, 1):
        received(kept, "s", NOW - days * DAY)
    sweep(kept, NOW)
    assert len(kept.rows("SELECT FROM capture.part")) == 3
    assert len(list(kept.blobs.list(1, "s"))) == 3


@pytest.mark.rule("sessions/retention")
def test_what_was_past_its_retention_does_not_come_back_with_a_later_batch(kept: Capture) -> None:
    for environment_id in (1, 2):
        received(kept, "s", NOW - 25 * DAY, environment_id)
        with kept.pool.connection() as conn:
            for days in (25, 2):
                conn.execute(
                    _EVENT.replace("(1,", f"({environment_id},").encode(), ("s", uuid4(), NOW, NOW - days * DAY)
                )
        kept.capture(snapshot([click(9), click(10)], "s", "late", environment_id=environment_id))
    assert (kept.session("s")["event_count"], kept.session("s")["reopened"]) == (3, 1)
    over = kept.session("s", 2)
    assert (over["event_count"], over["first_timestamp"], over["reopened"]) == (2, 9, 0)
    assert len(kept.rows("SELECT FROM capture.part WHERE environment_id = 2")) == 1
    assert len(kept.rows("SELECT FROM capture.analytics_event WHERE environment_id = 2")) == 1
    sweep(kept, NOW)
    assert len(list(kept.blobs.list(2, "s"))) == 2, "a blob as young as this one may be somebody's yet"
    assert kept.rows("SELECT sessions FROM capture.day WHERE environment_id = 2 AND day = %s", NOW.date()) == [
        {"sessions": 1}
    ]


def test_a_batch_that_is_past_its_retention_itself_brings_nothing_back(kept: Capture) -> None:
    received(kept, "s", NOW - 40 * DAY)
    kept.capture(snapshot([click(9)], "s", "late", received_at=NOW - 35 * DAY))
    with kept.pool.connection() as conn:
        assert not session_exists(conn, TENANT, "s", NOW)
        settle(conn, NOW, 0)
    sweep(kept, NOW)
    assert there(kept) == set()
    assert list(kept.blobs.list(1, "s")) == []


def test_many_go_in_slices_and_what_somebody_writes_to_waits(
    capture: Capture, kept: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(retention, "SESSIONS", 2)
    for number in range(5):
        received(kept, f"s-{number}", NOW - 40 * DAY)
    keeping = Retention(kept.pool, kept.blobs, lambda: NOW)
    with kept.pool.connection() as conn, conn.transaction():
        conn.execute("SELECT FROM capture.session WHERE session_id = 's-0' FOR UPDATE")
        assert keeping.run() == 0.0
        assert len(there(kept)) == 3
        while keeping.run() is not None:
            assert there(kept)
        assert there(kept) == {"s-0"}
    sweep(kept, NOW)
    assert there(kept) == set()


def test_a_store_that_is_away_ends_the_run_and_the_next_goes_on(capture: Capture) -> None:
    know_environments(capture)
    received(capture, "s", NOW - 40 * DAY)
    (key,) = capture.blobs.list(1, "s")
    blob = capture.folder / key
    blob.unlink()
    blob.mkdir()  # a blob that cannot be deleted
    keeping = Retention(capture.pool, capture.blobs, lambda: NOW)
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system has for it
        keeping.run()
    assert there(capture) == {"s"}
    blob.rmdir()
    while keeping.run() is not None:
        pass
    assert there(capture) == set()


def test_events_and_settle_numbers_go_by_their_own_age(kept: Capture) -> None:
    with kept.pool.connection() as conn:
        for days in (29, 31):
            conn.execute(_EVENT, (f"{days} days", uuid4(), NOW, NOW - days * DAY))
        conn.execute("INSERT INTO capture.settlement VALUES (900, 1, 'reopened', %s)", (NOW - 40 * DAY,))
    sweep(kept, NOW)
    assert [row["session_id"] for row in kept.rows("SELECT session_id FROM capture.analytics_event")] == ["29 days"]
    assert kept.rows("SELECT number FROM capture.settlement") == []


@pytest.mark.rule("sessions/retention", "sessions/retention-environment")
def test_messages_as_they_came_in_go_with_what_they_would_have_been(kept: Capture) -> None:
    """Junk after the retention; what is held after 7 days, as its message may be in the transport for so long."""
    with kept.pool.connection() as conn:
        conn.execute("UPDATE read_accounts.environment SET retention_days = 3 WHERE id = 2")
        for environment_id, days, number in ((1, 8, 1), (1, 29, 2), (2, 2, 3), (2, 4, 4), (2, 6, 5), (2, 8, 6)):
            at = NOW - days * DAY
            blob = kept.blobs.put(environment_id, "undecodable/s", b"%d" % number)
            conn.execute(_JUNK, (environment_id, number, blob, at))
            blob = kept.blobs.put(environment_id, "s", b"%d" % number)
            conn.execute(
                "INSERT INTO capture.held VALUES (%s, %s, 's', %s, 1, %s)", (blob, environment_id, uuid4(), at)
            )
    sweep(kept, NOW)

    def left(table: str) -> list[tuple[int, int]]:
        found = kept.rows(f"SELECT environment_id AS e, at, blob FROM capture.{table} ORDER BY e, at DESC")
        assert all(kept.blobs.get(row["blob"]) for row in found)
        return [(row["e"], (NOW - row["at"]).days) for row in found]

    assert left("undecodable") == [(1, 8), (1, 29), (2, 2)]
    assert left("held") == [(1, 8), (1, 29), (2, 2), (2, 4), (2, 6)]
    assert len(list(kept.blobs.list(2, "undecodable/s"))) == 1
    assert len(list(kept.blobs.list(2, "s"))) == 3
    with kept.pool.connection() as conn:
        assert removed.counts(conn) == {"held messages": 1, "undecodable messages": 3}


@pytest.mark.rule("sessions/retention")
def test_events_stay_as_long_as_their_session_and_go_with_it(kept: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 2)
    for days in (40, 20, 1):
        received(kept, "goes-on", NOW - days * DAY)
    received(kept, "over", NOW - 31 * DAY)
    with kept.pool.connection() as conn:
        for session_id, days in (("goes-on", 40), ("over", 40), ("over", 31), ("over", 29), ("alone", 31)):
            conn.execute(_EVENT, (session_id, uuid4(), NOW, NOW - days * DAY))
    sweep(kept, NOW)
    assert there(kept) == {"goes-on"}
    assert [row["session_id"] for row in kept.rows("SELECT session_id FROM capture.analytics_event")] == ["goes-on"]
    with kept.pool.connection() as conn:
        assert removed.counts(conn)["analytics events"] == 4


def test_a_person_goes_when_nothing_was_heard_of_any_of_its_visitors(kept: Capture) -> None:
    persons = {name: uuid4() for name in ("old", "half", "young", "recorded")}
    seen = [("a", "old", 40), ("b", "old", 31), ("c", "half", 40), ("d", "half", 1), ("e", "young", 1)]
    with kept.pool.connection() as conn:
        for visitor, person, days in [*seen, ("somebody", "recorded", 40)]:
            conn.execute(
                "INSERT INTO capture.visitor (environment_id, distinct_id, person_id, said, seen_at)"
                " VALUES (1, %s, %s, '{}', %s)",
                (visitor, persons[person], NOW - days * DAY),
            )
        for one, other in (("a", "b"), ("c", "d")):
            conn.execute("INSERT INTO capture.visitor_edge VALUES (1, %s, %s, false)", (one, other))
        for person in persons.values():
            conn.execute("INSERT INTO capture.person VALUES (1, %s, '{}', NULL)", (person,))
    received(kept, "s", NOW - DAY)
    sweep(kept, NOW)
    left = {row["person_id"] for row in kept.rows("SELECT person_id FROM capture.person")}
    assert left == {persons["half"], persons["young"], persons["recorded"]}
    visitors = {row["distinct_id"] for row in kept.rows("SELECT distinct_id FROM capture.visitor")}
    assert visitors == {"c", "d", "e", "somebody"}
    assert [row["one"] for row in kept.rows("SELECT one FROM capture.visitor_edge")] == ["c"]


# --- blobs that nothing names ---------------------------------------------------------------------------------------


def test_left_over_blobs_go_at_a_safe_age_and_named_ones_never(kept: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs have the real time, so the clock of the sweep is what moves."""
    monkeypatch.setattr(leftovers, "PAGE", 2)
    real = datetime.now(UTC)
    received(kept, "s", real)
    for number in range(5):
        kept.blobs.put(1, f"crashed {number}", b"x")
    kept.blobs.put(1, "s", b"beside the others")

    def left() -> list[str]:
        return [key for key, _ in kept.blobs.page(1, "", 100)]

    before = left()
    assert (len(before), before) == (7, sorted(before))
    sweep(kept, real + timedelta(days=6))
    assert left() == before
    sweep(kept, real + timedelta(days=6, hours=12))
    sweep(kept, real + timedelta(days=7, hours=13))
    assert left() == list(kept.blobs.list(1, "s"))
    assert len(left()) == 1


def test_the_search_goes_on_where_it_got_to(kept: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PAGE", 2)
    for number in range(5):
        kept.blobs.put(1, f"crashed {number}", b"x")
    now = datetime.now(UTC) + timedelta(days=20)
    steps = leftovers.search_leftovers(kept.pool, kept.blobs, 1, 30, now)
    assert next(steps) == {"leftover blobs": 2}
    steps.close()  # type: ignore[attr-defined]
    rest = leftovers.search_leftovers(kept.pool, kept.blobs, 1, 30, now)
    assert [step["leftover blobs"] for step in rest] == [2, 1, 0]
    assert list(leftovers.search_leftovers(kept.pool, kept.blobs, 1, 30, now + timedelta(hours=23))) == []
    assert list(leftovers.search_leftovers(kept.pool, kept.blobs, 1, 30, now + timedelta(hours=25))) != []


def test_a_half_written_blob_goes_and_one_that_is_put_again_is_young(pool: ConnectionPool, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    key = blobs.put(1, "s", b"x")
    path = tmp_path / "blobs" / key
    half = path.with_name(".0123456789abcdef")
    half.write_bytes(b"half")
    old = (datetime.now(UTC) - timedelta(days=20)).timestamp()
    os.utime(half, (old, old))
    os.utime(path, (old, old))
    ((_, changed),) = blobs.page(1, "", 10)
    assert changed.timestamp() == old
    assert not half.exists()
    blobs.put(1, "s", b"x")
    ((_, changed),) = blobs.page(1, "", 10)
    assert changed > datetime.now(UTC) - timedelta(minutes=5)


def test_the_sweep_takes_any_environment_without_anything(kept: Capture) -> None:
    sweep(kept, NOW)
    counts: dict[str, Any] = {}
    with kept.pool.connection() as conn:
        counts = removed.counts(conn)
    assert counts == {}
