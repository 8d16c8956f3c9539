"""Reads of who a recorded visitor is, from what a site's analytics said about its distinct ids."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from domain.tenant import Tenant

MAX_IDS = 1_000
"""Distinct ids of one question."""

_BY_ID = """
    SELECT v.distinct_id, v.person_id, p.properties, p.email
    FROM capture.visitor v
    JOIN capture.person p USING (environment_id, person_id)
    WHERE v.environment_id = %s AND v.distinct_id = ANY (%s)
"""

_IDS_OF_SESSION = """
    SELECT distinct_id, place FROM (
        SELECT unnest(distinct_ids) AS distinct_id, generate_subscripts(distinct_ids, 1)::bigint AS place
        FROM capture.session WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s
    ) recorded
    UNION ALL
    (
        SELECT distinct_id, 1000000 + row_number() OVER (ORDER BY min(at), distinct_id)
        FROM capture.analytics_event
        WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s AND distinct_id IS NOT NULL
        GROUP BY distinct_id
        LIMIT %(most)s
    )
    ORDER BY place
    LIMIT %(most)s
"""


class Person(NamedTuple):
    """`properties` are what holds now; `email` is worked out of them, or of a distinct id that is an address."""

    distinct_id: str
    person_id: UUID
    properties: Mapping[str, object]
    email: str | None


def people(conn: psycopg.Connection, tenant: Tenant, distinct_ids: Sequence[str]) -> dict[str, Person]:
    """The persons of up to MAX_IDS distinct ids, by id. Left out: ids of which nothing was ever said."""
    if len(distinct_ids) > MAX_IDS:
        raise ValueError(f"at most {MAX_IDS} distinct ids at once")
    with conn.cursor(row_factory=class_row(Person)) as cursor:
        rows = cursor.execute(_BY_ID, (tenant.environment_id, list(distinct_ids))).fetchall()
    return {row.distinct_id: row for row in rows}


def person_of_session(conn: psycopg.Connection, tenant: Tenant, session_id: str) -> Person | None:
    """Who a session is of; None when nothing is known of any of its distinct ids.

    The ids are asked in the order in which the recording has them, then as its analytics events have them: the first
    of which something is known is the answer. So one recording of two people is that of the first.
    """
    values = {"environment_id": tenant.environment_id, "session_id": session_id, "most": MAX_IDS}
    distinct_ids = [row[0] for row in conn.execute(_IDS_OF_SESSION, values).fetchall()]
    known = people(conn, tenant, distinct_ids)
    return next((known[each] for each in distinct_ids if each in known), None)
