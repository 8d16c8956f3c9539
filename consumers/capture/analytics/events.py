"""The rows of analytics events, as the consumer writes them: each uuid once, the earliest of a session."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from consumers.capture.analytics.elements import elements_of
from consumers.capture.analytics.event import AnalyticsEvent
from consumers.capture.digest.deletions import deleted
from consumers.capture.digest.limits import Room
from consumers.capture.wire.encodings import Json, dump

MAX_EVENTS = 10_000
"""Kept of one session: the earliest by (`at`, uuid), whatever order they come in. The largest of the corpus has 60."""

FULL = "full_session"
OVER_EVENTS = "over_day_events"
OVER_SESSIONS = "over_day_sessions"
"""Reasons in capture.analytics_left_out: a session or a day that has all it may have (limits.py)."""

Session = tuple[int, str]

_COLUMNS = {
    "environment_id": "integer",
    "session_id": "text",
    "uuid": "uuid",
    "name": "text",
    "at": "bigint",
    "window_id": "text",
    "distinct_id": "text",
    "current_url": "text",
    "properties": "jsonb",
    "elements": "jsonb",
    "received_at": "timestamptz",
    "arrived_at": "timestamptz",
}

_INSERT = f"""
    INSERT INTO capture.analytics_event ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)}
    FROM jsonb_to_recordset(%s) AS new ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
    ON CONFLICT DO NOTHING
    RETURNING environment_id, session_id
"""  # noqa: S608 - columns of our own

_UNKNOWN = """
    SELECT environment_id, session_id
    FROM unnest(%s::integer[], %s::text[]) AS given (environment_id, session_id)
    WHERE NOT EXISTS (
        SELECT FROM capture.session
        WHERE session.environment_id = given.environment_id AND session.session_id = given.session_id
    ) AND NOT EXISTS (
        SELECT FROM capture.analytics_event AS event
        WHERE event.environment_id = given.environment_id AND event.session_id = given.session_id
    )
"""

_FULL = """
    SELECT environment_id, session_id, count(*)
    FROM capture.analytics_event
    JOIN unnest(%s::integer[], %s::text[]) AS given (environment_id, session_id) USING (environment_id, session_id)
    GROUP BY environment_id, session_id
    HAVING count(*) > %s
    ORDER BY environment_id, session_id
"""

_TRIM = """
    DELETE FROM capture.analytics_event
    WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s AND (at, uuid) > (
        SELECT at, uuid FROM capture.analytics_event
        WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s
        ORDER BY at, uuid OFFSET %(most)s - 1 LIMIT 1
    )
"""

_OPEN = """
    SELECT environment_id, session_id
    FROM capture.session
    JOIN unnest(%s::integer[], %s::text[]) AS given (environment_id, session_id) USING (environment_id, session_id)
    WHERE settle_number IS NULL AND last_arrived_at IS NOT NULL
    ORDER BY environment_id, session_id
    FOR UPDATE OF session
"""

_TOUCH = """
    UPDATE capture.session SET last_arrived_at = greatest(last_arrived_at, %s)
    FROM unnest(%s::integer[], %s::text[]) AS given (environment_id, session_id)
    WHERE session.environment_id = given.environment_id AND session.session_id = given.session_id
      AND settle_number IS NULL
"""

_LEFT_OUT = """
    INSERT INTO capture.analytics_left_out AS known (environment_id, reason, seen) VALUES (%s, %s, %s)
    ON CONFLICT (environment_id, reason) DO UPDATE SET seen = known.seen + excluded.seen
"""


@dataclass(slots=True)
class Stored:
    """By environment: how many events were new, and how many sessions that nothing was known of.

    `left_out` by environment and reason.
    """

    fresh: Counter[int] = field(default_factory=Counter[int])
    sessions: Counter[int] = field(default_factory=Counter[int])
    left_out: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])


def store(
    conn: psycopg.Connection,
    events: Sequence[tuple[int, AnalyticsEvent]],
    arrived_at: datetime,
    rooms: Mapping[int, Room],
) -> Stored:
    """Inserts the events that are new, each with its environment, which has its room.

    New sessions for which there is no room are passed over, in the order of the events. While an environment has room
    for an event, a whole batch fits: which of its events are repeats is not known before.
    Events of deleted sessions are passed over; whoever erases looks for those that come in at the same moment. The
    recordings that they belong to settle later for it while they are open; a settled one stays as it is, because
    what was judged of it must not be judged again for an event.
    """
    # Everybody inserts in the same order, so that nobody waits for each other.
    sessions = {(environment_id, event.session_id) for environment_id, event in events if event.session_id is not None}
    sessions -= deleted(conn, sessions)
    stored = Stored()
    wanted = _within(conn, events, sessions, rooms, stored)
    ordered = sorted(wanted, key=lambda one: (one[0], one[1].key, one[1].uuid))
    rows = [_row(environment_id, event, arrived_at) for environment_id, event in ordered]
    inserted = conn.execute(_INSERT.encode(), (Jsonb(rows, dumps=dump),)).fetchall()
    stored.fresh.update(environment_id for environment_id, _ in inserted)
    touched = sorted(set(inserted))
    _keep_open(conn, touched, arrived_at)
    for environment_id, session_id, count in conn.execute(_FULL, (*_split(touched), MAX_EVENTS)).fetchall():
        where = {"environment_id": environment_id, "session_id": session_id, "most": MAX_EVENTS}
        conn.execute(_TRIM, where)
        stored.left_out[environment_id, FULL] += count - MAX_EVENTS
    return stored


def _within(
    conn: psycopg.Connection,
    events: Sequence[tuple[int, AnalyticsEvent]],
    sessions: AbstractSet[Session],
    rooms: Mapping[int, Room],
    stored: Stored,
) -> list[tuple[int, AnalyticsEvent]]:
    """Those of `sessions` for which the day has room; notes new sessions and what is left out in `stored`."""
    unknown: set[Session] = {(row[0], row[1]) for row in conn.execute(_UNKNOWN, _split(sorted(sessions))).fetchall()}
    wanted: list[tuple[int, AnalyticsEvent]] = []
    for environment_id, event in events:
        session, room = (environment_id, event.session_id or ""), rooms[environment_id]
        if session not in sessions:
            continue
        if room.events <= 0:
            stored.left_out[environment_id, OVER_EVENTS] += 1
            continue
        if session in unknown:
            if stored.sessions[environment_id] >= room.sessions:
                stored.left_out[environment_id, OVER_SESSIONS] += 1
                continue
            unknown.remove(session)
            stored.sessions[environment_id] += 1
        wanted.append((environment_id, event))
    return wanted


def count_left_out(conn: psycopg.Connection, left_out: Iterable[tuple[int, str, int]]) -> None:
    """Adds (environment, reason, number) to the counts. A repeat of what was left out may be counted again."""
    for environment_id, reason, number in sorted(left_out):
        if number:
            conn.execute(_LEFT_OUT, (environment_id, reason, number))


def left_out_counts(conn: psycopg.Connection) -> dict[str, int]:
    """How much of analytics events was not kept, ever, by reason; for metrics."""
    counts = "SELECT reason, sum(seen)::bigint FROM capture.analytics_left_out GROUP BY reason ORDER BY reason"
    return dict(conn.execute(counts).fetchall())


def _keep_open(conn: psycopg.Connection, sessions: Sequence[Session], at: datetime) -> None:
    still = [(row[0], row[1]) for row in conn.execute(_OPEN, _split(sessions)).fetchall()]
    if still:
        conn.execute(_TOUCH, (at, *_split(still)))


def _row(environment_id: int, event: AnalyticsEvent, arrived_at: datetime) -> dict[str, Json]:
    elements = elements_of(event.chain) or event.elements
    url = event.properties.get("$current_url")
    return {
        "environment_id": environment_id,
        "session_id": event.session_id,
        "uuid": str(event.uuid),
        "name": event.name,
        "at": event.at,
        "window_id": event.window_id,
        "distinct_id": event.distinct_id,
        "current_url": url if isinstance(url, str) else None,
        "properties": {**event.properties},
        "elements": None if elements is None else [*elements],
        "received_at": event.received_at.isoformat(),
        "arrived_at": arrived_at.isoformat(),
    }


def _split(sessions: Sequence[Session]) -> tuple[list[int], list[str]]:
    return [one for one, _ in sessions], [other for _, other in sessions]
