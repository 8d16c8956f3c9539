"""What each scanner found in each session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import orjson
from psycopg import Connection
from pydantic import JsonValue

from domain.event import Event
from domain.observation import (
    ObservationFailed,
    ObservationIneligible,
    ObservationRequested,
    ObservationRetried,
    ObservationSucceeded,
    ScanStarted,
    TryFailed,
)
from domain.scanner import ScannerDeleted
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table, text
from projections.engine.tombstones import Tombstones
from projections.owner import environment_of


@dataclass(slots=True)
class ObservationRow:
    """See tables/observations.sql. `scanner_snapshot` and `output` are JSON text."""

    environment_id: int
    id: UUID
    scanner_id: UUID
    session_id: str
    status: str
    run: int
    error_reason: str
    triggered_by: str
    triggered_by_user: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    completed_position: int | None
    scanner_version: int | None
    verdict: str | None
    tags: list[str] | None
    score: float | None
    scanner_snapshot: str
    output: str | None
    text_id: UUID | None
    signals_count: int | None
    subject_id: UUID | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    duration_ms: int | None
    evidence_digest: str | None
    version: int


_OBSERVATION = Table(
    "observation",
    ObservationRow,
    ("environment_id", "id"),
    {
        "environment_id": "integer",
        "id": "uuid",
        "scanner_id": "uuid",
        "session_id": "text",
        "status": "text",
        "run": "integer",
        "error_reason": "text",
        "triggered_by": "text",
        "triggered_by_user": "integer",
        "created_at": "timestamptz",
        "started_at": "timestamptz",
        "completed_at": "timestamptz",
        "completed_position": "bigint",
        "scanner_version": "integer",
        "verdict": "text",
        "tags": "text[]",
        "score": "float8",
        "scanner_snapshot": "json",
        "output": "json",
        "text_id": "uuid",
        "signals_count": "integer",
        "subject_id": "uuid",
        "model": "text",
        "input_tokens": "bigint",
        "output_tokens": "bigint",
        "cost_usd": "numeric",
        "duration_ms": "bigint",
        "evidence_digest": "text",
        "version": "bigint",
    },
)

_TOMBSTONES = Tombstones("observations", "observation", "scanner_id")


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    changes = [item for item in recorded if not isinstance(item.event, ScannerDeleted)]
    buried = [item.event.originator_id for item in recorded if isinstance(item.event, ScannerDeleted)]
    known = {item.event.originator_id for item in changes if not isinstance(item.event, ObservationRequested)}
    rows = {row.id: row for row in _OBSERVATION.load(connection, "id", known)} if known else {}
    for item in changes:
        event = item.event
        if isinstance(event, ObservationRequested):
            rows[event.originator_id] = _requested(event)
        else:
            _change(rows[event.originator_id], event, item.position)
    _OBSERVATION.put(connection, list(rows.values()))
    _TOMBSTONES.put(connection, buried, {row.scanner_id for row in rows.values()})


def _requested(event: ObservationRequested) -> ObservationRow:
    return ObservationRow(
        environment_id=environment_of(event),
        id=event.originator_id,
        scanner_id=event.scanner_id,
        session_id=text(event.session_id),
        status="pending",
        run=event.run,
        error_reason="",
        triggered_by=event.triggered_by,
        triggered_by_user=event.triggered_by_user if event.triggered_by == "on_demand" else None,
        created_at=event.recorded_at,
        started_at=None,
        completed_at=None,
        completed_position=None,
        scanner_version=_whole(event.scanner_snapshot.get("scanner_version")),
        verdict=None,
        tags=None,
        score=None,
        scanner_snapshot=_json(event.scanner_snapshot),
        output=None,
        text_id=None,
        signals_count=None,
        subject_id=None,
        model=None,
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        duration_ms=None,
        evidence_digest=None,
        version=event.originator_version,
    )


def _change(row: ObservationRow, event: Event, position: int) -> None:
    row.version = event.originator_version
    match event:
        case ScanStarted():
            row.status = "running"
            row.started_at = row.started_at or event.recorded_at  # a second try does not move the start of the run
            row.subject_id = event.subject.id if event.subject else row.subject_id
        case ObservationSucceeded():
            row.status = "succeeded"
            row.completed_at, row.completed_position = event.recorded_at, position
            _answer(row, event)
        case ObservationFailed() | ObservationIneligible():
            row.status = "failed" if isinstance(event, ObservationFailed) else "ineligible"
            row.completed_at, row.completed_position = event.recorded_at, position
            row.error_reason = text(f"{event.kind}:{event.message}")
        case ObservationRetried():
            row.status, row.run, row.error_reason = "pending", event.run, ""
            row.started_at = row.completed_at = row.completed_position = None
            row.triggered_by, row.triggered_by_user = "on_demand", event.triggered_by_user
        case TryFailed():
            pass  # the run goes on by itself
        case _:
            message = f"observations does not handle {event.TOPIC}"
            raise TypeError(message)


def _answer(row: ObservationRow, event: ObservationSucceeded) -> None:
    result = event.result
    verdict, tags, score = result.get("verdict"), result.get("tags"), result.get("score")
    row.verdict = text(verdict) if isinstance(verdict, str) else None
    row.tags = [text(tag) for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else None
    row.score = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
    row.output = _json(result)
    row.text_id = event.text.id
    row.signals_count = event.signals_count
    row.model = event.model
    row.input_tokens, row.output_tokens = event.input_tokens, event.output_tokens
    row.cost_usd, row.duration_ms = event.cost_usd, event.duration_ms
    row.evidence_digest = event.evidence_digest


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _json(value: JsonValue) -> str:
    return orjson.dumps(value).decode()


OBSERVATIONS = Projection(
    name="observations",
    handles=frozenset(
        {
            ObservationRequested,
            ScanStarted,
            TryFailed,
            ObservationSucceeded,
            ObservationFailed,
            ObservationIneligible,
            ObservationRetried,
            ScannerDeleted,
        }
    ),
    apply=_apply,
    tidy=_TOMBSTONES.tidy,
    hidden=_TOMBSTONES.hidden,
)
