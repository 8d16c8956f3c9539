"""What new batches add to the time a session was active, told by the stored batches near them in time.

Whether an event counts, and for how much, depends on the events within GAP_MS of it (activity.py). So a new event
changes the share of events at most GAP_MS away, and those depend on events at most twice as far: with all batches that
come within REACH_MS, the sum after less the sum before is exactly what is added, whatever the rest of the session.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import psycopg

from consumers.capture.digest.activity import GAP_MS, Activity

REACH_MS = 2 * GAP_MS

APART_MS = 10 * 60 * 1000
MAX_STRETCHES = 16
"""New activity is looked up in stretches that are so far apart; more than so many count as one."""

FEW = 20
"""Stored batches looked up for each stretch in the one statement for all of them: a recorder posts every 2 s at most
(capture 3), so a batch of 2 s has ten others of its window within REACH_MS."""

PAGE = 200
"""Further ones looked up at once."""

_NEAR = """
    SELECT last_timestamp, arrival, activity::text
    FROM capture.part
    WHERE environment_id = %s AND session_id = %s
        AND (last_timestamp, arrival) > (%s, %s) AND first_timestamp <= %s AND activity IS NOT NULL
    ORDER BY last_timestamp, arrival
    LIMIT %s
"""

_FEW = """
    SELECT place, last_timestamp, arrival, activity::text
    FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[]) WITH ORDINALITY
        AS stretch (environment_id, session_id, after, until, place)
    CROSS JOIN LATERAL (
        SELECT last_timestamp, arrival, activity
        FROM capture.part
        WHERE part.environment_id = stretch.environment_id AND part.session_id = stretch.session_id
            AND (last_timestamp, arrival) > (stretch.after, 0) AND first_timestamp <= stretch.until
            AND activity IS NOT NULL
        ORDER BY last_timestamp, arrival
        LIMIT %s
    ) near
    ORDER BY place, last_timestamp, arrival
"""


class New(NamedTuple):
    """What came in for a session.

    `otherwise` is activity of the session that no batch's row tells; `stored` whether it may have batches at all.
    """

    session: tuple[int, str]
    activity: Activity
    otherwise: Activity
    stored: bool


def added(conn: psycopg.Connection, news: Sequence[New]) -> list[int]:
    """Milliseconds that each adds to its session's active time, in their order. Their batches must not be stored yet.

    One statement for all, as a rule. Exact for any order of batches while those near a stretch of the new ones have no
    more than activity.MAX_QUIET inactive moments and MAX_BURSTS bursts.
    """
    stretches = [(new, stretch) for new in news if new.stored for stretch in _stretches(new.activity)]
    found = _few(conn, stretches) if stretches else {}
    totals = {new.session: 0 if new.stored else new.activity.milliseconds for new in news}
    for place, (new, stretch) in enumerate(stretches, 1):
        few = found.get(place, [])
        near = new.otherwise.merge(*(activity for _, activity in few))
        if len(few) == FEW:
            for page in _further(conn, new.session, few[-1][0], stretch.last + REACH_MS):
                near = near.merge(*page)
        totals[new.session] += near.merge(stretch).milliseconds - near.milliseconds
    return [totals[new.session] for new in news]


Place = tuple[int, int]
"""The end of a batch, and its arrival."""


def _few(
    conn: psycopg.Connection, stretches: Sequence[tuple[New, Activity]]
) -> dict[int, list[tuple[Place, Activity]]]:
    """The first few batches that reach into the time around each stretch, by its number from 1 on."""
    columns: tuple[list[object], ...] = ([], [], [], [])
    for new, stretch in stretches:
        row = (*new.session, stretch.first - REACH_MS - 1, stretch.last + REACH_MS)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    found: dict[int, list[tuple[Place, Activity]]] = {}
    for place, last, arrival, activity in conn.execute(_FEW, (*columns, FEW)):
        found.setdefault(place, []).append(((last, arrival), from_json(orjson.loads(activity))))
    return found


def _further(conn: psycopg.Connection, session: tuple[int, str], place: Place, until: int) -> Iterator[list[Activity]]:
    """The activity of each batch that reaches into a time, behind a place."""
    while page := conn.execute(_NEAR, (*session, *place, until, PAGE)).fetchall():
        yield [from_json(orjson.loads(activity)) for _, _, activity in page]
        if len(page) < PAGE:
            return
        place = page[-1][:2]


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
