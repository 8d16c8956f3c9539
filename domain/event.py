"""The base of every event and of every aggregate.

Events are explicit frozen pydantic classes with an explicit topic and schema version. The time, the actor and the ids
that tie an event to its cause come in with a `Stamp`: the domain has no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate, CanInitAggregate, CanMutateAggregate
from eventsourcing.utils import register_topic
from pydantic import BaseModel, ConfigDict, Field


class Actor(BaseModel):
    """Who did it: a user in person, a key acting for its user, or the system in one of its roles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["user", "key", "system"]
    user_id: int | None = None
    key_prefix: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a command knows and every event it leads to records.

    `correlation_id` is shared by everything that one request or message set in motion; `causation_id` is the event id
    (`<stream>:<version>`) or message id that led to this one, None for the first.
    """

    recorded_at: datetime
    actor: Actor
    correlation_id: UUID
    environment_id: int | None = None
    organization_id: UUID | None = None
    causation_id: str | None = None

    def fields(self) -> dict[str, Any]:
        return {
            "timestamp": self.recorded_at,
            "actor": self.actor,
            "correlation_id": self.correlation_id,
            "environment_id": self.environment_id,
            "organization_id": self.organization_id,
            "causation_id": self.causation_id,
        }


class TextRef(BaseModel):
    """Points at a row of private text. `digest` is salted, so that the log stays verifiable after an erasure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    digest: str


class Event(BaseModel, CanMutateAggregate[UUID]):
    """Base event. Stored as JSON with `recorded_at`; the library calls the same field `timestamp`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    TOPIC: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1

    originator_id: UUID
    originator_version: int
    timestamp: datetime = Field(alias="recorded_at")
    actor: Actor
    correlation_id: UUID
    environment_id: int | None = None
    organization_id: UUID | None = None
    causation_id: str | None = None

    @property
    def recorded_at(self) -> datetime:
        return self.timestamp

    @property
    def event_id(self) -> str:
        """Unique and stable: `<stream>:<version>`."""
        return f"{self.originator_id}:{self.originator_version}"

    def _as_dict(self) -> dict[str, Any]:
        return dict(self)


class FirstEvent(Event, CanInitAggregate[UUID]):
    """The event that brings an aggregate into being. `originator_topic` names the aggregate class."""

    originator_topic: str

    def mutate(self, aggregate: Any) -> Any:
        begun: Any = super().mutate(aggregate)
        begun.environment_id = self.environment_id
        begun.organization_id = self.organization_id
        return begun


class Aggregate(BaseAggregate[UUID]):
    """Base aggregate: subclasses declare state in `__init__` and decisions as methods that call `_record`."""

    TOPIC: ClassVar[str]

    def __base_init__(self, originator_id: Any, originator_version: int, timestamp: datetime) -> None:
        super().__base_init__(originator_id, originator_version, timestamp)
        self.environment_id: int | None = None
        self.organization_id: UUID | None = None

    @classmethod
    def _begin(cls, first: type[FirstEvent], aggregate_id: UUID, stamp: Stamp, **fields: Any) -> Self:
        return cls._create(first, id=aggregate_id, **stamp.fields(), **fields)

    def _record(self, event_class: type[Event], stamp: Stamp, **fields: Any) -> None:
        """Who read the clock before another and came after it records the other's time: a stream never goes back."""
        stamped = {**stamp.fields(), "timestamp": max(stamp.recorded_at, self.modified_on)}
        self.trigger_event(event_class, **stamped, **fields)


E_ = TypeVar("E_", bound=type[Any])

EVENT_CLASSES: dict[str, type[Event]] = {}
"""Every event class by topic: the catalogue of the log."""


def stored(cls: E_) -> E_:
    """Registers an event or aggregate class under its explicit topic, so that moving a module never breaks history."""
    register_topic(cls.TOPIC, cls)
    if issubclass(cls, Event):
        EVENT_CLASSES[cls.TOPIC] = cls
    return cls


Upcaster = Callable[[dict[str, Any]], None]
"""Changes a decoded event state of version n in place to version n + 1."""
