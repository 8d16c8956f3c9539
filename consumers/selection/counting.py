"""How many sessions a query matches: `candidates.matches` as one statement, the only place that says it in SQL."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from consumers.selection.candidates import unsupported_conditions
from domain.eligibility import EligibilityLimits
from domain.tenant import Tenant
from projections.queries.visible import VISIBLE, visible

Connection = psycopg.Connection[TupleRow]

WINDOW_DAYS = 30
"""Days that an estimate looks back (contract 6)."""

_DAY_MS = 86_400_000

COUNT_SECONDS = 8.0
"""Longest count; with the time to stop it stays below the 10 s that a process has to end, and a client to wait."""

_ELIGIBLE = f"""
{VISIBLE}
AND (s.last_timestamp - s.first_timestamp)::float8 / 1000 >= %(min_duration)s::float8
AND s.active_milliseconds::float8 / 1000 >= %(min_active)s::float8
AND s.active_milliseconds::float8 / 1000 <= %(max_active)s::float8
"""
_BY_SESSION = " AND s.session_id = ANY(%(session_ids)s::text[])"
_BY_VISITOR = " AND s.distinct_ids && %(distinct_ids)s::text[]"

# A session cannot have begun after we received it, so one from a clock that is ahead is taken by our own.
_IN_WINDOW = " AND s.first_timestamp >= %(since_ms)s AND s.first_received_at >= %(since)s"
_EARLIEST = f"SELECT min(s.first_timestamp) FROM capture.session s WHERE {VISIBLE}"  # noqa: S608 - our own

_IN_RANGES = """
SELECT count(s.session_id)
FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) WITH ORDINALITY AS r(first, last, place)
LEFT JOIN LATERAL (
    SELECT s.session_id FROM capture.session s WHERE s.settle_number BETWEEN r.first AND r.last AND {matching}
) s ON true
GROUP BY r.place ORDER BY r.place
"""


class TooSlow(Exception):
    """The count took longer than it may. Not now, but later perhaps."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Sessions that match in the look-back, before sampling, and how many days of recordings it spans, 1 or more."""

    sessions: int
    window_days: int


def matched(
    connection: Connection,
    tenant: Tenant,
    query: dict[str, Any],
    limits: EligibilityLimits,
    now: datetime,
    *,
    seconds: float = COUNT_SECONDS,
) -> Matched:
    """Counts the environment's sessions that began in the 30 days before `now`, to the millisecond (engine trap 63).

    Settled or not: one that goes on will settle. The look-back has fewer days when the recordings do (contract 6).
    Raises TooSlow when it takes longer than `seconds`; psycopg.OperationalError when the database is away.
    """
    matching, values = _matching(tenant, query, limits, now)
    since = now - timedelta(days=WINDOW_DAYS)
    values |= {"since": since, "since_ms": _milliseconds(since)}
    with _bounded(connection, seconds) as bounded:
        row = bounded.execute(_EARLIEST.encode(), visible(tenant, now)).fetchone()
        days = _window_days(row[0] if row else None, now)
        if matching is None:
            return Matched(0, days)
        statement = f"SELECT count(*) FROM capture.session s WHERE {matching}{_IN_WINDOW}"  # noqa: S608 - our own
        counted = bounded.execute(statement.encode(), values).fetchone()
    return Matched(counted[0] if counted else 0, days)


def matched_in(
    connection: Connection,
    tenant: Tenant,
    query: dict[str, Any],
    limits: EligibilityLimits,
    ranges: Sequence[tuple[int, int]],
    now: datetime,
    *,
    seconds: float = COUNT_SECONDS,
) -> list[int]:
    """For each range of settle numbers, both ends included: the environment's sessions in it that match.

    Raises as `matched`.
    """
    matching, values = _matching(tenant, query, limits, now)
    if matching is None or not ranges:
        return [0] * len(ranges)
    values |= {"firsts": [first for first, _ in ranges], "lasts": [last for _, last in ranges]}
    with _bounded(connection, seconds) as bounded:
        rows = bounded.execute(_IN_RANGES.format(matching=matching).encode(), values).fetchall()
    return [row[0] for row in rows]


def _matching(
    tenant: Tenant, query: dict[str, Any], limits: EligibilityLimits, now: datetime
) -> tuple[str | None, dict[str, Any]]:
    """The condition on a row `s` of capture.session, None when a query selects nothing, and its values."""
    values: dict[str, Any] = {
        **visible(tenant, now),
        "min_duration": limits.min_duration_seconds,
        "min_active": limits.min_active_seconds,
        "max_active": limits.max_active_seconds,
    }
    if unsupported_conditions(query):
        return None, values
    condition = _ELIGIBLE
    for name, part in (("session_ids", _BY_SESSION), ("distinct_ids", _BY_VISITOR)):
        if query.get(name) is not None:
            condition += part
            # No stored text holds a NUL, and PostgreSQL takes none.
            values[name] = [text for text in query[name] if "\x00" not in text]
    return condition, values


@contextmanager
def _bounded(connection: Connection, seconds: float) -> Generator[Connection]:
    """A transaction whose statements are cancelled after so many seconds each."""
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{round(seconds * 1000)}ms",))
            yield connection
    except psycopg.errors.QueryCanceled as error:
        message = f"the sessions could not be counted in {seconds:g} s"
        raise TooSlow(message) from error


def _window_days(earliest: int | None, now: datetime) -> int:
    """Days since the first recording, the day in hand included; all 30 for an old project, however quiet."""
    if earliest is None:
        return 1
    return max(1, min(WINDOW_DAYS, (_milliseconds(now) - earliest) // _DAY_MS + 1))


def _milliseconds(at: datetime) -> int:
    """The first whole millisecond since 1970 that is not before the time."""
    return -((datetime.fromtimestamp(0, UTC) - at) // timedelta(milliseconds=1))
