"""The runs of each action: what each came to, and where its report went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection

from domain.action import ActionDeleted
from domain.action_run import (
    ActionRunClaimed,
    ActionRunCompleted,
    ActionRunFailed,
    ActionRunSkipped,
    ActionRunStarted,
    ReportWritten,
)
from domain.event import Event
from domain.run_deliveries import (
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliverySucceeded,
    RedeliveryRequested,
    delivery_items,
)
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table, text
from projections.engine.tombstones import Tombstones
from projections.owner import environment_of, organization_of

Deliveries = list[dict[str, Any]]


@dataclass(slots=True)
class RunRow:
    """See tables/action_runs.sql. `observations` and `deliveries` are JSON text."""

    environment_id: int
    id: UUID
    organization_id: UUID
    action_id: UUID
    scanner_id: UUID
    cause: str
    triggered_by_user: int | None
    status: str
    error_reason: str
    scheduled_at: datetime
    window_start: datetime | None
    window_end: datetime
    tiling: bool
    position: int
    observation_count: int | None
    matched: int | None
    report_id: UUID | None
    reported_at: datetime | None
    observations: str
    deliveries: str
    created_at: datetime
    updated_at: datetime
    version: int


_RUN = Table(
    "run",
    RunRow,
    ("environment_id", "id"),
    {
        "environment_id": "integer",
        "id": "uuid",
        "organization_id": "uuid",
        "action_id": "uuid",
        "scanner_id": "uuid",
        "cause": "text",
        "triggered_by_user": "integer",
        "status": "text",
        "error_reason": "text",
        "scheduled_at": "timestamptz",
        "window_start": "timestamptz",
        "window_end": "timestamptz",
        "tiling": "boolean",
        "position": "bigint",
        "observation_count": "integer",
        "matched": "integer",
        "report_id": "uuid",
        "reported_at": "timestamptz",
        "observations": "json",
        "deliveries": "json",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "version": "bigint",
    },
)

_TOMBSTONES = Tombstones("action_runs", "run", "action_id")


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    events = [item.event for item in recorded if not isinstance(item.event, ActionDeleted)]
    buried = [item.event.originator_id for item in recorded if isinstance(item.event, ActionDeleted)]
    known = {event.originator_id for event in events if not isinstance(event, ActionRunClaimed)}
    rows = {row.id: row for row in _RUN.load(connection, "id", known)} if known else {}
    for event in events:
        if isinstance(event, ActionRunClaimed):
            rows[event.originator_id] = _claimed(event)
        else:
            _change(rows[event.originator_id], event)
    _RUN.put(connection, list(rows.values()))
    _TOMBSTONES.put(connection, buried, {row.action_id for row in rows.values()})


def _claimed(event: ActionRunClaimed) -> RunRow:
    deliveries: Deliveries = [
        {
            "id": item["id"],
            "item": {name: value for name, value in item.items() if name != "id"},
            "status": "pending",
            "round": 1,
            "attempts": [],
        }
        for item in delivery_items(event.action)
    ]
    return RunRow(
        environment_id=environment_of(event),
        id=event.originator_id,
        organization_id=organization_of(event),
        action_id=event.action_id,
        scanner_id=event.scanner_id,
        cause=event.cause,
        triggered_by_user=event.triggered_by_user,
        status="running",
        error_reason="",
        scheduled_at=event.scheduled_at,
        window_start=event.window_start,
        window_end=event.window_end,
        tiling=event.cause == "schedule" and event.window_start is None,
        position=event.position,
        observation_count=None,
        matched=None,
        report_id=None,
        reported_at=None,
        observations="[]",
        deliveries=_json(deliveries),
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        version=event.originator_version,
    )


def _change(row: RunRow, event: Event) -> None:
    row.version = event.originator_version
    row.updated_at = event.recorded_at
    match event:
        case ActionRunStarted():
            row.window_start = event.window_start
        case ReportWritten():
            row.report_id, row.reported_at = event.report.id, event.recorded_at
            row.observation_count, row.matched = event.observation_count, event.matched
            row.observations = _json([cited.model_dump(mode="json") for cited in event.observations])
        case ActionRunCompleted():
            row.status = "completed"
        case ActionRunSkipped() | ActionRunFailed():
            row.status = "skipped" if isinstance(event, ActionRunSkipped) else "failed"
            row.error_reason = text(f"{event.reason}:{event.message}")
        case DeliveryAttempted() | DeliverySucceeded() | DeliveryAbandoned() | RedeliveryRequested():
            _deliver(row, event)
        case _:
            message = f"action_runs does not handle {event.TOPIC}"
            raise TypeError(message)


def _deliver(
    row: RunRow, event: DeliveryAttempted | DeliverySucceeded | DeliveryAbandoned | RedeliveryRequested
) -> None:
    deliveries: Deliveries = orjson.loads(row.deliveries)
    (delivery,) = (one for one in deliveries if one["id"] == str(event.delivery_id))
    match event:
        case DeliveryAttempted():
            delivery["attempts"].append(
                {
                    "at": event.at,
                    "status_code": event.status_code,
                    "duration_ms": event.duration_ms,
                    "error": event.error,
                    "response": event.response.id if event.response else None,
                }
            )
        case DeliverySucceeded():
            delivery["status"] = "succeeded"
        case DeliveryAbandoned():
            delivery["status"] = "abandoned"
            delivery["reason"] = event.reason
        case RedeliveryRequested():
            delivery["status"], delivery["round"] = "pending", event.round
    row.deliveries = _json(deliveries)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


ACTION_RUNS = Projection(
    name="action_runs",
    handles=frozenset(
        {
            ActionRunClaimed,
            ActionRunStarted,
            ReportWritten,
            ActionRunCompleted,
            ActionRunSkipped,
            ActionRunFailed,
            DeliveryAttempted,
            DeliverySucceeded,
            DeliveryAbandoned,
            RedeliveryRequested,
            ActionDeleted,
        }
    ),
    apply=_apply,
    tidy=_TOMBSTONES.tidy,
    hidden=_TOMBSTONES.hidden,
)
