"""What one project token may send (architecture 10). Tokens are public: whoever reads a page's source has one.

The defaults are far above what a site does. A light page makes 60 to 100 KB of recording a minute (capture 7), three
times that as messages: 100,000 sessions of ten minutes are 300 GB a day, and an import of 5,000 batches of 50 KB a
minute makes 360 GB if it goes on all day. A recorder posts every two seconds at most and its session ends after
24 hours (capture 3): 43,200 posts, of one window. A long session of a heavy application has some hundred megabytes.
What analytics events may bring follows from the sessions: the largest of the corpus has 60 events, and a visitor who
logs in is two, before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg

from consumers.capture.digest.facts import Facts
from consumers.capture.digest.parts import Part
from consumers.capture.wire.refusals import OverLimit, OverSessionBytes, OverSessionParts, OverSessions

_ADD = """
    INSERT INTO capture.day (environment_id, day, bytes, sessions, events, event_sessions, visitors)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (environment_id, day) DO UPDATE SET
        bytes = day.bytes + excluded.bytes,
        sessions = day.sessions + excluded.sessions,
        events = day.events + excluded.events,
        event_sessions = day.event_sessions + excluded.event_sessions,
        visitors = day.visitors + excluded.visitors
"""

_TAKEN = """
    SELECT bytes, sessions, events, event_sessions, visitors FROM capture.day WHERE environment_id = %s AND day = %s
"""


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """Days are UTC's. Bytes a day are those of messages; bytes of a session are its `size` (capture 5)."""

    bytes_per_day: int = 500_000_000_000
    sessions_per_day: int = 1_000_000
    parts_per_session: int = 250_000
    bytes_per_session: int = 4 * 1024 * 1024 * 1024

    @property
    def events_per_day(self) -> int:
        """Analytics events that are stored."""
        return 100 * self.sessions_per_day

    @property
    def visitors_per_day(self) -> int:
        """Visitors who are new."""
        return 2 * self.sessions_per_day


GENEROUS = CaptureLimits()


@dataclass(slots=True)
class Amount:
    """What was taken in for an environment.

    `sessions` are recorded ones; `event_sessions` are those that became known by analytics events; `visitors` new ones.
    """

    bytes: int = 0
    sessions: int = 0
    events: int = 0
    event_sessions: int = 0
    visitors: int = 0


def add(conn: psycopg.Connection, day: date, environment_id: int, amount: Amount) -> None:
    """Adds to what a day has taken in, in the caller's transaction."""
    counts = (amount.bytes, amount.sessions, amount.events, amount.event_sessions, amount.visitors)
    conn.execute(_ADD, (environment_id, day, *counts))


def taken_on(conn: psycopg.Connection, day: date, environment_id: int) -> Amount:
    """What is counted so far."""
    row = conn.execute(_TAKEN, (environment_id, day)).fetchone()
    return Amount() if row is None else Amount(*row)


@dataclass(frozen=True, slots=True)
class Room:
    """What analytics events may still bring in an environment and day. Less than nothing when there is too much."""

    events: int
    sessions: int
    visitors: int


def room_for_events(conn: psycopg.Connection, limits: CaptureLimits, day: date, environment_id: int) -> Room:
    """As for recordings, transactions at the same time do not see what each other take."""
    taken = taken_on(conn, day, environment_id)
    return Room(
        limits.events_per_day - taken.events,
        limits.sessions_per_day - taken.event_sessions,
        limits.visitors_per_day - taken.visitors,
    )


class Admission:
    """What one transaction may take in, and has taken in. `now` has a zone.

    Transactions at the same time do not see each other's new sessions, so a day may have a few more than its limit.
    """

    def __init__(self, conn: psycopg.Connection, limits: CaptureLimits, now: datetime) -> None:
        self._conn = conn
        self._limits = limits
        self._day = now.astimezone(UTC).date()
        self._before: dict[int, int] = {}
        self._taken: dict[int, Amount] = {}

    def refusals(self, session: tuple[int, str], before: Facts | None, parts: Sequence[Part]) -> list[OverLimit | None]:
        """Why each new part of a session is not taken any more, or None. `before` is None for a new session."""
        if before is None and not self._has_room_for_session(session[0]):
            refusal = OverSessions(f"An environment may have {self._limits.sessions_per_day} new sessions a day.")
            return [refusal] * len(parts)
        return list(self._beyond(before, parts))

    def take(self, environment_id: int, taken: int, *, new: bool) -> None:
        """Notes bytes of messages, of a `new` session or not, that are about to be stored."""
        amount = self._taken.setdefault(environment_id, Amount())
        amount.bytes += taken
        amount.sessions += new

    def give_back(self, environment_id: int, taken: int, *, new: bool) -> None:
        """Of what was noted: what was not stored after all."""
        amount = self._taken[environment_id]
        amount.bytes -= taken
        amount.sessions -= new

    def save(self) -> None:
        """Adds it to the day. Holds the environments' rows until the transaction ends, so call it late."""
        for environment_id, amount in sorted(self._taken.items()):
            if amount != Amount():
                add(self._conn, self._day, environment_id, amount)

    def _has_room_for_session(self, environment_id: int) -> bool:
        if environment_id not in self._before:
            stored = taken_on(self._conn, self._day, environment_id)
            self._before[environment_id] = stored.sessions
        here = self._taken.get(environment_id, Amount()).sessions
        return self._before[environment_id] + here < self._limits.sessions_per_day

    def _beyond(self, before: Facts | None, parts: Sequence[Part]) -> Iterator[OverLimit | None]:
        """What is not taken counts nothing."""
        count, size = (0, 0) if before is None else (before.counts["message_count"], before.counts["size"])
        for part in parts:
            if count + 1 > self._limits.parts_per_session:
                yield OverSessionParts(f"A session may have {self._limits.parts_per_session} batches.")
            elif size + part.facts.counts["size"] > self._limits.bytes_per_session:
                yield OverSessionBytes(f"A session may have {self._limits.bytes_per_session} bytes.")
            else:
                count += 1
                size += part.facts.counts["size"]
                yield None
