"""Whether "not found" in read tables means "does not exist", or only "not here yet"."""

from __future__ import annotations

from psycopg import Connection

from projections.engine.projection import BATCH, Projection

_LACKS = """
SELECT count(*) = %(most)s OR coalesce(bool_or(%(topics)s::text[] IS NULL OR ahead.topic = ANY(%(topics)s)), false)
FROM (SELECT e.topic FROM store.events e
      WHERE e.notification_id > (SELECT p.position FROM projection.position p WHERE p.name = %(name)s AND p.live)
      ORDER BY e.notification_id LIMIT %(most)s) ahead
"""


class Behind(Exception):
    """Read tables lack events that the log holds: after a crash, during an outage, or just after a write."""


def check_complete(connection: Connection, projection: Projection) -> None:
    """Raises Behind while the log holds an event that the projection's tables want and lack.

    Other events do not count, so ordinary writes keep nobody waiting. At most BATCH of them are looked at: a projection
    that is further behind is behind, whatever is there. A parked stream counts as taken in, as in `wait_for`.
    """
    topics = None if projection.topics is None else sorted(projection.topics)
    values = {"name": projection.name, "topics": topics, "most": BATCH}
    if connection.execute(_LACKS, values, prepare=True).fetchone() != (False,):
        message = f"the tables of projection {projection.name} lack events of the log"
        raise Behind(message)
