"""How many requests a project may make: the reference product's limits (contract 2.1), counted in the database."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from domain.errors import Throttled

SWEEP_BATCH = 1_000
"""Rows that one statement of `forget` deletes."""

QUIET_SECONDS = 2 * 3600
"""A row without a request for this long counts nothing any more."""

_COUNT = "SELECT access.count_request(%s, %s, %s, %s, %s)"

_FORGET = """
DELETE FROM access.request_rate WHERE (environment_id, kind) IN (
    SELECT environment_id, kind FROM access.request_rate
    WHERE last_second < extract(epoch FROM %s::timestamptz) - %s LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests of one kind that an environment may make. There is a row for each kind of each environment."""

    kind: str
    per_minute: int
    per_hour: int


CRUD = Rate("crud", 480, 4_800)
ANALYTICS = Rate("analytics", 240, 1_200)
"""Reads that add up a whole table: both `stats`, and `estimate`."""


class RateLimits:
    """Shared by all copies of the server: a sliding window of a minute and one of an hour, by seconds and minutes.

    Never lets more than the limit through in any 60 s or 60 min; it may refuse up to a second (a minute) longer.
    """

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        """`clock` None: the database's, one for all copies."""
        self._clock = clock

    def count(self, connection: psycopg.Connection, environment_id: int, *, analytics: bool) -> None:
        """Counts a request, in one statement. Raises Throttled, with the seconds to wait; then it is not counted."""
        rate = ANALYTICS if analytics else CRUD
        at = self._clock() if self._clock else None
        values = (environment_id, rate.kind, rate.per_minute, rate.per_hour, at)
        row = connection.execute(_COUNT, values, prepare=True).fetchone()
        if row and row[0] > 0:
            seconds = math.ceil(row[0])
            unit = "second" if seconds == 1 else "seconds"
            message = f"Request was throttled. Expected available in {seconds} {unit}."
            raise Throttled(message, seconds)


def forget(connection: psycopg.Connection, now: datetime) -> int:
    """Deletes up to SWEEP_BATCH rows that count nothing any more; returns how many."""
    return connection.execute(_FORGET, (now, QUIET_SECONDS, SWEEP_BATCH)).rowcount
