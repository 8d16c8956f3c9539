"""What new batches add to the time a session was active, told by the stored batches near them in time.

Whether an event counts, and for how much, depends on the events within GAP_MS of it (activity.py). So a new event
changes the share of events at most GAP_MS away, and those depend on events at most twice as far: with all batches that
come within REACH_MS, the sum after less the sum before is exactly what is added, whatever the rest of the session.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from consumers.capture.activity import GAP_MS, Activity

REACH_MS = 2 * GAP_MS

APART_MS = 10 * 60 * 1000
MAX_STRETCHES = 16
"""New activity is looked up in stretches that are so far apart; more than so many count as one."""

PAGE = 200
"""Batches looked up at once."""

_NEAR = """
    SELECT last_timestamp, arrival, activity
    FROM capture.part
    WHERE environment_id = %s AND session_id = %s
        AND (last_timestamp, arrival) > (%s, %s) AND first_timestamp <= %s AND activity IS NOT NULL
    ORDER BY last_timestamp, arrival
    LIMIT %s
"""


def added(conn: psycopg.Connection, session: tuple[int, str], new: Activity, otherwise: Activity) -> int:
    """Milliseconds that `new` adds to the session's active time. Its batches must not be stored yet.

    `otherwise` is activity of the session that no batch's row tells. Exact for any order of batches while the batches
    near a stretch of the new ones have no more than activity.MAX_QUIET inactive moments and MAX_BURSTS bursts.
    """
    return sum(_added(conn, session, stretch, otherwise) for stretch in _stretches(new))


def _added(conn: psycopg.Connection, session: tuple[int, str], new: Activity, otherwise: Activity) -> int:
    near = otherwise
    for stored in _near(conn, session, new.first - REACH_MS, new.last + REACH_MS):
        near = near.merge(stored)
    return near.merge(new).milliseconds - near.milliseconds


def _near(conn: psycopg.Connection, session: tuple[int, str], after: int, until: int) -> Iterator[Activity]:
    """The activity of each batch that reaches into a time."""
    place = (after - 1, 0)
    while page := conn.execute(_NEAR, (*session, *place, until, PAGE)).fetchall():
        for last, arrival, activity in page:
            yield from_json(activity)
            place = (last, arrival)
        if len(page) < PAGE:
            return


def _stretches(activity: Activity) -> list[Activity]:
    spans = sorted([*activity.bursts, *((quiet, quiet) for quiet in activity.quiet)])
    cuts: list[int] = []
    end = spans[0][1] if spans else 0
    for first, last in spans:
        if first - end > APART_MS:
            cuts.append(first)
        end = max(end, last)
    if len(cuts) >= MAX_STRETCHES:
        cuts = []
    return [part for part in activity.cut(cuts) if part.bursts or part.quiet]


def to_json(activity: Activity) -> dict[str, Any]:
    return {"bursts": activity.bursts, "quiet": activity.quiet}


def from_json(state: Mapping[str, Any]) -> Activity:
    """Of a state without activity: none."""
    return Activity(
        tuple((first, last) for first, last in state.get("bursts", ())),
        tuple(state.get("quiet", ())),
    )
