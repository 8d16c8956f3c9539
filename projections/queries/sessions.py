"""Reads of recorded sessions: one, many, and how far settling has come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from domain.session_facts import SessionFacts, activity_score
from domain.tenant import Tenant
from projections.queries.visible import KEPT_SINCE, VISIBLE, visible

ONGOING = timedelta(minutes=5)
"""engine 3.2."""

MAX_SESSIONS = 1_000
"""Sessions of one answer."""

COLUMNS = """session_id, first_timestamp, last_timestamp, active_milliseconds, click_count, keypress_count,
    mouse_activity_count, console_log_count, console_warn_count, console_error_count, size, event_count, distinct_id,
    start_url, urls, windows, snapshot_source, snapshot_library, distinct_ids, last_received_at,
    settle_number, settled_at"""

_BY_IDS = f"""
    SELECT {COLUMNS} FROM capture.session s
    WHERE {VISIBLE} AND s.session_id = ANY(%(session_ids)s)
    ORDER BY s.session_id
"""  # noqa: S608 - columns of our own

_EXISTS = f"SELECT 1 FROM capture.session s WHERE {VISIBLE} AND s.session_id = %(session_id)s"  # noqa: S608 - our own

_STORED = f"""
    SELECT 1 WHERE EXISTS ({_EXISTS}) OR EXISTS (
        SELECT FROM capture.analytics_event a
        WHERE a.environment_id = %(environment_id)s AND a.session_id = %(session_id)s AND a.arrived_at >= {KEPT_SINCE}
          AND NOT EXISTS (
              SELECT FROM read_recordings.deleted_session gone
              WHERE gone.environment_id = a.environment_id AND gone.session_id = a.session_id))
"""  # noqa: S608 - our own


class SessionRow(NamedTuple):
    """COLUMNS of capture.session."""

    session_id: str
    first_timestamp: int
    last_timestamp: int
    active_milliseconds: int
    click_count: int
    keypress_count: int
    mouse_activity_count: int
    console_log_count: int
    console_warn_count: int
    console_error_count: int
    size: int
    event_count: int
    distinct_id: str | None
    start_url: str | None
    urls: list[str]
    windows: list[str]
    snapshot_source: str | None
    snapshot_library: str | None
    distinct_ids: list[str]
    last_received_at: datetime
    settle_number: int | None
    settled_at: datetime | None


def session_facts(conn: psycopg.Connection, tenant: Tenant, session_id: str, now: datetime) -> SessionFacts | None:
    """What is known of a session at this moment, settled or not; None when nothing was recorded under that id."""
    return sessions_facts(conn, tenant, [session_id], now).get(session_id)


def sessions_facts(
    conn: psycopg.Connection, tenant: Tenant, session_ids: Sequence[str], now: datetime
) -> dict[str, SessionFacts]:
    """The same for up to MAX_SESSIONS ids; unknown ones are left out. Raises ValueError for more."""
    if len(session_ids) > MAX_SESSIONS:
        raise ValueError(f"at most {MAX_SESSIONS} sessions at once")
    values = {**visible(tenant, now), "session_ids": list(session_ids)}
    with conn.cursor(row_factory=class_row(SessionRow)) as cursor:
        rows = cursor.execute(_BY_IDS.encode(), values).fetchall()
    return {row.session_id: facts_of(row, now) for row in rows}


def session_exists(conn: psycopg.Connection, tenant: Tenant, session_id: str, now: datetime) -> bool:
    values = {**visible(tenant, now), "session_id": session_id}
    return conn.execute(_EXISTS.encode(), values).fetchone() is not None


def session_stored(conn: psycopg.Connection, tenant: Tenant, session_id: str, now: datetime) -> bool:
    """Whether there is anything of a session to delete: also only its analytics events, without a recording."""
    values = {**visible(tenant, now), "session_id": session_id}
    return conn.execute(_STORED.encode(), values).fetchone() is not None


def settled_by(conn: psycopg.Connection, number: int) -> datetime | None:
    """When the last session up to a settle number settled, over all environments; None before the first."""
    row = conn.execute(
        "SELECT settled_at FROM capture.settlement WHERE number <= %s ORDER BY number DESC LIMIT 1", (number,)
    ).fetchone()
    return row[0] if row else None


def settle_number_at(conn: psycopg.Connection, at: datetime) -> int:
    """The highest settle number given until then, over all environments; 0 before the first."""
    row = conn.execute(
        "SELECT coalesce(max(number), 0) FROM capture.settlement WHERE settled_at <= %s", (at,)
    ).fetchone()
    return row[0] if row else 0


def last_settle_number(conn: psycopg.Connection) -> int:
    """The highest settle number given so far, over all environments; 0 before the first. Watermarks start here."""
    row = conn.execute("SELECT number FROM capture.settle_counter").fetchone()
    return row[0] if row else 0


def facts_of(row: SessionRow, now: datetime) -> SessionFacts:
    """The facts as they are shown."""
    duration = (row.last_timestamp - row.first_timestamp) / 1000
    active = row.active_milliseconds / 1000
    return SessionFacts(
        id=row.session_id,
        distinct_id=row.distinct_id,
        start_time=_instant(row.first_timestamp),
        end_time=_instant(row.last_timestamp),
        recording_duration=duration,
        active_seconds=active,
        # Every burst counts at least 1 ms, so a session of one moment is active for longer than it lasts.
        inactive_seconds=max(0, row.last_timestamp - row.first_timestamp - row.active_milliseconds) / 1000,
        click_count=row.click_count,
        keypress_count=row.keypress_count,
        mouse_activity_count=row.mouse_activity_count,
        console_log_count=row.console_log_count,
        console_warn_count=row.console_warn_count,
        console_error_count=row.console_error_count,
        start_url=row.start_url,
        urls=tuple(row.urls),
        windows=tuple(row.windows),
        event_count=row.event_count,
        size=row.size,
        snapshot_source=row.snapshot_source,
        snapshot_library=row.snapshot_library,
        activity_score=activity_score(
            active_seconds=active,
            duration_seconds=duration,
            clicks=row.click_count,
            keypresses=row.keypress_count,
            mouse_activity=row.mouse_activity_count,
            console_logs=row.console_log_count,
            console_warns=row.console_warn_count,
            console_errors=row.console_error_count,
        ),
        ongoing=now - row.last_received_at < ONGOING,
        settled_at=row.settled_at,
    )


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(at: datetime) -> int:
    """The first whole millisecond since 1970, as sessions' times are kept, that is not before a time."""
    return -((datetime.fromtimestamp(0, UTC) - at) // timedelta(milliseconds=1))
