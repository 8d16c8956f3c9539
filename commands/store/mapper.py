"""Events to stored JSON and back, with explicit topics and upcasting of old versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from domain.errors import EventTooLarge
from domain.event import EVENT_CLASSES, Event, Upcaster
from domain.observation import UNKNOWN

STATE_LIMIT = 256 * 1024
"""Bytes of one event's state. Anything larger is a blob and the event holds its digest."""


def _paid_for_itself(succeeded: dict[str, Any]) -> None:
    """Before version 2 every answer was asked for."""
    succeeded["reused_from"] = None


def _usage_not_recorded(unanswered: dict[str, Any]) -> None:
    """Before version 2 what a try without an answer took of a model was in no event: not known, which is not zero."""
    unanswered.update(asdict(UNKNOWN))


def _without_alert(created: dict[str, Any]) -> None:
    """Before version 2 there were no alerts."""
    created["alert_config"] = {}


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("ActionCreated", 1): _without_alert,
    ("ObservationSucceeded", 1): _paid_for_itself,
    ("TryFailed", 1): _usage_not_recorded,
    ("ObservationFailed", 1): _usage_not_recorded,
    ("ObservationIneligible", 1): _usage_not_recorded,
}
"""(topic, n): turns a state of schema version n into n + 1. Golden histories in tests/golden hold every old version."""

VERSION_KEY = "schema_version"


class EventMapper(Mapper[UUID]):
    """The library's mapper port over pydantic events. States are JSON objects; version 1 carries no version key."""

    def __init__(self, upcasters: dict[tuple[str, int], Upcaster] | None = None) -> None:
        super().__init__(JSONTranscoder())
        self._upcasters = UPCASTERS if upcasters is None else upcasters

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Raises EventTooLarge over STATE_LIMIT."""
        if not isinstance(domain_event, Event):
            message = f"not an event of this project: {type(domain_event)}"
            raise TypeError(message)
        state = domain_event.__pydantic_serializer__.to_json(
            domain_event, by_alias=True, exclude={"originator_id", "originator_version"}, exclude_none=False
        )
        if domain_event.SCHEMA_VERSION > 1:
            state = orjson.dumps({**orjson.loads(state), VERSION_KEY: domain_event.SCHEMA_VERSION})
        if len(state) > STATE_LIMIT:
            message = f"{domain_event.TOPIC} has {len(state)} bytes; an event may have {STATE_LIMIT}."
            raise EventTooLarge(message)
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, domain_event.TOPIC, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        return self.decode(
            stored_event.originator_id, stored_event.originator_version, stored_event.topic, stored_event.state
        )

    def decode(self, stream_id: UUID | str, version: int, topic: str, state: bytes) -> Event:
        """One stored row as an event, upcast to the present schema.

        Raises KeyError for an unknown topic, and ValueError for a state that is no JSON object, that does not fit the
        event class (pydantic's ValidationError is a ValueError), or that a newer release has written.
        """
        event_class = EVENT_CLASSES[topic]
        parsed: object = orjson.loads(state)
        if not isinstance(parsed, dict):
            message = f"the state of {topic} is not an object"
            raise ValueError(message)  # noqa: TRY004 - one error for every state that does not fit
        decoded = cast(dict[str, Any], parsed)
        written = decoded.pop(VERSION_KEY, 1)
        if not isinstance(written, int) or not 1 <= written <= event_class.SCHEMA_VERSION:
            message = f"{topic} has schema version {written}; this release knows 1 to {event_class.SCHEMA_VERSION}"
            raise ValueError(message)
        for old in range(written, event_class.SCHEMA_VERSION):
            self._upcasters[topic, old](decoded)
        return event_class.model_validate({**decoded, "originator_id": stream_id, "originator_version": version})
