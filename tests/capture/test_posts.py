"""Posts of the same moment share a call of the publisher, and nothing else."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from consumers.capture.posts import Post, take
from consumers.capture.refusals import CaptureRefused, Malformed
from consumers.capture.wire import TOPICS, Accepted, EnvironmentOf
from consumers.transports.port import Outgoing, Unavailable

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SNAPSHOTS, ANALYTICS = TOPICS


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
    messages = (Outgoing(b"k", b"v", recorded),) if recorded else ()
    return Accepted(messages, (Outgoing(b"k", b"v", f"a{event}"),) if event else (), len(messages), ())


def taken(publisher: Publisher, *bodies: str) -> list[Accepted | Exception]:
    posts = [Post(accepting, body.encode(), {}, {}, NOW, lambda _: 1) for body in bodies]
    return take(posts, publisher)


def test_they_are_published_in_one_call_a_topic() -> None:
    publisher = Publisher()
    outcomes = taken(publisher, "1", "2a5", "a6", "3")
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2", "3"]), (ANALYTICS, ["a5", "a6"])]


def test_what_cannot_be_read_keeps_nobody_from_being_taken() -> None:
    publisher = Publisher()
    first, junk, last = taken(publisher, "1", "junk", "2")
    assert isinstance(first, Accepted)
    assert isinstance(junk, CaptureRefused)
    assert isinstance(last, Accepted)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2"])]


def test_an_outage_is_everybodys_and_the_other_topic_is_not_tried_for_them() -> None:
    publisher = Publisher("3", Unavailable("away"))
    outcomes = taken(publisher, "1", "2a5", "3", "a6")
    assert [str(outcome) for outcome in outcomes[:3]] == ["away"] * 3
    assert isinstance(outcomes[3], Accepted)
    assert publisher.calls == [(SNAPSHOTS, ["1", "2", "3"]), (ANALYTICS, ["a6"])]


@pytest.mark.parametrize("refusing", ["1", "3"])
def test_what_is_wrong_with_one_is_told_to_no_other(refusing: str) -> None:
    publisher = Publisher(refusing, ValueError("no text of the database"))
    outcomes = taken(publisher, "1", "2", "3")
    wrong = [name for name, outcome in zip("123", outcomes, strict=True) if isinstance(outcome, ValueError)]
    right = [name for name, outcome in zip("123", outcomes, strict=True) if isinstance(outcome, Accepted)]
    assert (wrong, right) == ([refusing], sorted({"1", "2", "3"} - {refusing}))
