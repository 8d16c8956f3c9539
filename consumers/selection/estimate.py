"""Stored estimates: how many observations a month each scanner is expected to make (contract 3.4, 6).

They are worked out when a scanner is saved and kept fresh in the background. What is shown and summed up is read
through projections/queries/estimates.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumers.selection.counting import COUNT_SECONDS, Matched, TooSlow, matched, matched_in
from domain.eligibility import EligibilityLimits
from domain.scanner import Scanner
from domain.tenant import Tenant
from domain.values import same_value
from projections.queries import estimates
from projections.queries.estimates import Inputs

log = logging.getLogger("replay_vision.selection")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]

GROUP = "estimator"

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError)

MONTH_DAYS = 30

STALE_AFTER = timedelta(days=1)
"""Age from which an estimate is worked out anew (contract 3.4)."""

AGAIN_AFTER = timedelta(minutes=15)
"""After a background count that failed; the reference product's cadence (engine 6)."""

MOST = 400
"""Scanners of one look (engine 6)."""

SLICE_SECONDS = 1.0
"""After so long the refresh lets its loop look for the stop, and goes on."""

POOL_SECONDS = 2.0
"""Longest wait of a save for a connection; without one it goes on without an estimate."""

# A result is dropped when the scanner was deleted or its inputs changed while it was counted (engine trap 64), or
# when somebody stored one of a later version meanwhile.
_STORE = """
INSERT INTO selection.estimate AS e
    (scanner_id, environment_id, organization_id, monthly, query, sampling_rate, scanner_version, estimated_at)
SELECT %(scanner_id)s, %(environment_id)s, %(organization_id)s, %(monthly)s, %(query)s::text::json, %(sampling_rate)s,
       %(scanner_version)s, %(at)s
WHERE NOT EXISTS (
    SELECT FROM read_scanners.scanner s
    WHERE s.environment_id = %(environment_id)s AND s.id = %(scanner_id)s
          AND (s.deleted_at IS NOT NULL
               OR (s.scanner_version > %(scanner_version)s
                   AND (s.query::text <> %(query)s::text OR s.sampling_rate <> %(sampling_rate)s))))
ON CONFLICT (scanner_id) DO UPDATE
SET monthly = excluded.monthly, query = excluded.query, sampling_rate = excluded.sampling_rate,
    scanner_version = excluded.scanner_version, estimated_at = excluded.estimated_at
WHERE e.scanner_version IS NULL OR e.scanner_version <= excluded.scanner_version
"""
_ATTEMPT = """
INSERT INTO selection.estimate AS e (scanner_id, environment_id, organization_id, attempted_at)
VALUES (%s, %s, %s, %s) ON CONFLICT (scanner_id) DO UPDATE SET attempted_at = excluded.attempted_at
"""
_FORGET = """
DELETE FROM selection.estimate WHERE scanner_id IN (
    SELECT e.scanner_id FROM selection.estimate e
    JOIN read_scanners.scanner s ON s.id = e.scanner_id AND s.deleted_at IS NOT NULL LIMIT %s)
"""


def monthly(found: Matched, sampling_rate: float) -> int:
    """Observations a month: the contract's formula in its own order, in floating point, halves to the even number.

    4,210 sessions in 30 days at 0.25 make 1,052, not 1,053 (contract 6).
    """
    return round(found.sessions / found.window_days * MONTH_DAYS * sampling_rate)


@dataclass(frozen=True, slots=True)
class Estimates:
    """Works estimates out and stores them. Thread-safe. `seconds` bounds one count."""

    pool: Pool
    limits: EligibilityLimits
    clock: Callable[[], datetime]
    seconds: float = COUNT_SECONDS

    def matched(self, tenant: Tenant, query: dict[str, Any]) -> Matched:
        """What the query matches in the look-back. Raises TooSlow; psycopg.OperationalError in an outage."""
        with self.pool.connection() as connection:
            return matched(connection, tenant, query, self.limits, self.clock(), seconds=self.seconds)

    def matched_in(self, tenant: Tenant, query: dict[str, Any], ranges: Sequence[tuple[int, int]]) -> list[int]:
        """As `counting.matched_in`. Raises as `matched`."""
        with self.pool.connection() as connection:
            return matched_in(connection, tenant, query, self.limits, ranges, self.clock(), seconds=self.seconds)

    def keep(self, tenant: Tenant, scanner: Scanner, *, switched_on: bool = False) -> None:
        """After a save: works out the estimate when there is none, or none of the scanner's present inputs.

        When the save has `switched_on` the scanner, also one older than a day (contract 3.4). A failure is logged and
        leaves what is stored: it never fails the save, and the background refresh makes up for it.
        """
        inputs = Inputs(scanner.id, tenant, scanner.query, scanner.sampling_rate, scanner.scanner_version)
        try:
            with self.pool.connection(timeout=POOL_SECONDS) as connection:
                known = estimates.stored(connection, tenant, scanner.id)
                if known is None or not _fits(known, inputs, self.clock() if switched_on else None):
                    self.work_out(connection, inputs)
        except (TooSlow, *OUTAGES) as error:
            log.warning("a scanner was saved without a new estimate: %s", error, extra={"scanner": str(scanner.id)})
        except Exception:
            log.exception("a scanner was saved without a new estimate", extra={"scanner": str(scanner.id)})

    def work_out(self, connection: psycopg.Connection[TupleRow], inputs: Inputs) -> bool:
        """Counts and stores. False when the result was dropped: the inputs changed meanwhile. Raises as `matched`."""
        now = self.clock()
        found = matched(connection, inputs.tenant, inputs.query, self.limits, now, seconds=self.seconds)
        values = {
            "scanner_id": inputs.scanner_id,
            "environment_id": inputs.tenant.environment_id,
            "organization_id": inputs.tenant.organization_id,
            "monthly": monthly(found, inputs.sampling_rate),
            "query": orjson.dumps(inputs.query).decode(),
            "sampling_rate": inputs.sampling_rate,
            "scanner_version": inputs.scanner_version,
            "at": now,
        }
        return connection.execute(_STORE, values).rowcount == 1


def _fits(known: estimates.Stored, inputs: Inputs, now: datetime | None) -> bool:
    same = same_value(known.query, inputs.query) and known.sampling_rate == inputs.sampling_rate
    return same and (now is None or known.estimated_at > now - STALE_AFTER)


class Refresh:
    """Keeps every scanner's estimate at most about a day old. Safe to repeat and to run twice at once."""

    def __init__(self, pool: Pool, worker: Estimates) -> None:
        self._pool = pool
        self._worker = worker

    def run(self) -> float | None:
        """Works for a slice of time: enabled scanners first, those without an estimate first, then the oldest.

        Returns 0 when there is more to do, else None. A scanner whose count fails has its turn again later. Raises when
        the database is away.
        """
        deadline = time.monotonic() + SLICE_SECONDS
        now = self._worker.clock()
        with self._pool.connection() as connection:
            connection.execute(_FORGET, (MOST,))
            due = estimates.due(connection, now - STALE_AFTER, now - AGAIN_AFTER, MOST)
        for done, inputs in enumerate(due, start=1):
            self._refresh(inputs)
            if time.monotonic() >= deadline and done < len(due):
                return 0.0
        return 0.0 if len(due) == MOST else None

    def _refresh(self, inputs: Inputs) -> None:
        tenant = inputs.tenant
        with self._pool.connection() as connection:
            attempt = (inputs.scanner_id, tenant.environment_id, tenant.organization_id, self._worker.clock())
            connection.execute(_ATTEMPT, attempt)
            try:
                self._worker.work_out(connection, inputs)
            except TooSlow as error:
                log.warning("an estimate stays old: %s", error, extra={"scanner": str(inputs.scanner_id)})
            except OUTAGES:
                raise
            except Exception:
                log.exception("an estimate failed; the others go on", extra={"scanner": str(inputs.scanner_id)})
