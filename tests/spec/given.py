"""given(what happened).when(a decision).then(what happens): the one way in which specs of aggregates are written.

    given(Scanner, CREATED).when(lambda s: s.edit(STAMP, {"enabled": False})).then(fact(ScannerDisabled))
    given(Scanner, CREATED).when(lambda s: s.edit(STAMP, {"name": " "})).then_refused(Invalid, field="name")
    given(Scanner).when(lambda _: Scanner.create(ID, STAMP, **fields)).then(fact(ScannerCreated, **fields))

A fact names an event class and its own fields; envelopes (stream, version, time, actor, ids) are filled in and
checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import pytest

from commands.store.mapper import EventMapper
from domain.errors import VisionError
from domain.event import Actor, Aggregate, Event, FirstEvent, Stamp

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ORGANIZATION_ID = UUID("0190aa11-7d1e-7c33-9a55-0d6f6f2b7e01")
STREAM = UUID("0197a3c0-52f1-7e0a-8f0b-6f1f2d9c1a44")
STAMP = Stamp(
    recorded_at=NOW,
    actor=Actor(type="key", user_id=17, key_prefix="phx_spec0000"),
    correlation_id=UUID("0197aff0-1111-7222-8333-444455556666"),
    environment_id=7,
    organization_id=ORGANIZATION_ID,
    causation_id="message-1",
)

A = TypeVar("A", bound=Aggregate)


@dataclass(frozen=True, slots=True)
class Fact:
    """An event without its envelope."""

    event_class: type[Event]
    fields: dict[str, Any]

    def event(self, aggregate_class: type[Aggregate], stream: UUID, version: int) -> Event:
        first = {"originator_topic": aggregate_class.TOPIC} if issubclass(self.event_class, FirstEvent) else {}
        envelope = {"originator_id": stream, "originator_version": version, **STAMP.fields(), **first}
        return self.event_class(**envelope, **self.fields)


def fact(event_class: type[Event], **fields: Any) -> Fact:
    return Fact(event_class, fields)


def fold(events: Sequence[Event]) -> Any:
    """The aggregate that the events lead to."""
    aggregate: Any = None
    for event in events:
        aggregate = event.mutate(aggregate)
    return aggregate


def given(aggregate_class: type[A], *facts: Fact) -> Given[A]:
    events = [known.event(aggregate_class, STREAM, version) for version, known in enumerate(facts, start=1)]
    return Given(aggregate_class, events)


@dataclass(frozen=True)
class Given(Generic[A]):
    aggregate_class: type[A]
    events: list[Event]

    def when(self, decide: Callable[[A], object]) -> Decided[A]:
        """Runs the decision on what the events lead to; a decision that creates gets None and returns the new one."""
        aggregate: Any = fold(self.events)
        try:
            made = decide(aggregate)
        except VisionError as error:
            return Decided(self, aggregate, [], error)
        if aggregate is None:
            aggregate = made
        return Decided(self, aggregate, list(aggregate.collect_events()))


@dataclass(frozen=True)
class Decided(Generic[A]):
    given: Given[A]
    aggregate: A
    recorded: list[Event]
    error: VisionError | None = field(default=None)

    def then(self, *facts: Fact) -> A:
        """Exactly these events, in this order, whose replay from stored form leads to the same state. Returns it."""
        if self.error is not None:
            raise AssertionError("the decision was refused") from self.error
        before = len(self.given.events)
        assert self.recorded == [
            expected.event(self.given.aggregate_class, self.aggregate.id, before + number)
            for number, expected in enumerate(facts, start=1)
        ]
        mapper = EventMapper()
        replayed = fold(
            [mapper.to_domain_event(mapper.to_stored_event(event)) for event in (*self.given.events, *self.recorded)]
        )
        assert replayed == self.aggregate
        return self.aggregate

    def then_nothing(self) -> A:
        return self.then()

    def then_refused(self, error: type[VisionError], **attributes: object) -> None:
        """Refused with this very error class and these attributes; nothing recorded, nothing changed."""
        assert type(self.error) is error, f"expected {error.__name__}, got {self.error!r} and {self.recorded}"
        assert {name: getattr(self.error, name) for name in attributes} == attributes
        assert str(self.error).strip(), "a refusal needs a sentence"
        if self.given.events:
            assert self.aggregate == fold(self.given.events), "a refused decision must leave the aggregate as it was"


def refused(decide: Callable[[], object], error: type[VisionError], **attributes: object) -> None:
    """For rules without an aggregate."""
    with pytest.raises(error) as caught:
        decide()
    assert {name: getattr(caught.value, name) for name in attributes} == attributes
