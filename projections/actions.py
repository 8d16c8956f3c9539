"""Which actions there are, what they gather and send, and when each is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from psycopg import Connection
from pydantic import JsonValue

from domain.action import (
    ALERT,
    WATCHED,
    ActionCreated,
    ActionDeleted,
    ActionDisabled,
    ActionEnabled,
    ActionReconfigured,
    ActionRenamed,
    ActionScheduled,
)
from domain.action_run import ActionRunClaimed
from domain.alert import (
    AlertFired,
    AlertMeasured,
    AlertResolved,
    AlertState,
    Reading,
    after,
    armed,
    read_state,
    stored_state,
)
from domain.event import Event
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table, text
from projections.owner import environment_of, organization_of


@dataclass(slots=True)
class ActionRow:
    """See tables/actions.sql. The `*_config`, `selection` and `alert` are JSON text."""

    environment_id: int
    id: UUID
    organization_id: UUID
    scanner: UUID
    name: str
    enabled: bool
    trigger_type: str
    mode: str
    trigger_config: str
    selection: str
    synthesis_config: str
    alert_config: str
    delivery_config: str
    alert: str | None
    next_run_at: datetime | None
    last_run_at: datetime | None
    schedule_version: int
    last_due_at: datetime | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int


_ACTION = Table(
    "action",
    ActionRow,
    ("environment_id", "id"),
    {
        "environment_id": "integer",
        "id": "uuid",
        "organization_id": "uuid",
        "scanner": "uuid",
        "name": "text",
        "enabled": "boolean",
        "trigger_type": "text",
        "mode": "text",
        "trigger_config": "json",
        "selection": "json",
        "synthesis_config": "json",
        "alert_config": "json",
        "delivery_config": "json",
        "alert": "json",
        "next_run_at": "timestamptz",
        "last_run_at": "timestamptz",
        "schedule_version": "bigint",
        "last_due_at": "timestamptz",
        "created_by": "integer",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "deleted_at": "timestamptz",
        "version": "bigint",
    },
)


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    events = [item.event for item in recorded]
    known = {_action_of(event) for event in events if not isinstance(event, ActionCreated)}
    rows = {row.id: row for row in _ACTION.load(connection, "id", known)} if known else {}
    for item in recorded:
        event = item.event
        if isinstance(event, ActionCreated):
            rows[event.originator_id] = _created(event, item.position)
        elif isinstance(event, Reading):
            _read(rows[event.action_id], event)
        else:
            _change(rows[_action_of(event)], event, item.position)
    _ACTION.put(connection, list(rows.values()))


def _action_of(event: Event) -> UUID:
    return event.action_id if isinstance(event, ActionRunClaimed | Reading) else event.originator_id


def _created(event: ActionCreated, position: int) -> ActionRow:
    return ActionRow(
        environment_id=environment_of(event),
        id=event.originator_id,
        organization_id=organization_of(event),
        scanner=event.scanner,
        name=text(event.name),
        enabled=event.enabled,
        trigger_type=event.trigger_type,
        mode=event.mode,
        trigger_config=_json(event.trigger_config),
        selection=_json(event.selection),
        synthesis_config=_json(event.synthesis_config),
        alert_config=_json(event.alert_config),
        delivery_config=_json(list(event.delivery_config)),
        alert=stored_state(_armed(event, position)) if event.mode == ALERT else None,
        next_run_at=event.next_run_at,
        last_run_at=None,
        schedule_version=event.originator_version,
        last_due_at=None,
        created_by=event.created_by,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        deleted_at=None,
        version=event.originator_version,
    )


def _read(row: ActionRow, reading: Reading) -> None:
    """The run is another stream than the action: neither its version nor when it was edited changes."""
    if row.alert is not None:
        row.alert = stored_state(after(read_state(row.alert), reading))


def _armed(event: Event, position: int, before: AlertState | None = None) -> AlertState:
    return armed(event.originator_version, event.recorded_at, position, before)


def _rearm(row: ActionRow, event: ActionReconfigured, position: int) -> None:
    """A change of what is watched, as `row` now says it."""
    if not WATCHED & event.changes.keys():
        return
    before = read_state(row.alert) if row.alert is not None else None
    row.alert = stored_state(_armed(event, position, before)) if row.mode == ALERT else None


def _claimed(row: ActionRow, event: ActionRunClaimed) -> None:
    """Bookkeeping: neither version nor time of the last edit move. What was decided on an older rule moves nothing."""
    row.last_run_at = event.recorded_at
    if event.cause == "schedule":
        row.last_due_at = max(event.scheduled_at, row.last_due_at or event.scheduled_at)
        if event.action_version >= row.schedule_version:
            row.next_run_at = event.next_run_at


def _change(row: ActionRow, event: Event, position: int) -> None:
    if isinstance(event, ActionRunClaimed):
        _claimed(row, event)
        return
    row.version = event.originator_version
    row.updated_at = event.recorded_at
    match event:
        case ActionRenamed():
            row.name = text(event.name)
        case ActionReconfigured():
            for name, value in event.changes.items():
                setattr(row, name, _column(name, value))
            _rearm(row, event, position)
        case ActionScheduled():
            row.next_run_at, row.schedule_version = event.next_run_at, event.originator_version
        case ActionEnabled():
            row.enabled = True
        case ActionDisabled():
            row.enabled = False
        case ActionDeleted():
            row.deleted_at = event.recorded_at
        case _:
            raise TypeError(f"{event.TOPIC} is no event of an action")


def _column(name: str, value: JsonValue) -> object:
    if name == "scanner":
        return UUID(str(value))
    return value if name in ("trigger_type", "mode") else _json(value)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


ACTIONS = Projection(
    name="actions",
    handles=frozenset(
        {
            ActionCreated,
            ActionRenamed,
            ActionReconfigured,
            ActionScheduled,
            ActionEnabled,
            ActionDisabled,
            ActionDeleted,
            ActionRunClaimed,
            AlertMeasured,
            AlertFired,
            AlertResolved,
        }
    ),
    apply=_apply,
)
