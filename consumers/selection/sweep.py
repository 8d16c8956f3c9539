"""The sweep: walks the settled sessions of every enabled scanner and requests observations (architecture 5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import Observations
from commands.scanners import Scanners
from consumers.selection.asking import IN_FLIGHT_CAP, PAID, SESSION_TOO_SLOW, ask
from consumers.selection.candidates import SELECT_SECONDS, STRETCHES, Page, heavy_session, next_page
from consumers.selection.redrive import Redriving
from consumers.selection.watermarks import TOO_SLOW, Watermark, advance, enabled_watermarks, note_waiting
from domain.eligibility import EligibilityLimits
from domain.errors import NotFound
from domain.event import Actor
from domain.scanner import Scanner
from domain.tenant import Tenant
from projections.queries.in_time import TooSlow
from projections.queries.sessions import last_settle_number, settled_by

log = logging.getLogger("replay_vision.selection")

SWEEP_SECONDS = 60
"""Longest one sweep; the scanners that were swept longest ago come first, so the rest has its turn at the next."""

SLOW_SECONDS = 20
"""Longest time of a sweep that goes to scanners whose query took too long before. They come last."""

AGAIN_SECONDS = 2.0

GIVE_UP = timedelta(minutes=10)
"""How long a watermark stands before a session that takes too long by itself, when that may be the query's fault."""


@dataclass(frozen=True, slots=True)
class SweepRules:
    """`on_exhausted`: wait for quota at the first session that cannot be paid, or skip it and record the gap.

    `select_seconds`: longest statement that selects.
    """

    limits: EligibilityLimits
    settle_interval: timedelta
    on_exhausted: Literal["wait", "skip"] = "wait"
    select_seconds: float = SELECT_SECONDS


class Sweep:
    """One run over all enabled scanners, then over the gaps that were asked for after all.

    Safe to repeat and to run twice at once: requests are unique by pair and watermarks move by compare-and-set.
    """

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        scanners: Scanners,
        observations: Observations,
        rules: SweepRules,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._scanners = scanners
        self._observations = observations
        self._rules = rules
        self._clock = clock
        self._redriving = Redriving(pool, scanners, observations, rules.limits, clock, rules.select_seconds)

    def run(self) -> float | None:
        """Sweeps until every scanner has caught up, waits, or the time is over.

        Returns the seconds after which another sweep is worth while before the next tick: work in flight ends by
        itself, so a full cap or an unfinished sweep does not wait for a whole interval. None otherwise.
        """
        deadline = time.monotonic() + SWEEP_SECONDS
        unfinished = False
        with self._pool.connection() as connection:
            marks = enabled_watermarks(connection)
        slow_until = deadline
        for mark in marks:
            if mark.too_slow:
                slow_until = min(slow_until, time.monotonic() + SLOW_SECONDS)
                if time.monotonic() >= slow_until:
                    break  # as are all that follow; each sweep has them in another order
            try:
                unfinished |= self._sweep_scanner(mark, slow_until)
            except NotFound:
                continue  # deleted since; its watermark goes with the event
            except Exception:
                log.exception("a scanner's sweep failed; the others go on", extra={"scanner": str(mark.scanner_id)})
        unfinished |= self._redriving.run(deadline)
        return AGAIN_SECONDS if unfinished or time.monotonic() >= deadline else None

    def _sweep_scanner(self, mark: Watermark, deadline: float) -> bool:
        """Whether there is more to do as soon as work in flight has ended."""
        context = self._context(mark)
        scanner = self._scanners.load(context, mark.scanner_id)
        if not scanner.enabled:
            return False  # switched off a moment ago: the watermark has not heard of it yet
        stretch = STRETCHES[-1] if mark.too_slow else STRETCHES[0]
        while time.monotonic() < deadline:
            now = self._clock()
            try:
                page, head = self._page(context, scanner, mark, stretch)
            except TooSlow:
                slower = self._slower(context, scanner, mark, stretch)
                if slower is None:
                    return False
                mark, stretch = slower
                continue
            reached, waiting = self._request(context, scanner, page)
            if page.end is None:
                reached = head
            with self._pool.connection() as connection:
                passed = now if page.end is None or reached is None else settled_by(connection, reached) or now
                if reached is not None and not advance(connection, mark, reached, passed, self._rules.settle_interval):
                    return False  # stopped, re-enabled or swept by somebody else meanwhile
                if reached is not None:
                    mark = replace(mark, settle_number=reached)
                if waiting is not None:
                    note_waiting(connection, mark, waiting, now)
                    return waiting == IN_FLIGHT_CAP
            if not page.more:
                return False
        return True

    def _page(self, context: Context, scanner: Scanner, mark: Watermark, stretch: int) -> tuple[Page, int]:
        """What the scanner wants next, and the highest settle number that there was before. Raises TooSlow."""
        after, seconds = mark.settle_number, self._rules.select_seconds
        with self._pool.connection() as connection:
            head = last_settle_number(connection)
            tenant, limits = context.owned(), self._rules.limits
            return next_page(
                connection, tenant, scanner, limits, after, self._clock(), stretch=stretch, seconds=seconds
            ), head

    def _slower(
        self, context: Context, scanner: Scanner, mark: Watermark, stretch: int
    ) -> tuple[Watermark, int] | None:
        """With what to go on when a stretch took too long; None when the scanner waits."""
        if stretch != STRETCHES[-1]:
            return mark, STRETCHES[STRETCHES.index(stretch) + 1]
        passed_over = self._pass_over(context, scanner, mark, self._clock())
        return None if passed_over is None else (passed_over, STRETCHES[0])

    def _pass_over(self, context: Context, scanner: Scanner, mark: Watermark, now: datetime) -> Watermark | None:
        """The watermark behind the session that takes too long by itself, which becomes a gap; None when it waits.

        A visitor can make a session that a query takes for ever with: it must not stop the sessions behind it. When the
        next session is as slow, the query or the database is more likely the reason, and the watermark waits; but no
        longer than GIVE_UP, since there may be several such sessions in a row.
        """
        limits, seconds = self._rules.limits, self._rules.select_seconds
        with self._pool.connection() as connection:
            heavy = heavy_session(
                connection, context.owned(), scanner, limits, mark.settle_number, self._clock(), seconds=seconds
            )
        waited = mark.too_slow and mark.waiting_since is not None and now - mark.waiting_since >= GIVE_UP
        extra = {"scanner": str(scanner.id)}
        if heavy is None or not (heavy.alone or waited):
            log.warning("the query of a scanner takes too long", extra=extra)
            with self._pool.connection() as connection:
                note_waiting(connection, mark, TOO_SLOW, now)
            return None
        number = heavy.settle_number
        log.warning("a session takes too long by itself and is passed over", extra={**extra, "settle_number": number})
        self._scanners.skip_gap(context, scanner.id, number, number, SESSION_TOO_SLOW)
        with self._pool.connection() as connection:
            passed = settled_by(connection, number) or now
            if not advance(connection, mark, number, passed, self._rules.settle_interval):
                return None  # stopped, re-enabled or swept by somebody else meanwhile
        return replace(mark, settle_number=number, too_slow=False, waiting_since=None)

    def _request(self, context: Context, scanner: Scanner, page: Page) -> tuple[int | None, str | None]:
        """Requests what the scanner wants of a page.

        Returns the settle number that is done with (None: nothing is), and what it waits for.
        """
        asked = ask(self._observations, context, scanner.id, page)
        if asked.stuck is None or asked.waiting_for not in PAID or self._rules.on_exhausted == "wait":
            return asked.reached, asked.waiting_for
        last = page.end or asked.stuck
        self._scanners.skip_gap(context, scanner.id, asked.stuck, last, asked.waiting_for)
        return last, None

    def _context(self, mark: Watermark) -> Context:
        return Context(
            actor=Actor(type="system", role="selection"),
            now=self._clock(),
            correlation_id=uuid4(),
            tenant=Tenant(mark.environment_id, mark.organization_id),
        )
