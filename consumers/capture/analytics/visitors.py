"""The tables of visitors and persons, as the consumer of analytics events writes them.

`capture.visitor` holds what was said, `capture.visitor_edge` who is whose same, and both are the same in whatever order
and however often events arrive. Who is one person, and what is known of it, is worked out from the two: see `persons`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from consumers.capture.analytics.persons import redraw
from consumers.capture.analytics.said import Said, is_address, said_by
from consumers.capture.analytics.saying import Saying

_LOCK = 7_215_932
"""First half of the advisory lock of an environment's visitors; the second is the environment."""

REFUSED = "refused_join"
ILLEGAL = "illegal_id"
CROWDED = "crowded_person"
OVER_VISITORS = "over_day_visitors"
"""Why something that events said about visitors has no effect; reasons in capture.analytics_left_out."""

_SAID = "SELECT distinct_id, said FROM capture.visitor WHERE environment_id = %s AND distinct_id = ANY (%s)"

_EDGES = """
    SELECT one, other FROM capture.visitor_edge
    JOIN unnest(%s::text[], %s::text[]) AS given (one, other) USING (one, other)
    WHERE environment_id = %s AND dangerous
"""

_SAVE = """
    INSERT INTO capture.visitor AS known (environment_id, distinct_id, person_id, said, seen_at)
    SELECT %s, new.distinct_id, '00000000-0000-0000-0000-000000000000', new.said, %s
    FROM jsonb_to_recordset(%s) AS new (distinct_id text, said jsonb)
    ON CONFLICT (environment_id, distinct_id) DO UPDATE
    SET said = excluded.said, seen_at = greatest(known.seen_at, excluded.seen_at)
"""

_SEEN = """
    UPDATE capture.visitor SET seen_at = %s
    WHERE environment_id = %s AND distinct_id IN (
        SELECT distinct_id FROM capture.visitor
        WHERE environment_id = %s AND distinct_id = ANY (%s) AND seen_at < %s
        FOR UPDATE SKIP LOCKED
    )
"""

_JOIN = """
    INSERT INTO capture.visitor_edge (environment_id, one, other, dangerous)
    SELECT %s, one, other, %s FROM unnest(%s::text[], %s::text[]) AS new (one, other)
    ON CONFLICT DO NOTHING
"""

_PART = """
    DELETE FROM capture.visitor_edge
    USING unnest(%s::text[], %s::text[]) AS gone (one, other)
    WHERE environment_id = %s AND NOT dangerous
      AND visitor_edge.one = gone.one AND visitor_edge.other = gone.other
"""

SEEN_EVERY = timedelta(days=1)
"""How exact `seen_at` is: it serves retention, which counts in days."""

Edge = tuple[str, str]

Word = tuple[Saying, str, int]
"""What an event says, the distinct id that it is of, and its moment."""


@dataclass(slots=True)
class Sayings:
    """What the events of a batch say about the visitors of one environment, merged."""

    said: dict[str, Said] = field(default_factory=dict[str, Said])
    dangerous: set[Edge] = field(default_factory=set[Edge])
    joins: set[Edge] = field(default_factory=set[Edge])
    illegal: int = 0
    words: list[Word] = field(default_factory=list[Word])

    def add(self, saying: Saying, distinct_id: str, moment: int) -> None:
        """`moment` by the visitor's clock, in milliseconds, and not after the event was received."""
        self.illegal += saying.illegal
        self.words.append((saying, distinct_id, moment))
        found = said_by(saying, distinct_id, moment)
        if not saying.illegal and is_address(distinct_id):
            found.setdefault(distinct_id, Said())
        if saying.other is not None:
            (self.dangerous if saying.dangerous else self.joins).add((saying.other, distinct_id))
        if saying.dangerous and saying.other is not None:
            found.setdefault(distinct_id, Said())
            found.setdefault(saying.other, Said())
        for visitor, said in found.items():
            self.said[visitor] = self.said[visitor].merge(said) if visitor in self.said else said

    def within(self, known: Collection[str], room: int) -> "Sayings":
        """As much of it, in the order that it was added in, as brings at most `room` visitors beside `known` ones."""
        kept, here = Sayings(), {*known}
        for word in self.words:
            alone = Sayings()
            alone.add(*word)
            fresh = alone.said.keys() - here
            if not fresh or len(fresh) <= room:
                room -= len(fresh)
                here |= fresh
                kept.add(*word)
        kept.illegal = self.illegal
        return kept


def lock_visitors(conn: psycopg.Connection, environment_id: int) -> None:
    """Keeps everybody else from changing what is known of an environment's visitors, until the transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, environment_id))


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many visitors were new, and what had no effect, by reason."""

    fresh: int
    left_out: Mapping[str, int]


def record(conn: psycopg.Connection, environment_id: int, given: Sayings, now: datetime, room: int) -> Recorded:
    """Merges what was said, heard at `now`, into the tables, as far as it brings at most `room` new visitors.

    Holds the environment's lock until the transaction ends when something is new; repeats take no lock. Whoever records
    for several environments does so in their order.
    """
    if not given.said or not _is_news(conn, environment_id, given):
        conn.execute(_SEEN, (now, environment_id, environment_id, list(given.said), now - SEEN_EVERY))
        return Recorded(0, {ILLEGAL: given.illegal})
    lock_visitors(conn, environment_id)
    before = _known(conn, environment_id, given.said)
    over = 0
    if len(given.said) - len(before) > room:
        said, given = len(given.words), given.within(before, room)
        over = said - len(given.words)
    after = {who: before[who].merge(said) if who in before else said for who, said in given.said.items()}
    changed = {who: said for who, said in after.items() if before.get(who) != said}
    _save(conn, environment_id, changed, now)
    touched = {*changed} | _join(conn, environment_id, before, changed, given.dangerous)
    crowded = redraw(conn, environment_id, touched)
    refused = sum(1 for one, other in given.joins if after[one].same_as != other)
    left_out = {ILLEGAL: given.illegal, REFUSED: refused, CROWDED: crowded, OVER_VISITORS: over}
    return Recorded(len(after.keys() - before.keys()), left_out)


def _is_news(conn: psycopg.Connection, environment_id: int, given: Sayings) -> bool:
    known = _known(conn, environment_id, given.said)
    if any(who not in known or known[who].merge(said) != known[who] for who, said in given.said.items()):
        return True
    ones, others = _columns(given.dangerous)
    return len(conn.execute(_EDGES, (ones, others, environment_id)).fetchall()) < len(given.dangerous)


def _known(conn: psycopg.Connection, environment_id: int, visitors: Iterable[str]) -> dict[str, Said]:
    rows = conn.execute(_SAID, (environment_id, list(visitors)))
    return {distinct_id: Said.from_state(state) for distinct_id, state in rows}


def _save(conn: psycopg.Connection, environment_id: int, changed: Mapping[str, Said], now: datetime) -> None:
    rows = [{"distinct_id": who, "said": said.to_state()} for who, said in sorted(changed.items())]
    conn.execute(_SAVE, (environment_id, now, Jsonb(rows)))


def _join(
    conn: psycopg.Connection,
    environment_id: int,
    before: Mapping[str, Said],
    changed: Mapping[str, Said],
    dangerous: Iterable[Edge],
) -> set[str]:
    """Draws the edges that are new and takes away those that hold no longer; returns the visitors at their ends."""
    old = {(who, before[who].same_as) for who in changed if who in before}
    new = {(who, said.same_as) for who, said in changed.items()}
    gone = [(one, other) for one, other in old - new if other is not None]
    drawn = [(one, other) for one, other in new - old if other is not None]
    if gone:
        conn.execute(_PART, (*_columns(gone), environment_id))
    for edges, is_dangerous in ((drawn, False), (list(dangerous), True)):
        if edges:
            conn.execute(_JOIN, (environment_id, is_dangerous, *_columns(edges)))
    return {end for edge in (*gone, *drawn, *dangerous) for end in edge}


def _columns(edges: Iterable[Edge]) -> tuple[Sequence[str], Sequence[str]]:
    listed = sorted(edges)
    return [one for one, _ in listed], [other for _, other in listed]
