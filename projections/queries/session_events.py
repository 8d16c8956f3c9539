"""Reads of what a site's analytics say about one session."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from domain.tenant import Tenant

MAX_PAGE = 1_000
"""Events of one answer."""

Cursor = tuple[int, UUID]
"""The time and the uuid of the last event of a page."""

_START: Cursor = (-(2**63), UUID(int=0))

_EVENTS = """
    SELECT uuid, name, at, window_id, distinct_id, current_url, properties, elements, received_at
    FROM capture.analytics_event
    WHERE environment_id = %s AND session_id = %s AND (at, uuid) > (%s, %s)
    ORDER BY at, uuid
    LIMIT %s
"""


class SessionEvent(NamedTuple):
    """An analytics event. `at` is in milliseconds since 1970 by the visitor's clock, as in the recording."""

    uuid: UUID
    name: str
    at: int
    window_id: str | None
    distinct_id: str | None
    current_url: str | None
    properties: Mapping[str, object]
    elements: Sequence[Mapping[str, object]] | None
    received_at: datetime

    @property
    def cursor(self) -> Cursor:
        return self.at, self.uuid


def events_of_session(
    conn: psycopg.Connection,
    tenant: Tenant,
    session_id: str,
    *,
    after: Cursor | None = None,
    limit: int = MAX_PAGE,
) -> list[SessionEvent]:
    """A session's analytics events in order of time, from behind `after` on; empty behind the last one.

    Of one session 10,000 are kept (consumers/capture/analytics/events.py). Raises ValueError over MAX_PAGE.
    """
    with conn.cursor(row_factory=class_row(SessionEvent)) as cursor:
        values = (tenant.environment_id, session_id, *(after or _START), _checked(limit))
        return cursor.execute(_EVENTS, values).fetchall()


def _checked(limit: int) -> int:
    if limit > MAX_PAGE:
        raise ValueError(f"at most {MAX_PAGE} at once")
    return limit
