"""Works through gaps of schedules that somebody has asked for after all (extensions "Observing").

A gap is worked through as the schedule would have done it: what the scanner's present query and rate want, page by
page, within quota and caps. What cannot be had stands still and goes on by itself, whatever `on_exhausted` says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import Observations
from commands.scanners import Scanners
from commands.store.application import STORE_OUTAGES
from consumers.relayed import Relayed
from consumers.selection.asking import IN_FLIGHT_CAP, ask
from consumers.selection.candidates import SELECT_SECONDS, STRETCHES, Page, heavy_session, next_page
from domain.eligibility import EligibilityLimits
from domain.errors import NotFound
from domain.event import Actor
from domain.scanner import Scanner
from domain.tenant import Tenant
from projections.queries.in_time import TooSlow

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, *STORE_OUTAGES)

log = logging.getLogger("replay_vision.selection")

MOST = 1_000
"""Gaps of one run, the longest asked for first."""

_BEGIN = """
INSERT INTO selection.redrive
    (gap_id, scanner_id, environment_id, organization_id, settle_number, last_number, requested_at)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (gap_id) DO NOTHING
"""
# A disabled scanner's gaps wait until it is enabled again, as its schedule does.
_OPEN = """
SELECT r.gap_id, r.scanner_id, r.environment_id, r.organization_id, r.settle_number, r.last_number
FROM selection.redrive r JOIN selection.watermark w ON w.scanner_id = r.scanner_id AND w.enabled
ORDER BY r.requested_at, r.settle_number, r.gap_id LIMIT %s
"""
_ADVANCE = "UPDATE selection.redrive SET settle_number = %s WHERE gap_id = %s AND settle_number = %s"
_END = "DELETE FROM selection.redrive WHERE gap_id = %s"
_FORGET = "DELETE FROM selection.redrive WHERE scanner_id = %s"


@dataclass(frozen=True, slots=True)
class OpenGap:
    """A gap and the settle number up to which it is done."""

    gap_id: UUID
    scanner_id: UUID
    environment_id: int
    organization_id: UUID
    settle_number: int
    last_number: int

    @property
    def single(self) -> bool:
        return self.last_number - self.settle_number == 1


def begin(connection: psycopg.Connection, event: Relayed) -> None:
    """Takes in a SweepGapRedriven. Hearing it again changes nothing; after the end it finds everything requested."""
    data = event.data
    values = (data["gap_id"], event.stream_id, data["environment_id"], data["organization_id"])
    connection.execute(_BEGIN, (*values, data["from"] - 1, data["to"], event.recorded_at))


def forget(connection: psycopg.Connection, scanner_id: UUID) -> None:
    """The scanner has ended."""
    connection.execute(_FORGET, (scanner_id,))


class Redriving:
    """Safe to repeat and to run twice at once, as the sweep: requests are unique, progress is compare-and-set."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        scanners: Scanners,
        observations: Observations,
        limits: EligibilityLimits,
        clock: Callable[[], datetime],
        seconds: float = SELECT_SECONDS,
    ) -> None:
        self._pool = pool
        self._scanners = scanners
        self._observations = observations
        self._limits = limits
        self._clock = clock
        self._seconds = seconds

    def run(self, deadline: float) -> bool:
        """Works until every gap is done or waits, or until the deadline (monotonic).

        Returns whether more is to be done as soon as work in flight has ended.
        """
        with self._pool.connection() as connection, connection.cursor(row_factory=class_row(OpenGap)) as cursor:
            gaps = cursor.execute(_OPEN, (MOST,)).fetchall()
        unfinished = False
        slow = set[tuple[UUID, bool]]()  # that a single session is slow says nothing about the scanner's other gaps
        for gap in gaps:
            if time.monotonic() >= deadline:
                return True
            kind = (gap.scanner_id, gap.single)
            if kind in slow:
                continue
            try:
                unfinished |= self._work_through(gap, deadline)
            except NotFound:
                with self._pool.connection() as connection:
                    forget(connection, gap.scanner_id)
            except TooSlow:
                log.warning("the query of a scanner takes too long", extra={"scanner": str(gap.scanner_id)})
                slow.add(kind)
            except OUTAGES:
                raise  # the others would meet the same
            except Exception:
                log.exception("a gap could not be worked through; the others go on", extra={"gap": str(gap.gap_id)})
        return unfinished

    def _work_through(self, gap: OpenGap, deadline: float) -> bool:
        """Whether there is more to do as soon as work in flight has ended."""
        while time.monotonic() < deadline:
            context = self._context(gap)
            scanner = self._scanners.load(context, gap.scanner_id)
            if not scanner.enabled:
                return False
            try:
                page = self._page(context, scanner, gap)
            except TooSlow:
                gap = self._pass_over(context, scanner, gap)
                continue
            asked = ask(self._observations, context, scanner.id, page)
            with self._pool.connection() as connection:
                if asked.waiting_for is None and not page.more:
                    connection.execute(_END, (gap.gap_id,))
                    return False
                if asked.reached is not None:
                    moved = connection.execute(_ADVANCE, (asked.reached, gap.gap_id, gap.settle_number)).rowcount
                    if moved != 1:
                        return False  # somebody else works through it, or has ended it
                    gap = replace(gap, settle_number=asked.reached)
            if asked.waiting_for is not None:
                return asked.waiting_for == IN_FLIGHT_CAP
        return True

    def _page(self, context: Context, scanner: Scanner, gap: OpenGap) -> Page:
        """What the scanner wants next of the gap, of fewer sessions when the query is slow. Raises TooSlow."""
        after, last = gap.settle_number, gap.last_number
        for stretch in STRETCHES[-1:] if gap.single else STRETCHES:
            try:
                with self._pool.connection() as connection:
                    tenant, limits, seconds = context.owned(), self._limits, self._seconds
                    return next_page(
                        connection,
                        tenant,
                        scanner,
                        limits,
                        after,
                        context.now,
                        last=last,
                        stretch=stretch,
                        seconds=seconds,
                    )
            except TooSlow:
                continue
        raise TooSlow(f"scanner {scanner.id}")

    def _pass_over(self, context: Context, scanner: Scanner, gap: OpenGap) -> OpenGap:
        """The gap behind a session that takes too long by itself when another behind it does not. Raises TooSlow.

        At the end of the gap there is nothing to go on with: the session stays asked for.
        """
        after, last = gap.settle_number, gap.last_number
        with self._pool.connection() as connection:
            heavy = heavy_session(
                connection,
                context.owned(),
                scanner,
                self._limits,
                after,
                context.now,
                last=last,
                seconds=self._seconds,
            )
            if heavy is None or not heavy.alone:
                raise TooSlow(f"scanner {scanner.id}")
            connection.execute(_ADVANCE, (heavy.settle_number, gap.gap_id, after))
        extra = {"scanner": str(scanner.id), "settle_number": heavy.settle_number}
        log.warning("a session takes too long by itself and is passed over", extra=extra)
        return replace(gap, settle_number=heavy.settle_number)

    def _context(self, gap: OpenGap) -> Context:
        return Context(
            actor=Actor(type="system", role="selection"),
            now=self._clock(),
            correlation_id=uuid4(),
            tenant=Tenant(gap.environment_id, gap.organization_id),
        )
