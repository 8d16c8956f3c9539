"""Which scanners there are, and what they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from psycopg import Connection
from pydantic import JsonValue

from domain.event import Event
from domain.ids import gap_id
from domain.scanner import (
    ScannerCreated,
    ScannerDeleted,
    ScannerDescribed,
    ScannerDisabled,
    ScannerEnabled,
    ScannerReconfigured,
    ScannerRenamed,
    SweepGapRedriven,
    SweepGapSkipped,
)
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table, text
from projections.owner import environment_of, organization_of

FIELD_END = "\x1f"
"""Ends each field in the searched text, so that no needle matches across two fields."""


@dataclass(slots=True)
class ScannerRow:
    """See tables/scanners.sql. `scanner_config` and `query` are JSON text."""

    environment_id: int
    id: UUID
    organization_id: UUID
    name: str
    description: str
    scanner_type: str
    scanner_config: str
    query: str
    sampling_rate: float
    provider: str
    model: str
    enabled: bool
    emits_signals: bool
    scanner_version: int
    created_by: int | None
    created_at: datetime
    enabled_at: datetime
    disabled_at: datetime | None
    query_at: datetime
    sampling_rate_at: datetime
    provider_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    search_text: str


_SCANNER = Table(
    "scanner",
    ScannerRow,
    ("environment_id", "id"),
    {
        "environment_id": "integer",
        "id": "uuid",
        "organization_id": "uuid",
        "name": "text",
        "description": "text",
        "scanner_type": "text",
        "scanner_config": "json",
        "query": "json",
        "sampling_rate": "float8",
        "provider": "text",
        "model": "text",
        "enabled": "boolean",
        "emits_signals": "boolean",
        "scanner_version": "integer",
        "created_by": "integer",
        "created_at": "timestamptz",
        "enabled_at": "timestamptz",
        "disabled_at": "timestamptz",
        "query_at": "timestamptz",
        "sampling_rate_at": "timestamptz",
        "provider_at": "timestamptz",
        "updated_at": "timestamptz",
        "deleted_at": "timestamptz",
        "version": "bigint",
        "search_text": "text",
    },
)
_AS_JSON = ("scanner_config", "query")
_DATED = ("query", "sampling_rate", "provider")


@dataclass(slots=True)
class _Gap:
    environment_id: int
    id: UUID
    scanner_id: UUID
    first_number: int
    last_number: int
    reason: str
    skipped_at: datetime
    redriven_at: datetime | None


_GAP = Table(
    "gap",
    _Gap,
    ("environment_id", "id"),
    {
        "environment_id": "integer",
        "id": "uuid",
        "scanner_id": "uuid",
        "first_number": "bigint",
        "last_number": "bigint",
        "reason": "text",
        "skipped_at": "timestamptz",
        "redriven_at": "timestamptz",
    },
)
_FORGET_GAPS = "DELETE FROM gap WHERE scanner_id = ANY(%s)"


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    events = [item.event for item in recorded]
    known = {event.originator_id for event in events if not isinstance(event, ScannerCreated)}
    rows = {row.id: row for row in _SCANNER.load(connection, "id", known)} if known else {}
    for event in events:
        if isinstance(event, ScannerCreated):
            rows[event.originator_id] = _created(event)
        else:
            _change(rows[event.originator_id], event)
    _SCANNER.put(connection, list(rows.values()))
    _apply_gaps(connection, events)


def _apply_gaps(connection: Connection, events: Sequence[Event]) -> None:
    redriven = {event.gap_id for event in events if isinstance(event, SweepGapRedriven)}
    gaps = {gap.id: gap for gap in _GAP.load(connection, "id", redriven)} if redriven else {}
    ended: set[UUID] = set()
    for event in events:
        match event:
            case SweepGapSkipped():
                gap = _skipped(event)
                gaps[gap.id] = gap
            case SweepGapRedriven():
                gaps[event.gap_id].redriven_at = event.recorded_at
            case ScannerDeleted():
                ended.add(event.originator_id)
            case _:
                continue
    _GAP.put(connection, [gap for gap in gaps.values() if gap.scanner_id not in ended])
    if ended:
        connection.execute(_FORGET_GAPS, (list(ended),))


def _skipped(event: SweepGapSkipped) -> _Gap:
    return _Gap(
        environment_id=environment_of(event),
        id=gap_id(event.originator_id, event.start),
        scanner_id=event.originator_id,
        first_number=event.start,
        last_number=event.end,
        reason=text(event.reason),
        skipped_at=event.recorded_at,
        redriven_at=None,
    )


def _created(event: ScannerCreated) -> ScannerRow:
    return ScannerRow(
        environment_id=environment_of(event),
        id=event.originator_id,
        organization_id=organization_of(event),
        name=text(event.name),
        description=text(event.description),
        scanner_type=event.scanner_type,
        scanner_config=_json(event.scanner_config),
        query=_json(event.query),
        sampling_rate=event.sampling_rate,
        provider=event.provider,
        model=event.model,
        enabled=event.enabled,
        emits_signals=event.emits_signals,
        scanner_version=1,
        created_by=event.created_by,
        created_at=event.recorded_at,
        enabled_at=event.recorded_at,
        disabled_at=None if event.enabled else event.recorded_at,
        query_at=event.recorded_at,
        sampling_rate_at=event.recorded_at,
        provider_at=event.recorded_at,
        updated_at=event.recorded_at,
        deleted_at=None,
        version=event.originator_version,
        search_text=searched(event.name, event.description, event.scanner_config),
    )


def _change(row: ScannerRow, event: Event) -> None:
    row.version = event.originator_version
    match event:
        case ScannerRenamed():
            row.name = text(event.name)
        case ScannerDescribed():
            row.description = text(event.description)
        case ScannerReconfigured():
            for name, value in event.changes.items():
                setattr(row, name, _json(value) if name in _AS_JSON else value)
                if name in _DATED:
                    setattr(row, f"{name}_at", event.recorded_at)
            row.scanner_version = event.scanner_version
        case ScannerEnabled():
            row.enabled = True
            row.enabled_at = event.recorded_at
            row.disabled_at = None
        case ScannerDisabled():
            row.enabled = False
            row.disabled_at = event.recorded_at
        case ScannerDeleted():
            row.deleted_at = event.recorded_at
        case _:
            return  # a gap in the schedule changes no field of the scanner
    row.updated_at = event.recorded_at
    if isinstance(event, ScannerRenamed | ScannerDescribed | ScannerReconfigured):
        row.search_text = searched(row.name, row.description, orjson.loads(row.scanner_config))


def searched(name: str, description: str, scanner_config: Mapping[str, JsonValue]) -> str:
    """What a search looks in (contract 3.5): case-folded name, description and prompt."""
    prompt = scanner_config.get("prompt", "")
    fields = (name, description, prompt if isinstance(prompt, str) else "")
    return text("".join(folded(field) + FIELD_END for field in fields))


def folded(words: str) -> str:
    """Text as searches compare it."""
    return words.casefold().replace(FIELD_END, " ")


def _json(value: JsonValue) -> str:
    return orjson.dumps(value).decode()


SCANNERS = Projection(
    name="scanners",
    handles=frozenset(
        {
            ScannerCreated,
            ScannerRenamed,
            ScannerDescribed,
            ScannerReconfigured,
            ScannerEnabled,
            ScannerDisabled,
            SweepGapSkipped,
            SweepGapRedriven,
            ScannerDeleted,
        }
    ),
    apply=_apply,
)
