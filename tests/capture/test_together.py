"""Requests that publish at the same time share a call, and nothing else."""

from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import pytest

from consumers.capture.together import Together
from consumers.transports.port import Outgoing, Unavailable
from tests.capture.traffic import until


def record(name: str) -> Outgoing:
    return Outgoing(b"k", b"v", name)


class Slow:
    """A transport that holds its first call until it is let go, and refuses records by name."""

    def __init__(self, refusing: str = "", failure: Exception | None = None) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.go_on = Event()
        self._refusing = refusing
        self._failure = failure

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        names = [record.event_id for record in records]
        self.calls.append((topic, names))
        assert self.go_on.wait(30)
        if self._failure is not None and self._refusing in names:
            raise self._failure


def published(transport: Slow, calls: Sequence[tuple[str, str]]) -> dict[str, Exception | None]:
    """Each in a thread of its own, the others while the first is under way; what each was told."""
    together, told = Together(transport), dict[str, Exception | None]()

    def publish(topic: str, name: str) -> None:
        try:
            together.publish(topic, [record(name)])
        except (Unavailable, ValueError) as error:
            told[name] = error
        else:
            told[name] = None

    threads = [Thread(target=publish, args=call) for call in calls]
    threads[0].start()
    until(lambda: len(transport.calls) == 1)
    waiting: Any = together._waiting  # noqa: SLF001 - nothing else shows that they wait
    for thread in threads[1:]:
        thread.start()
    until(lambda: sum(map(len, waiting.values())) == len(calls) - 1)
    transport.go_on.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return told


def test_those_who_wait_are_published_in_one_call_a_topic() -> None:
    transport = Slow()
    told = published(transport, [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("b", "5")])
    assert told == dict.fromkeys("12345")
    assert transport.calls[0] == ("a", ["1"])
    assert sorted((topic, sorted(names)) for topic, names in transport.calls[1:]) == [
        ("a", ["2", "4"]),
        ("b", ["3", "5"]),
    ]


def test_an_outage_is_everybodys() -> None:
    transport = Slow("3", Unavailable("away"))
    told = published(transport, [("a", "1"), ("a", "2"), ("a", "3")])
    assert [told["1"], str(told["2"]), str(told["3"])] == [None, "away", "away"]
    assert len(transport.calls) == 2


@pytest.mark.parametrize("refusing", ["2", "3"])
def test_what_is_wrong_with_one_is_told_to_no_other(refusing: str) -> None:
    transport = Slow(refusing, ValueError("no text of the database"))
    told = published(transport, [("a", "1"), ("a", "2"), ("a", "3")])
    assert [name for name, error in sorted(told.items()) if isinstance(error, ValueError)] == [refusing]
    assert [name for name, error in sorted(told.items()) if error is None] == sorted({"1", "2", "3"} - {refusing})
