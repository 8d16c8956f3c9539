"""Who is one person: the visitors that edges connect, and what was said of any of them.

A person has at most MAX_VISITORS ids. More than that are no person but a mistake in a site's code, or a stranger who
tries to join everybody (project tokens are public): such a crowd falls apart, and each of its visitors stands alone.
That depends on the edges only, so it too comes out the same in any order; and it bounds what an event costs.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID, uuid5

import psycopg
from psycopg.types.json import Jsonb

from consumers.capture.analytics.said import Said, email_of
from domain.ids import NAMESPACE

MAX_VISITORS = 200
"""Of one person: four years of a browser that forgets its id every week."""

_NEIGHBOURS = """
    SELECT given.id, near.id
    FROM unnest(%s::text[]) AS given (id)
    CROSS JOIN LATERAL (
        (SELECT other AS id FROM capture.visitor_edge WHERE environment_id = %s AND one = given.id LIMIT %s)
        UNION
        (SELECT one AS id FROM capture.visitor_edge WHERE environment_id = %s AND other = given.id LIMIT %s)
    ) near
"""

_HOUSEMATES = """
    SELECT distinct_id FROM capture.visitor
    WHERE environment_id = %(environment_id)s AND person_id IN (
        SELECT person_id FROM capture.visitor
        WHERE environment_id = %(environment_id)s AND distinct_id = ANY (%(visitors)s)
    )
"""

_SAID = """
    SELECT distinct_id, person_id, said FROM capture.visitor
    WHERE environment_id = %s AND distinct_id = ANY (%s)
"""

_MOVE = """
    UPDATE capture.visitor SET person_id = new.person_id
    FROM unnest(%s::text[], %s::uuid[]) AS new (distinct_id, person_id)
    WHERE visitor.environment_id = %s AND visitor.distinct_id = new.distinct_id
      AND visitor.person_id <> new.person_id
"""

_FORGET = "DELETE FROM capture.person WHERE environment_id = %s AND person_id = ANY (%s)"

_DESCRIBE = """
    INSERT INTO capture.person (environment_id, person_id, properties, email)
    SELECT %s, person_id, properties, email
    FROM jsonb_to_recordset(%s) AS new (person_id uuid, properties jsonb, email text)
    ON CONFLICT (environment_id, person_id) DO UPDATE SET properties = excluded.properties, email = excluded.email
"""


def person_of(environment_id: int, distinct_ids: Iterable[str]) -> UUID:
    """A person's id: the least of what its visitors' ids give."""
    return min(uuid5(NAMESPACE, f"person/{environment_id}/{each}") for each in distinct_ids)


def redraw(conn: psycopg.Connection, environment_id: int, touched: Collection[str]) -> int:
    """Works out again the persons of visitors with new edges, fewer edges, or new properties.

    Returns how many of `touched` stand alone because their crowd is too large. Call it under the environment's lock.

    Visitors that are not reached from here need nothing: an edge that is new changes only persons of its ends, whose
    other visitors are found by `person_id`; one that is gone only what was reached through it. A crowd stood alone
    before, and does so still unless it is small enough now, and then all of it is reached.
    """
    if not touched:
        return 0
    rows = conn.execute(_HOUSEMATES, {"environment_id": environment_id, "visitors": list(touched)})
    starts = {*touched} | {distinct_id for (distinct_id,) in rows}
    groups = _groups(conn, environment_id, starts)
    persons: list[Collection[str]] = []
    alone = 0
    for group in groups:
        if len(group) <= MAX_VISITORS:
            persons.append(group)
        else:
            persons += [{one} for one in group & starts]
            alone += len(group & {*touched})
    _write(conn, environment_id, persons)
    return alone


def _groups(conn: psycopg.Connection, environment_id: int, starts: Iterable[str]) -> list[set[str]]:
    """The visitors that are connected with any of `starts`. A group over MAX_VISITORS is not followed to its end."""
    group_of = {each: {each} for each in starts}
    frontier = [*group_of]
    limit = MAX_VISITORS + 1
    while frontier:
        rows = conn.execute(_NEIGHBOURS, (frontier, environment_id, limit, environment_id, limit)).fetchall()
        fresh: set[str] = set()
        for one, other in rows:
            if other not in group_of:
                group_of[other] = {other}
                fresh.add(other)
            _unite(group_of, one, other)
        frontier = [each for each in fresh if len(group_of[each]) <= MAX_VISITORS]
    return list({id(group): group for group in group_of.values()}.values())


def _unite(group_of: dict[str, set[str]], one: str, other: str) -> None:
    small, large = sorted((group_of[one], group_of[other]), key=len)
    if small is large:
        return
    large |= small
    for each in small:
        group_of[each] = large


def _write(conn: psycopg.Connection, environment_id: int, persons: Iterable[Collection[str]]) -> None:
    person_ids = {each: person_of(environment_id, group) for group in persons for each in group}
    before: set[UUID] = set()
    said: dict[UUID, dict[str, Said]] = {}
    for distinct_id, was, state in conn.execute(_SAID, (environment_id, list(person_ids))):
        before.add(was)
        said.setdefault(person_ids[distinct_id], {})[distinct_id] = Said.from_state(state)
    conn.execute(_MOVE, ([*person_ids], [*person_ids.values()], environment_id))
    if gone := before - {*said}:
        conn.execute(_FORGET, (environment_id, list(gone)))
    conn.execute(_DESCRIBE, (environment_id, Jsonb([_described(who, each) for who, each in said.items()])))


def _described(person_id: UUID, said: Mapping[str, Said]) -> dict[str, object]:
    merged = Said()
    for each in said.values():
        merged = merged.merge(each)
    properties = merged.properties()
    return {"person_id": str(person_id), "properties": properties, "email": email_of(properties, said)}
