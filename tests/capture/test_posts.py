"""Posts of the same moment share a call of the publisher, and nothing else."""

import gc
import json
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from consumers.capture.posting import posts
from consumers.capture.posting.posted import TOPICS, Accepted, EnvironmentOf, accept
from consumers.capture.posting.posts import Post, Taken, take
from consumers.capture.wire.refusals import CaptureRefused, Malformed
from consumers.transports.port import Outgoing, Unavailable

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SNAPSHOTS, ANALYTICS = TOPICS
OURS = {"environment_id": b"1"}


class Publisher:
    """Refuses calls that hold a record of one name."""

    def __init__(self, refusing: str = "", failure: Exception | None = None) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self._refusing = refusing
        self._failure = failure

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        names = [record.event_id for record in records]
        self.calls.append((topic, names))
        if self._failure is not None and self._refusing in names:
            raise self._failure


def accepting(
    body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime, environment_of: EnvironmentOf
) -> Accepted:
    """`1a2`: records 1 to snapshots and a2 to analytics."""
    recorded, _, event = body.decode().partition("a")
    if recorded == "junk":
        raise Malformed("The body is junk.")
    messages = (Outgoing(b"k", b"v", recorded, OURS),) if recorded else ()
    return Accepted(messages, (Outgoing(b"k", b"v", f"a{event}", OURS),) if event else (), len(messages), ())


def taken(publisher: Publisher, *bodies: str) -> list[Taken | Exception]:
    posts = [Post(accepting, body.encode(), {}, {}, NOW, lambda _: 1) for body in bodies]
    return take(posts, publisher)


def test_they_are_published_in_one_call_a_topic() -> None:
    publisher = Publisher()
    outcomes = taken(publisher, "1", "2a5", "a6", "3")
    assert all(isinstance(outcome, Taken) for outcome in outcomes)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2", "3"]), (ANALYTICS, ["a5", "a6"])]


def test_what_cannot_be_read_keeps_nobody_from_being_taken() -> None:
    publisher = Publisher()
    first, junk, last = taken(publisher, "1", "junk", "2")
    assert isinstance(first, Taken)
    assert isinstance(junk, CaptureRefused)
    assert isinstance(last, Taken)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2"])]


def test_an_outage_is_everybodys_and_the_other_topic_is_not_tried_for_them() -> None:
    publisher = Publisher("3", Unavailable("away"))
    outcomes = taken(publisher, "1", "2a5", "3", "a6")
    assert [str(outcome) for outcome in outcomes[:3]] == ["away"] * 3
    assert isinstance(outcomes[3], Taken)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2", "3"]), (ANALYTICS, ["a6"])]


@pytest.mark.parametrize("refusing", ["1", "3"])
def test_what_is_wrong_with_one_is_told_to_no_other(refusing: str) -> None:
    publisher = Publisher(refusing, ValueError("no text of the database"))
    outcomes = taken(publisher, "1", "2", "3")
    wrong = [name for name, outcome in zip("123", outcomes, strict=True) if isinstance(outcome, ValueError)]
    right = [name for name, outcome in zip("123", outcomes, strict=True) if isinstance(outcome, Taken)]
    assert (wrong, right) == ([refusing], sorted({"1", "2", "3"} - {refusing}))


def test_what_is_large_is_published_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "BYTES_IN_HAND", 30)
    publisher = Publisher()
    outcomes = taken(publisher, "1", "2", "junk", "3", "4", "5a6")
    assert [isinstance(outcome, Taken) for outcome in outcomes] == [True, True, False, True, True, True]
    assert publisher.calls == [
        (SNAPSHOTS, ["1", "2"]),
        (SNAPSHOTS, ["3", "4"]),
        (SNAPSHOTS, ["5"]),
        (ANALYTICS, ["a6"]),
    ]


def test_refusals_that_wait_for_their_batch_hold_no_documents() -> None:
    """A few kilobytes are 100 MB as values: of thirty posts of a batch only one at a time."""
    values = json.dumps([{"event": "x", "properties": {"token": "t", "a": [{}] * 1_000}}]).encode()
    posted = [Post(accept, values, {}, {}, NOW, lambda _: 1) for _ in range(30)]
    gc.collect()
    before = sum(len(each) == 1_000 for each in gc.get_objects() if type(each) is list)
    outcomes = take(posted, Publisher())
    assert {type(outcome) for outcome in outcomes} == {Malformed}
    assert sum(len(each) == 1_000 for each in gc.get_objects() if type(each) is list) <= before + 1


def test_where_an_unforeseen_fault_arose_is_told() -> None:
    """It is logged elsewhere; refusals are not, and an error holds nothing of what it came out of."""

    def broken(*_: object) -> Accepted:
        raise ZeroDivisionError

    fault, refusal = take(
        [Post(broken, b"", {}, {}, NOW, lambda _: 1), Post(accepting, b"junk", {}, {}, NOW, lambda _: 1)], Publisher()
    )
    assert isinstance(fault, ZeroDivisionError)
    assert ", in broken" in "".join(traceback.format_exception(fault))
    assert isinstance(refusal, CaptureRefused)
    assert (fault.__traceback__, refusal.__traceback__, getattr(refusal, "__notes__", None)) == (None, None, None)


def test_after_a_while_the_rest_is_for_another_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "SECONDS", -1.0)
    publisher = Publisher()
    assert len(taken(publisher, "junk", "1", "2")) == 1
    assert len(taken(publisher, "1", "2")) == 1
    assert publisher.calls == [(SNAPSHOTS, ["1"])]
