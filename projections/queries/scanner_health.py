"""What is known of whether a scanner produces anything (extensions "Observing"). The judgement is somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from domain.tenant import Tenant
from projections.queries.observations import ObservationFilters, rows_of
from projections.queries.sessions import settle_number_at
from projections.queries.visible import VISIBLE, visible

LAST_DAY = timedelta(days=1)

LAST_ENDINGS = 20
"""Endings of the last day that are told one by one."""

MOST_BEHIND = 100_000
"""Sessions behind that are counted; more are told as this many."""

_SCANNER = """
SELECT s.enabled, s.enabled_at, s.disabled_at, s.query, s.query_at, s.sampling_rate, s.sampling_rate_at, s.provider,
       s.model, s.provider_at, w.settle_number, w.waiting_for, w.waiting_since
FROM read_scanners.scanner s LEFT JOIN selection.watermark w ON w.scanner_id = s.id
WHERE s.environment_id = %s AND s.id = %s AND s.deleted_at IS NULL
"""
_BEHIND = f"""
SELECT count(*), min(b.settled_at) FROM (
    SELECT s.settled_at FROM capture.session s WHERE {VISIBLE} AND s.settle_number > %(number)s
    ORDER BY s.settle_number LIMIT %(limit)s) b
"""  # noqa: S608 - expressions of our own
_IN_FLIGHT = """
SELECT count(*) FILTER (WHERE r.status = 'pending'), count(*) FILTER (WHERE r.status = 'running') FROM ({rows}) r
"""
_LAST_DAY = """
SELECT count(*) FILTER (WHERE r.status = 'succeeded'), count(*) FILTER (WHERE r.status = 'failed'),
       count(*) FILTER (WHERE r.status = 'ineligible')
FROM ({rows}) r WHERE r.completed_at >= %(since)s
"""
_ENDINGS = """
SELECT r.status, r.error_reason, r.completed_at FROM ({rows}) r WHERE r.completed_at >= %(since)s
ORDER BY r.completed_at DESC LIMIT %(limit)s
"""
_NEWEST = "SELECT max(r.created_at) FROM ({rows}) r"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A scanner's settings, since when they are as they are, and where its schedule stands.

    `settle_number` is None until the schedule has heard of the scanner. `waiting_for` is why it stands still.
    """

    enabled: bool
    enabled_at: datetime
    disabled_at: datetime | None
    query: dict[str, Any]
    query_at: datetime
    sampling_rate: float
    sampling_rate_at: datetime
    provider: str
    model: str
    provider_at: datetime
    settle_number: int | None
    waiting_for: str | None
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True)
class Ending:
    status: str
    error_reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Signs:
    """The schedule, and what has become of the scanner's work. `oldest_behind`: when the first session behind settled.

    `behind`: settled sessions that the schedule has not looked at, 0 for a disabled scanner, which never will.
    `last_endings` are those of the last day, the latest first, at most LAST_ENDINGS.
    """

    schedule: Schedule
    behind: int
    oldest_behind: datetime | None
    pending: int
    running: int
    succeeded: int
    failed: int
    ineligible: int
    last_endings: Sequence[Ending]
    newest: datetime | None
    """When its latest observation was requested."""


def signs(connection: Connection, tenant: Tenant, scanner_id: UUID, now: datetime) -> Signs | None:
    """None when the scanner is unknown, deleted or another tenant's."""
    with connection.cursor(row_factory=class_row(Schedule)) as cursor:
        schedule = cursor.execute(_SCANNER, (tenant.environment_id, scanner_id)).fetchone()
    if schedule is None:
        return None
    behind, oldest = _behind(connection, tenant, schedule, now)
    in_flight = ObservationFilters(scanner_id, statuses=("pending", "running"))
    pending, running = _counted(connection, tenant, _IN_FLIGHT, in_flight)
    all_of_it = ObservationFilters(scanner_id)
    succeeded, failed, ineligible = _counted(connection, tenant, _LAST_DAY, all_of_it, since=now - LAST_DAY)
    rows, values = rows_of(tenant, all_of_it)
    values |= {"since": now - LAST_DAY, "limit": LAST_ENDINGS}
    endings = [Ending(*row) for row in connection.execute(_ENDINGS.format(rows=rows).encode(), values)]
    (newest,) = _counted(connection, tenant, _NEWEST, all_of_it)
    return Signs(schedule, behind, oldest, pending, running, succeeded, failed, ineligible, endings, newest)


def _behind(connection: Connection, tenant: Tenant, schedule: Schedule, now: datetime) -> tuple[int, datetime | None]:
    if not schedule.enabled:
        return 0, None
    place = schedule.settle_number
    if place is None:  # the schedule has not heard of it: this is where it will begin
        place = settle_number_at(connection, schedule.enabled_at)
    values = {**visible(tenant, now), "number": place, "limit": MOST_BEHIND}
    row = connection.execute(_BEHIND.encode(), values).fetchone()
    return (row[0], row[1]) if row else (0, None)


def _counted(
    connection: Connection, tenant: Tenant, statement: str, filters: ObservationFilters, **given: object
) -> tuple[Any, ...]:
    rows, values = rows_of(tenant, filters)
    row = connection.execute(statement.format(rows=rows).encode(), {**values, **given}).fetchone()
    return row or ()
