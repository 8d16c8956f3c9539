"""Whether more may be taken in for an environment today, asked at each request and looked up every few seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from consumers.capture.digest.limits import taken_on
from consumers.capture.messages.held import Connections
from consumers.capture.wire.refusals import OverDay

FRESH = timedelta(seconds=5)
"""How old the answer may be: at 100 MB/s, half a gigabyte too much."""

MOST_KNOWN = 10_000
"""Environments remembered at a time."""


@dataclass(slots=True)
class _Known:
    day: date
    until: datetime
    """As long as it holds: FRESH, and not into another day."""
    stored: int
    here: int = 0


class Allowance:
    """One for a process, shared by its threads.

    The consumers count what they store of recordings, and all that comes of analytics events. What this process has
    taken and they have not seen yet counts too, or a consumer that is behind would leave the door open.
    """

    def __init__(self, pool: Connections, bytes_per_day: int, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._limit = bytes_per_day
        self._clock = clock
        self._known: dict[int, _Known] = {}

    def check(self, environment_id: int) -> None:
        """Raises OverDay when the day's bytes are used up."""
        known = self._fresh(environment_id)
        if max(known.stored, known.here) >= self._limit:
            wait = _until_after(known.day, self._clock())
            raise OverDay(f"An environment may take in {self._limit} bytes a day.", wait)

    def sure(self, environment_id: int) -> bool:
        """Whether `check` would pass, as far as can be told without asking the database."""
        known = self._known.get(environment_id)
        return known is not None and self._clock() < known.until and max(known.stored, known.here) < self._limit

    def count(self, environment_id: int, taken: int) -> None:
        """Notes bytes that were published, after `check`. Asks nobody: it is too late to refuse."""
        if known := self._known.get(environment_id):
            known.here += taken

    def _fresh(self, environment_id: int) -> _Known:
        now = self._clock().astimezone(UTC)
        known = self._known.get(environment_id)
        if known is not None and now < known.until:
            return known
        with self._pool.connection() as conn:
            stored = taken_on(conn, now.date(), environment_id).bytes
        here = known.here if known is not None and known.day == now.date() else 0
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        until = min(now + FRESH, _end(now.date()))
        self._known[environment_id] = found = _Known(now.date(), until, stored, here)
        return found


def _end(day: date) -> datetime:
    """When a day of UTC is over."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def _until_after(day: date, now: datetime) -> int:
    """Seconds until a day of UTC is over, rounded up: whoever waits for them is not a moment early."""
    return max(1, math.ceil((_end(day) - now).total_seconds()))
