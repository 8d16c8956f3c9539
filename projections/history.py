"""Who changed what, when, from which value to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import orjson
from eventsourcing.utils import resolve_topic
from psycopg import Connection
from pydantic import JsonValue

from domain.event import Event, FirstEvent
from domain.values import same_value
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table, text
from projections.facts import PASSING, facts


@dataclass(slots=True)
class EntryRow:
    """See tables/history.sql. `changes` is JSON text."""

    environment_id: int | None
    position: int
    organization_id: UUID | None
    type: str
    stream_type: str
    stream_id: UUID
    version: int
    recorded_at: datetime
    actor_type: str
    user_id: int | None
    key_prefix: str | None
    role: str | None
    changes: str
    correlation_id: UUID
    causation_id: str | None


@dataclass(slots=True)
class _Stream:
    id: UUID
    type: str
    fields: str


_ENTRY = Table(
    "entry",
    EntryRow,
    ("position",),
    {
        "environment_id": "integer",
        "position": "bigint",
        "organization_id": "uuid",
        "type": "text",
        "stream_type": "text",
        "stream_id": "uuid",
        "version": "bigint",
        "recorded_at": "timestamptz",
        "actor_type": "text",
        "user_id": "integer",
        "key_prefix": "text",
        "role": "text",
        "changes": "json",
        "correlation_id": "uuid",
        "causation_id": "text",
    },
)
_STREAM = Table("stream", _Stream, ("id",), {"id": "uuid", "type": "text", "fields": "json"})

Fields = dict[str, JsonValue]


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    known = {item.event.originator_id for item in recorded if not isinstance(item.event, FirstEvent)}
    streams = {stream.id: stream for stream in _STREAM.load(connection, "id", known)} if known else {}
    fields: dict[UUID, Fields] = {stream.id: orjson.loads(stream.fields) for stream in streams.values()}
    entries: list[EntryRow] = []
    for item in recorded:
        event = item.event
        if isinstance(event, FirstEvent):
            streams[event.originator_id] = _Stream(event.originator_id, stream_type(event), "")
            fields[event.originator_id] = {}
        changes = _changes(fields[event.originator_id], event)
        entries.append(_entry(item.position, event, streams[event.originator_id].type, changes))
    for stream in streams.values():
        stream.fields = _json(fields[stream.id])
    _ENTRY.put(connection, entries)
    _STREAM.put(connection, list(streams.values()))


def _changes(fields: Fields, event: Event) -> list[Fields]:
    """What the event changes, and changes it in `fields`."""
    changes: list[Fields] = []
    for name, after in facts(event).items():
        before = fields.get(name)
        if same_value(before, after):
            continue
        changes.append({"field": name, "before": before, "after": after})
        if name not in PASSING:
            fields[name] = after
    return changes


def _entry(position: int, event: Event, kind: str, changes: list[Fields]) -> EntryRow:
    return EntryRow(
        environment_id=event.environment_id,
        position=position,
        organization_id=event.organization_id,
        type=event.TOPIC,
        stream_type=kind,
        stream_id=event.originator_id,
        version=event.originator_version,
        recorded_at=event.recorded_at,
        actor_type=event.actor.type,
        user_id=event.actor.user_id,
        key_prefix=event.actor.key_prefix,
        role=event.actor.role,
        changes=_json(changes),
        correlation_id=event.correlation_id,
        causation_id=event.causation_id and text(event.causation_id),
    )


def stream_type(first: FirstEvent) -> str:
    """`scanner`, `observation`, ...: the topic of the aggregate that the event begins."""
    return cast("str", resolve_topic(first.originator_topic).TOPIC)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


HISTORY = Projection(name="history", handles=None, apply=_apply)
