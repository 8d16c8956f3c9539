"""Messages that are too large for the transport go by the blobs (ADR 0014)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from threading import Event
from typing import Any

import pytest

from consumers.capture.digest import handler as handling
from consumers.capture.ending.erasing import Eraser
from consumers.capture.messages import held as module
from consumers.capture.messages import snapshot as messages
from consumers.capture.messages.held import BLOB, BYTES, KEPT_FOR, Held, Holding, drop
from consumers.capture.messages.snapshot import Snapshot, to_messages
from consumers.capture.store.blobs import FolderBlobs, folder_of, key_of
from consumers.capture.wire.encodings import Json
from consumers.transports.port import Outgoing, Unavailable
from tests.capture.arrival import recording
from tests.capture.traffic import ENVIRONMENT, Capture, click, snapshot

LARGE: Json = {**click(1_000), "text": "".join(map(chr, range(500, 2_000)))}
LATER = timedelta(hours=2)


class Inbox:
    """A transport that keeps what it is given, or refuses it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.messages: list[Outgoing] = []
        self._failure = failure

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        assert topic == "snapshots"
        if self._failure:
            raise self._failure
        self.messages += records


@pytest.fixture(autouse=True)
def _small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 1_000)


def sent(capture: Capture, *snapshots: Snapshot, inbox: Inbox | None = None) -> list[Outgoing]:
    """What the transport gets of these."""
    inbox = inbox or Inbox()
    holding = Holding(inbox, capture.blobs, capture.pool, lambda: capture.now)
    holding.publish("snapshots", [message for one in snapshots for message in to_messages(one)])
    return inbox.messages


def held(capture: Capture) -> list[str]:
    return [row["blob"] for row in capture.rows("SELECT blob FROM capture.held ORDER BY blob")]


def dropped(capture: Capture) -> int:
    with capture.pool.connection() as conn:
        return drop(conn, capture.blobs, capture.now)


def codes(capture: Capture) -> list[str]:
    return [row["code"] for row in capture.rows("SELECT code FROM capture.undecodable ORDER BY id")]


def test_a_large_event_is_stored_like_any_other(capture: Capture) -> None:
    published = sent(capture, snapshot([click(1), LARGE]), snapshot([click(5)], "s-2"))
    assert [len(message.value) < 1_000 for message in published] == [True, True]
    capture.handle(published)
    assert capture.session("s-1")["event_count"] == 2
    assert capture.session("s-2")["event_count"] == 1
    with capture.pool.connection() as conn:
        assert [event for _, event in recording(conn, capture.blobs, ENVIRONMENT, "s-1")] == [click(1), LARGE]


def test_the_blob_goes_when_the_batch_is_stored_and_not_before(capture: Capture) -> None:
    published = sent(capture, snapshot([LARGE]))
    (blob,) = held(capture)
    assert blob in capture.blobs.list(ENVIRONMENT, "s-1"), "whoever erases the session finds it"
    capture.now += LATER
    assert dropped(capture) == 0
    capture.handle(published)
    assert dropped(capture) == 1
    assert held(capture) == []
    ((part),) = capture.rows("SELECT blob FROM capture.part")
    assert list(capture.blobs.list(ENVIRONMENT, "s-1")) == [part["blob"]]


def test_the_handler_drops_them_now_and_then(capture: Capture) -> None:
    capture.handle(sent(capture, snapshot([LARGE])))
    capture.now += LATER
    capture.capture(snapshot([click(1)], "s-2"))
    assert held(capture) == []


def test_a_batch_that_is_sent_again_is_stored_once(capture: Capture) -> None:
    first = sent(capture, snapshot([LARGE]))
    capture.handle(first)
    capture.now += timedelta(seconds=9)
    again = sent(capture, snapshot([LARGE], received_at=capture.now))
    assert first[0].event_id == again[0].event_id
    capture.handle(again)
    assert capture.session("s-1")["message_count"] == 1
    assert len(held(capture)) == 1
    capture.now += LATER
    assert dropped(capture) == 1
    capture.handle(again)
    assert capture.session("s-1")["message_count"] == 1
    assert codes(capture) == [], "the batch is stored, so that its blob is gone is no loss"


def test_a_blob_that_is_gone_before_its_batch_is_stored_is_a_loss(capture: Capture) -> None:
    lost, other = sent(capture, snapshot([LARGE]), snapshot([LARGE], uuid="other"))
    capture.handle([other])
    capture.blobs.delete(lost.headers[BLOB].decode())
    capture.handle([lost, pointing(lost, uuid=b"\xff"), pointing(lost, uuid=None)])
    assert codes(capture) == ["undecodable"] * 3


def test_a_blob_that_went_with_a_deleted_session_is_no_loss(capture: Capture) -> None:
    (message,) = sent(capture, snapshot([LARGE]))
    capture.handle([message])
    with capture.pool.connection() as conn:
        conn.execute("INSERT INTO capture.deleted_session VALUES (%s, 's-1', %s)", (ENVIRONMENT, capture.now))
    assert Eraser(capture.pool, capture.blobs, Event(), lambda: capture.now).work(Event())
    capture.handle([message])
    (counted,) = capture.rows("SELECT seen FROM capture.undecodable_count") or [{"seen": 0}]
    (deleted,) = capture.rows("SELECT dropped FROM capture.deleted_session")
    assert (counted["seen"], deleted["dropped"]) == (0, 1)


def test_what_a_failed_publish_leaves_is_found(capture: Capture) -> None:
    """It may have been done after all, so the blob stays as long as a message can."""
    with pytest.raises(Unavailable):
        sent(capture, snapshot([LARGE]), inbox=Inbox(Unavailable("no answer")))
    (blob,) = held(capture)
    capture.now += KEPT_FOR - timedelta(seconds=1)
    assert dropped(capture) == 0
    assert list(capture.blobs.list(ENVIRONMENT, "s-1")) == [blob]
    capture.now += timedelta(seconds=2)
    assert dropped(capture) == 1
    assert (held(capture), list(capture.blobs.list(ENVIRONMENT, "s-1"))) == ([], [])


def test_blobs_that_are_away_are_an_outage_and_nothing_is_published(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FolderBlobs, "put", full)
    inbox = Inbox()
    with pytest.raises(Unavailable, match="large recordings cannot be stored"):
        sent(capture, snapshot([click(1)]), snapshot([LARGE], "s-2"), inbox=inbox)
    assert inbox.messages == []
    monkeypatch.undo()
    capture.now += KEPT_FOR + LATER
    assert dropped(capture) == 1


def test_what_waits_for_one_environment_is_bounded(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 5_000)
    sent(capture, snapshot([LARGE]))
    with pytest.raises(Unavailable):
        sent(capture, snapshot([LARGE], "s-2"))
    assert len(sent(capture, snapshot([LARGE], "s-2", environment_id=2))) == 1
    assert len(sent(capture, snapshot([click(1)]))) == 1


def test_tries_of_one_batch_have_one_blob_and_are_counted_once(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 5_000)
    tries: list[Outgoing] = []
    for seconds in range(4):
        capture.now += timedelta(seconds=seconds)
        tries += sent(capture, snapshot([LARGE], received_at=capture.now, sent_at=capture.now - timedelta(seconds=1)))
    assert len({message.headers[BLOB] for message in tries}) == len(held(capture)) == 1
    capture.handle([tries[2], tries[3]])
    (part,) = capture.rows("SELECT sent_at, received_at FROM capture.part")
    assert part["received_at"].isoformat() == tries[2].headers["now"].decode()
    assert part["received_at"] - part["sent_at"] == timedelta(seconds=1)


def test_what_is_stored_does_not_wait_any_more(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 5_000)
    first = sent(capture, snapshot([LARGE]))
    with pytest.raises(Unavailable):
        sent(capture, snapshot([LARGE], "s-2"))
    capture.handle(first)
    assert len(sent(capture, snapshot([LARGE], "s-2"))) == 1
    assert len(held(capture)) == 2


def pointing(published: Outgoing, **headers: bytes | None) -> Outgoing:
    """The message with headers set, or left out."""
    changed = {**published.headers, **headers}
    return replace(
        Outgoing(published.key, published.value, published.event_id),
        headers={name: value for name, value in changed.items() if value is not None},
    )


def test_only_blobs_of_the_same_environment_and_session_are_read(capture: Capture) -> None:
    (own,) = sent(capture, snapshot([LARGE]))
    (other,) = sent(capture, snapshot([LARGE], "s-2"))
    (foreign,) = sent(capture, snapshot([LARGE], environment_id=2))
    secret = capture.blobs.put(ENVIRONMENT, "s-1", b"not what the digest says").encode()
    digest = secret.decode().rpartition("/")[2]
    capture.handle(
        [
            pointing(own, **{BLOB: other.headers[BLOB]}),
            pointing(own, **{BLOB: foreign.headers[BLOB]}),
            pointing(own, environment_id=None),
            pointing(own, environment_id=b"2"),
            pointing(own, environment_id=b"1" * 500),
            pointing(own, **{BLOB: b"../../etc/passwd"}),
            pointing(own, **{BLOB: b"\xff"}),
            pointing(own, **{BLOB: f"{folder_of(ENVIRONMENT, 's-1')}/{'0' * 64}".encode()}),
            pointing(own, **{BYTES: b"10"}),
            pointing(own, **{BYTES: b"-1"}),
            pointing(own, **{BYTES: None}),
            pointing(own, **{BLOB: secret, BYTES: b"24"}),
            pointing(own, **{BLOB: None}),
        ]
    )
    assert digest == sha256(b"not what the digest says").hexdigest()
    assert len(codes(capture)) == 13
    assert capture.rows("SELECT * FROM capture.session") == []
    capture.handle([own])
    assert capture.session("s-1")["event_count"] == 1


def test_what_a_blob_holds_is_of_the_session_that_the_message_names(capture: Capture) -> None:
    (message,) = to_messages(snapshot([LARGE], "s-2"))
    assert isinstance(message, Held)
    capture.blobs.put(ENVIRONMENT, "s-1", message.content)
    blob = key_of(ENVIRONMENT, "s-1", message.content).encode()
    capture.handle([replace(pointing(message, **{BLOB: blob}), key=b"s-1")])
    assert (codes(capture), capture.rows("SELECT * FROM capture.session")) == (["malformed"], [])


def test_many_large_batches_are_stored_in_turns(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling, "BYTES_IN_HAND", 3_000)
    stored: list[int] = []
    original: Any = capture.handler._store_all  # noqa: SLF001 - what is in hand shows nowhere else

    def counted(conn: Any, portion: Any, *rest: Any) -> Any:
        stored.append(len(portion))
        return original(conn, portion, *rest)

    monkeypatch.setattr(capture.handler, "_store_all", counted)
    capture.handle(sent(capture, *[snapshot([LARGE], f"s-{number}") for number in range(7)]))
    assert len(stored) > 2
    assert len(capture.rows("SELECT * FROM capture.session")) == 7
