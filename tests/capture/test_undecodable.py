from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from consumers.capture.digest import undecodable as module
from consumers.capture.digest.handler import DROP_EVERY
from consumers.capture.digest.undecodable import KEPT_FOR, drop_old, undecodable_counts
from consumers.capture.messages.snapshot import to_messages
from consumers.capture.store.blobs import MissingBlob
from consumers.transports.dead_letters import Selection, bury, newest_letters
from consumers.transports.port import Outgoing, Poison
from tests.capture.traffic import Capture, click, snapshot


def junk(value: bytes, session_id: str = "s-1", environment_id: int | None = 1) -> Outgoing:
    (message,) = to_messages(snapshot([click(1)], session_id, environment_id=environment_id))
    return replace(message, value=value)


def kept(capture: Capture, environment_id: int = 1) -> list[bytes]:
    rows = capture.rows("SELECT blob FROM capture.undecodable WHERE environment_id = %s ORDER BY id", environment_id)
    return [capture.blobs.get(row["blob"]) for row in rows]


def counts(capture: Capture) -> dict[str, int]:
    with capture.pool.connection() as conn:
        return undecodable_counts(conn)


def dropped(capture: Capture) -> int:
    with capture.pool.connection() as conn:
        return drop_old(conn, capture.blobs, capture.now)


def files(capture: Capture) -> list[Path]:
    return [path for path in capture.folder.rglob("*") if path.is_file()]


def test_rows_of_an_environment_are_capped_and_the_rest_is_counted(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_ROWS", 3)
    for start in (0, 2, 4):
        capture.handle([junk(b"one %d" % number) for number in range(start, start + 2)])
    capture.handle([junk(b"other", environment_id=2), junk(b"nobody's", environment_id=None)])
    assert kept(capture) == [b"one 0", b"one 1", b"one 2"]
    assert (kept(capture, 2), kept(capture, 0)) == ([b"other"], [b"nobody's"])
    assert len(files(capture)) == 5
    assert counts(capture) == {"undecodable": 8}


def test_bytes_of_an_environment_are_capped(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", 100)
    capture.handle([junk(b"a" * 60), junk(b"b" * 60), junk(b"c" * 40), junk(b"d")])
    assert kept(capture) == [b"a" * 60, b"c" * 40]
    assert len(files(capture)) == 2
    assert counts(capture) == {"undecodable": 4}


def test_reasons_are_counted_apart(capture: Capture) -> None:
    (foreign,) = to_messages(snapshot([click(1)], environment_id=None))
    capture.handle([junk(b"a"), foreign, junk(b"b")])
    assert counts(capture) == {"undecodable": 2, "unknown_token": 1}


def test_a_message_that_comes_again_is_kept_and_counted_once(capture: Capture) -> None:
    records = [capture.record(junk(b"a")), capture.record(junk(b"b"))]
    for again in (records[:1], records, records[1:]):
        with capture.pool.connection() as conn, conn.transaction():
            capture.handler(conn, again)
    assert kept(capture) == [b"a", b"b"]
    assert counts(capture) == {"undecodable": 2}


def test_a_transaction_that_rolls_back_keeps_and_counts_nothing(capture: Capture) -> None:
    record = capture.record(junk(b"a"))
    with capture.pool.connection() as conn, conn.transaction(force_rollback=True):
        capture.handler(conn, [record])
    assert (kept(capture), counts(capture)) == ([], {})
    with capture.pool.connection() as conn, conn.transaction():
        capture.handler(conn, [record])
    assert (kept(capture), counts(capture)) == ([b"a"], {"undecodable": 1})
    assert len(files(capture)) == 1


def test_what_is_old_is_dropped_with_its_blob_and_stays_counted(capture: Capture) -> None:
    capture.handle([junk(b"old"), junk(b"shared")])
    capture.now += KEPT_FOR
    capture.handle([junk(b"shared"), junk(b"new")])
    assert dropped(capture) == 0
    capture.now += timedelta(seconds=1)
    assert dropped(capture) == 2
    assert kept(capture) == [b"shared", b"new"]  # the same bytes, named by the newer row too
    assert len(files(capture)) == 2
    assert counts(capture) == {"undecodable": 4}


def over_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_ROWS", 3)


def over_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", 30)


@pytest.mark.parametrize("lowered", [over_rows, over_bytes])
def test_what_is_over_a_lowered_limit_is_dropped_oldest_first_in_bounded_chunks(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, lowered: Callable[[pytest.MonkeyPatch], None]
) -> None:
    capture.handle([junk(b"message %02d" % number) for number in range(20)])
    capture.handle([junk(b"another's", environment_id=2)])
    lowered(monkeypatch)
    monkeypatch.setattr(module, "CHUNK", 5)
    monkeypatch.setattr(module, "ROUNDS", 2)
    assert [dropped(capture) for _ in range(3)] == [10, 7, 0]
    assert kept(capture) == [b"message 17", b"message 18", b"message 19"]
    assert kept(capture, 2) == [b"another's"]
    assert len(files(capture)) == 4
    assert counts(capture) == {"undecodable": 21}


def test_a_recording_never_shares_a_blob_with_what_is_dropped(capture: Capture) -> None:
    """Somebody publishes the very bytes of a recording as a message of its session."""
    capture.capture(snapshot([click(1)]))
    (part,) = capture.rows("SELECT blob FROM capture.part")
    capture.handle([junk(capture.blobs.get(part["blob"]))])
    capture.now += KEPT_FOR + timedelta(seconds=1)
    assert dropped(capture) == 1
    assert capture.blobs.get(part["blob"])


def test_while_somebody_writes_to_an_environment_it_is_left_for_later(capture: Capture) -> None:
    capture.handle([junk(b"old")])
    (row,) = capture.rows("SELECT blob FROM capture.undecodable")
    capture.now += KEPT_FOR + timedelta(seconds=1)
    with capture.pool.connection() as conn, conn.transaction():
        capture.handler(conn, [capture.record(junk(b"new"))])  # tries to drop first: nobody is writing then
        assert kept(capture) == []
        capture.now += KEPT_FOR + timedelta(seconds=1)
        assert dropped(capture) == 0
    assert kept(capture) == [b"new"]
    assert dropped(capture) == 1
    with pytest.raises(MissingBlob):
        capture.blobs.get(row["blob"])


def test_the_handler_drops_now_and_then(capture: Capture) -> None:
    capture.handle([junk(b"old")])
    capture.now += KEPT_FOR + timedelta(seconds=1)
    capture.capture(snapshot([click(1)], uuid="u1"))
    assert kept(capture) == []
    capture.handle([junk(b"old again")])
    capture.rows("UPDATE capture.undecodable SET at = at - interval '31 days' RETURNING 1")
    capture.capture(snapshot([click(1)], uuid="u2"))
    assert kept(capture) == [b"old again"]
    capture.now += DROP_EVERY
    capture.capture(snapshot([click(1)], uuid="u3"))
    assert kept(capture) == []


def test_blobs_that_cannot_be_deleted_hold_no_recording_back(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    capture.handle([junk(b"old")])
    capture.now += KEPT_FOR + timedelta(seconds=1)

    def refuse(_key: str) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(capture.blobs, "delete", refuse)
        capture.capture(snapshot([click(1)]))
    assert capture.session("s-1")["event_count"] == 1
    assert kept(capture) == [b"old"]
    capture.now += DROP_EVERY
    capture.capture(snapshot([click(2)]))
    assert kept(capture) == []


def test_dead_letters_are_listed_newest_first_within_a_limit(capture: Capture) -> None:
    records = [capture.record(junk(b"a")) for _ in range(4)]
    with capture.pool.connection() as conn:
        assert newest_letters(conn, 10, Selection()) == []
        _bury(conn, "selection", [Poison(record, "bad") for record in records])
        _bury(conn, "scanning", [Poison(records[0], "worse")])
        newest = newest_letters(conn, 2, Selection())
        assert [(one.group, one.topic, one.partition, one.offset) for one in newest] == [
            ("scanning", "snapshots", 0, records[0].offset),
            ("selection", "snapshots", 0, records[3].offset),
        ]
        assert (newest[0].error_class, newest[0].error) == ("Poison", "worse")
        assert newest[0].at >= newest[1].at
        assert len(newest_letters(conn, 10, Selection(group="selection"))) == 4
        assert len(newest_letters(conn, 10, Selection(topic="snapshots"))) == 5
        assert newest_letters(conn, 10, Selection(group="selection", topic="events")) == []


def _bury(conn: psycopg.Connection, group: str, letters: list[Poison]) -> None:
    with conn.transaction():
        bury(conn, "postgres", group, letters, attempts=1)
