"""How many sessions a query matches: the condition of the sweep, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consumers.selection.candidates import matching
from domain.eligibility import EligibilityLimits
from domain.tenant import Tenant
from projections.queries.in_time import Connection, TooSlow, in_time
from projections.queries.retention import kept_days_of
from projections.queries.sessions import milliseconds

__all__ = ["COUNT_SECONDS", "Matched", "TooSlow", "matched", "matched_in"]

WINDOW_DAYS = 30
"""Days that an estimate looks back (contract 6)."""

_DAY_MS = 86_400_000

COUNT_SECONDS = 8.0
"""Longest count; with the time to stop it stays below the 10 s that a process has to end, and a client to wait."""

# A session cannot have begun after we received it, so one from a clock that is ahead is taken by our own.
_IN_WINDOW = " AND s.first_timestamp >= %(since_ms)s AND s.first_received_at >= %(since)s"
# Also of what is past its retention, deleted or removed: a project stays as old as it is (engine trap 64). What was
# removed had come at the latest when the day ended that it was counted for.
_EARLIEST = """
SELECT least(
    (SELECT min(s.first_timestamp) FROM capture.session s WHERE s.environment_id = %(environment)s),
    (SELECT extract(epoch FROM min(d.day) + 1)::bigint * 1000 FROM capture.day d
     WHERE d.environment_id = %(environment)s AND d.sessions > 0))
"""

_IN_RANGES = """
SELECT count(s.session_id)
FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) WITH ORDINALITY AS r(first, last, place)
LEFT JOIN LATERAL (
    SELECT s.session_id FROM capture.session s WHERE s.settle_number BETWEEN r.first AND r.last AND {matching}
) s ON true
GROUP BY r.place ORDER BY r.place
"""


@dataclass(frozen=True, slots=True)
class Matched:
    """Sessions that match in the look-back, before sampling, and how many days of recordings it spans, 1 or more.

    `unsupported`: conditions that cannot be answered, for which nothing matches.
    """

    sessions: int
    window_days: int
    unsupported: Sequence[str] = ()


def matched(
    connection: Connection,
    tenant: Tenant,
    query: Mapping[str, Any],
    limits: EligibilityLimits,
    now: datetime,
    *,
    seconds: float = COUNT_SECONDS,
) -> Matched:
    """Counts the environment's sessions that began in the 30 days before `now`, to the millisecond (engine trap 63).

    Settled or not: one that goes on will settle. The look-back has fewer days when the recordings do (contract 6), be
    it that the project is young or that its retention is shorter: what is past that matches nothing any more.
    Raises TooSlow when it takes longer than `seconds`; psycopg.OperationalError when the database is away.
    """
    with in_time(connection, seconds) as bounded:
        most = min(WINDOW_DAYS, kept_days_of(bounded, tenant))
        since = now - timedelta(days=most)
        row = bounded.execute(_EARLIEST, {"environment": tenant.environment_id}).fetchone()
        days = _window_days(row[0] if row else None, now, most)
        asked = matching(bounded, tenant, query, limits, now)
        if asked.sql is None:
            return Matched(0, days, asked.unsupported)
        statement = f"SELECT count(*) FROM capture.session s WHERE {asked.sql}{_IN_WINDOW}"  # noqa: S608 - our own
        values = {**asked.values, "since": since, "since_ms": milliseconds(since)}
        counted = bounded.execute(statement.encode(), values).fetchone()
    return Matched(counted[0] if counted else 0, days)


def matched_in(
    connection: Connection,
    tenant: Tenant,
    query: Mapping[str, Any],
    limits: EligibilityLimits,
    ranges: Sequence[tuple[int, int]],
    now: datetime,
    *,
    seconds: float = COUNT_SECONDS,
) -> list[int]:
    """For each range of settle numbers, both ends included: the environment's sessions in it that match.

    Raises as `matched`.
    """
    if not ranges:
        return []
    with in_time(connection, seconds) as bounded:
        asked = matching(bounded, tenant, query, limits, now)
        if asked.sql is None:
            return [0] * len(ranges)
        values = {**asked.values, "firsts": [first for first, _ in ranges], "lasts": [last for _, last in ranges]}
        rows = bounded.execute(_IN_RANGES.format(matching=asked.sql).encode(), values).fetchall()
    return [row[0] for row in rows]


def _window_days(earliest: int | None, now: datetime, most: int) -> int:
    """Days since the first recording, the day in hand included; all `most` for an old project, however quiet."""
    if earliest is None:
        return 1
    return max(1, min(most, (milliseconds(now) - earliest) // _DAY_MS + 1))
