"""The list of recorded sessions: filters, order and pages, within a bounded time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.session_facts import SessionFacts
from domain.tenant import Tenant
from projections.queries.in_time import Connection, TooSlow, in_time
from projections.queries.matching import Condition
from projections.queries.matching.facts import RECORDING
from projections.queries.sessions import COLUMNS, ONGOING, SessionRow, facts_of, milliseconds
from projections.queries.visible import VISIBLE, visible

__all__ = ["LIST_SECONDS", "ORDERS", "SessionFilters", "TooSlow", "page"]

LIST_SECONDS = 8.0
"""Longest statement of a list; as of a count of `estimate`, so that a client is answered within 10 s as a rule."""

_DURATION = "(s.last_timestamp - s.first_timestamp)"

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
    "activity_score": RECORDING["activity_score"].sql,
    "recording_ttl": "s.last_received_at",
}
"""What a list can be sorted by (contract 3.3). Nothing of it is ever null.

How long a session is kept yet (`recording_ttl`) follows from its last receipt: an environment keeps all for as long.
"""


@dataclass(frozen=True, slots=True)
class SessionFilters:
    """What a session must fulfil; None and "no condition" are the same.

    Sessions that began at `started_from` or later and before `started_before`. `matching`: what else is asked for, by
    the compiler of a scanner's query; which sessions and visitors is part of it.
    """

    started_from: datetime | None = None
    started_before: datetime | None = None
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
    with in_time(connection, seconds, one_moment=True):
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
        add("s.first_timestamp >= %(started_from)s", started_from=milliseconds(filters.started_from))
    if filters.started_before is not None:
        add("s.first_timestamp < %(started_before)s", started_before=milliseconds(filters.started_before))
    if filters.ongoing is not None:
        compared = ">" if filters.ongoing else "<="
        add(f"s.last_received_at {compared} %(ongoing_since)s", ongoing_since=now - ONGOING)
    if filters.settled is not None:
        add(f"s.settled_at IS {'NOT ' if filters.settled else ''}NULL")
    if filters.matching is not None:
        add(f"({filters.matching.sql})", **filters.matching.values)
    return " AND ".join(conditions), values
