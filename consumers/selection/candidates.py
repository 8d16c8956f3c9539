"""Which settled sessions a scanner wants, worked out in the database: eligibility, query, sampling (engine 2.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.eligibility import EligibilityLimits
from domain.sampling import BUCKETS, threshold
from domain.scanner import Scanner
from domain.tenant import Tenant
from projections.queries.definitions import definitions_of
from projections.queries.in_time import Connection, TooSlow, in_time
from projections.queries.matching import condition
from projections.queries.visible import VISIBLE, visible

PAGE = 200
"""Sessions that are requested in one step: the largest bulk request."""

STRETCHES = (5_000, 250, 10, 1)
"""Settled sessions that one statement looks at (the first as in engine 2.3); fewer when it takes too long."""

SELECT_SECONDS = 5.0
"""Longest statement that selects."""

# What no query may select is left out here.
_ELIGIBLE = f"""
{VISIBLE}
AND (s.last_timestamp - s.first_timestamp)::float8 / 1000 >= %(min_duration)s::float8
AND s.active_milliseconds::float8 / 1000 >= %(min_active)s::float8
AND s.active_milliseconds::float8 / 1000 <= %(max_active)s::float8
"""
# domain.sampling in SQL: the first 8 bytes of the digest, as two halves because a bigint has a sign.
_BUCKET = """
(SELECT (('x' || substr(d.hex, 1, 8))::bit(32)::bigint * (4294967296 % {buckets})
         + ('x' || substr(d.hex, 9, 8))::bit(32)::bigint) % {buckets}
 FROM encode(sha256(convert_to(%(scanner_id)s::text || ':' || s.session_id, 'UTF8')), 'hex') d(hex))
""".replace("{buckets}", str(BUCKETS)).replace(f"% {BUCKETS}", f"%% {BUCKETS}")
_SAMPLED = f" AND {_BUCKET} < %(threshold)s"

_END = """
SELECT count(*), max(n.settle_number) FROM (
    SELECT s.settle_number FROM capture.session s
    WHERE s.environment_id = %s AND s.settle_number > %s AND s.settle_number <= %s ORDER BY s.settle_number LIMIT %s) n
"""
_WANTED = """
SELECT s.settle_number, s.session_id FROM capture.session s
WHERE s.settle_number > %(after)s AND s.settle_number <= %(end)s AND {matching}{sampled}
ORDER BY s.settle_number LIMIT %(page)s
"""

_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Matching:
    """`sql`: eligibility and query as a condition on a row `s` of capture.session; None when it selects nothing."""

    sql: str | None
    values: dict[str, Any]
    unsupported: Sequence[str]


def matching(
    connection: Connection, tenant: Tenant, query: Mapping[str, Any], limits: EligibilityLimits, now: datetime
) -> Matching:
    """The condition that selection, gaps and estimates share, with the environment's present definitions."""
    asked = condition(tenant, query, definitions_of(connection, tenant), now)
    values = {
        **asked.values,
        **visible(tenant, now),
        "min_duration": limits.min_duration_seconds,
        "min_active": limits.min_active_seconds,
        "max_active": limits.max_active_seconds,
    }
    return Matching(None if asked.unsupported else f"{_ELIGIBLE} AND {asked.sql}", values, asked.unsupported)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A settled session that a scanner wants."""

    settle_number: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """The next sessions that a scanner wants, in the order in which they settled, behind the number `after`.

    `end`: every session up to this number was looked at; None when there is none. `more`: there may be further ones.
    """

    after: int
    candidates: Sequence[Candidate]
    end: int | None
    more: bool


def next_page(
    connection: Connection,
    tenant: Tenant,
    scanner: Scanner,
    limits: EligibilityLimits,
    after: int,
    now: datetime,
    *,
    last: int = _LAST,
    stretch: int = STRETCHES[0],
    seconds: float = SELECT_SECONDS,
) -> Page:
    """Up to PAGE sessions of the next `stretch` that settled after one number, up to another.

    Only ids and numbers are read, so memory does not grow with sessions. Raises TooSlow; psycopg.OperationalError when
    the database is away.
    """
    with in_time(connection, seconds) as bounded:
        looked_at = bounded.execute(_END, (tenant.environment_id, after, last, stretch)).fetchone()
        count, end = looked_at or (0, None)
        asked = matching(bounded, tenant, scanner.query, limits, now)
        if not count or asked.sql is None or threshold(scanner.sampling_rate) == 0:
            return Page(after, (), end, count == stretch)
        sample = {"scanner_id": str(scanner.id), "threshold": threshold(scanner.sampling_rate)}
        values = {**asked.values, **sample, "after": after, "end": end, "page": PAGE}
        sampled = _SAMPLED if sample["threshold"] != BUCKETS else ""
        statement = _WANTED.format(matching=asked.sql, sampled=sampled)
        found = [Candidate(*row) for row in bounded.execute(statement.encode(), values)]
    if len(found) == PAGE:
        return Page(after, found, found[-1].settle_number, more=True)
    return Page(after, found, end, count == stretch)


@dataclass(frozen=True, slots=True)
class Heavy:
    """A session that takes too long by itself. `alone`: the one that settled after it does not, so it is to blame."""

    settle_number: int
    alone: bool


def heavy_session(
    connection: Connection,
    tenant: Tenant,
    scanner: Scanner,
    limits: EligibilityLimits,
    after: int,
    now: datetime,
    *,
    last: int = _LAST,
    seconds: float = SELECT_SECONDS,
) -> Heavy | None:
    """The next session behind `after`, which took too long by itself a moment ago; None when there is none.

    A query that is slow whatever it reads, and a database that is busy, fail for the session behind it as well.
    """
    row = connection.execute(_END, (tenant.environment_id, after, last, 1)).fetchone()
    number = row[1] if row else None
    if number is None:
        return None
    try:
        found = next_page(connection, tenant, scanner, limits, number, now, stretch=1, seconds=seconds)
    except TooSlow:
        return Heavy(number, alone=False)
    return Heavy(number, alone=found.end is not None)
