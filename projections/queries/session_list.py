"""The list of recorded sessions: filters, order and pages, within a bounded time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow, class_row

from domain.session_facts import SessionFacts
from domain.tenant import Tenant
from projections.queries.matching import Condition
from projections.queries.sessions import COLUMNS, ONGOING, SessionRow, facts_of
from projections.queries.visible import VISIBLE, visible

Connection = psycopg.Connection[TupleRow]

LIST_SECONDS = 8.0
"""Longest statement of a list; as of a count of `estimate`, so that a client is answered within 10 s as a rule."""

_DURATION = "(s.last_timestamp - s.first_timestamp)"

# The same as domain.session_facts.activity_score, in whole numbers.
_DONE = "(s.active_milliseconds + 1000 * (s.click_count + s.keypress_count + s.console_error_count))"
_OVER = f"""({_DURATION} + 1000 * (
    s.mouse_activity_count + s.console_error_count + s.console_log_count + s.console_warn_count))"""
_SCORE = f"CASE WHEN {_OVER} = 0 THEN 0 ELSE (20000 * {_DONE} + {_OVER}) / (2 * {_OVER}) END"

ORDERS = {
    "start_time": "s.first_timestamp",
    "duration": _DURATION,
    "recording_duration": _DURATION,
    "active_seconds": "s.active_milliseconds",
    "inactive_seconds": f"greatest(0, {_DURATION} - s.active_milliseconds)",
    "console_error_count": "s.console_error_count",
    "click_count": "s.click_count",
    "keypress_count": "s.keypress_count",
    "mouse_activity_count": "s.mouse_activity_count",
    "activity_score": _SCORE,
}
"""What a list can be sorted by (contract 3.3). Nothing of it is ever null."""


# Compiling a statement that reads a few hundred sessions takes longer than running it.
_SETTINGS = "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)"


class TooSlow(Exception):
    """A list took longer than LIST_SECONDS. Not now, but later perhaps."""


@dataclass(frozen=True, slots=True)
class SessionFilters:
    """What a session must fulfil; None and "no condition" are the same.

    Sessions that began at `started_from` or later and before `started_before`. `distinct_ids`: one of its visitors' ids
    is among them.
    """

    started_from: datetime | None = None
    started_before: datetime | None = None
    session_ids: Sequence[str] | None = None
    distinct_ids: Sequence[str] | None = None
    ongoing: bool | None = None
    settled: bool | None = None
    matching: Condition | None = None


def page(
    connection: Connection,
    tenant: Tenant,
    filters: SessionFilters,
    now: datetime,
    *,
    order: str = "start_time",
    descending: bool = True,
    limit: int,
    offset: int,
    seconds: float = LIST_SECONDS,
) -> tuple[int, list[SessionFacts]]:
    """How many sessions there are, exactly, and a page of them. Ties are broken by id, ascending in both directions.

    `order` is one of ORDERS. Both are of one moment. Raises TooSlow when a statement takes longer than `seconds`.
    """
    condition, values = _condition(tenant, filters, now)
    values |= {"limit": limit, "offset": offset}
    direction = "DESC" if descending else "ASC"
    count = f"SELECT count(*) FROM capture.session s WHERE {condition}"  # noqa: S608 - expressions of our own
    # Ids are sorted as bytes, as programs do.
    rows = f"""
        SELECT {COLUMNS} FROM capture.session s WHERE {condition}
        ORDER BY {ORDERS[order]} {direction}, s.session_id COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s
    """  # noqa: S608 - expressions of our own
    with _bounded(connection, seconds):
        counted = connection.execute(count.encode(), values).fetchone()
        with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
            found = cursor.execute(rows.encode(), values).fetchall()
    return counted[0] if counted else 0, [facts_of(row, now) for row in found]


def _condition(tenant: Tenant, filters: SessionFilters, now: datetime) -> tuple[str, dict[str, Any]]:
    conditions, values = [VISIBLE], visible(tenant, now)

    def add(condition: str, **given: object) -> None:
        conditions.append(condition)
        values.update(given)

    if filters.started_from is not None:
        add("s.first_timestamp >= %(started_from)s", started_from=_milliseconds(filters.started_from))
    if filters.started_before is not None:
        add("s.first_timestamp < %(started_before)s", started_before=_milliseconds(filters.started_before))
    if filters.session_ids is not None:
        add("s.session_id = ANY(%(session_ids)s::text[])", session_ids=list(filters.session_ids))
    if filters.distinct_ids is not None:
        add("s.distinct_ids && %(distinct_ids)s::text[]", distinct_ids=list(filters.distinct_ids))
    if filters.ongoing is not None:
        compared = ">" if filters.ongoing else "<="
        add(f"s.last_received_at {compared} %(ongoing_since)s", ongoing_since=now - ONGOING)
    if filters.settled is not None:
        add(f"s.settled_at IS {'NOT ' if filters.settled else ''}NULL")
    if filters.matching is not None:
        add(f"({filters.matching.sql})", **filters.matching.values)
    return " AND ".join(conditions), values


@contextmanager
def _bounded(connection: Connection, seconds: float) -> Generator[None]:
    """A transaction of one snapshot, each of whose statements is cancelled after so many seconds."""
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(_SETTINGS, (f"{round(seconds * 1000)}ms",))
            yield
    except (psycopg.errors.QueryCanceled, psycopg.errors.InvalidRegularExpression) as error:
        message = f"the sessions could not be listed in {seconds:g} s"
        raise TooSlow(message) from error


def _milliseconds(at: datetime) -> int:
    """The first whole millisecond since 1970 that is not before the time."""
    return -((datetime.fromtimestamp(0, UTC) - at) // timedelta(milliseconds=1))
