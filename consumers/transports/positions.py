"""What an operator may do to a group's positions, with either transport."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

_RESUME = """
UPDATE log.position p
SET stopped_at = NULL, resume_at = NULL, failures = 0, poison_run = 0, recent_poison = 0, recent_records = 0,
    last_error = NULL, updated_at = now()
FROM log.topic t WHERE t.id = p.topic_id AND t.transport = %s AND p.grp = %s AND t.name = %s AND p.part = %s
"""

_REGISTER = """
INSERT INTO log.position (grp, topic_id, part)
SELECT %s, pa.topic_id, pa.part FROM log.topic t JOIN log.partition pa ON pa.topic_id = t.id
WHERE t.transport = %s AND t.name = ANY (%s)
ON CONFLICT (grp, topic_id, part) DO NOTHING
"""

_CARRY = """
UPDATE log.position p SET source_id = greatest(p.source_id, b.highest)
FROM log.topic t, (
    SELECT t.name, max(p.source_id) AS highest FROM log.position p JOIN log.topic t ON t.id = p.topic_id
    WHERE t.transport = %(before)s AND p.grp = %(group)s AND t.name = ANY (%(names)s) GROUP BY t.name
) b
WHERE t.transport = %(after)s AND t.name = b.name AND p.topic_id = t.id AND p.grp = %(group)s
  AND b.highest > coalesce(p.source_id, -1)
"""

_FORGET = """
DELETE FROM log.position p USING log.topic t WHERE t.id = p.topic_id AND t.transport = %s AND p.grp = %s
"""


def resume(conn: psycopg.Connection, transport: str, group: str, name: str, partition: int) -> bool:
    """Lets a partition go on that stopped or rests; False if the group has no such. ``name`` is the stored one."""
    return conn.execute(_RESUME, (transport, group, name, partition)).rowcount == 1


def register(conn: psycopg.Connection, transport: str, group: str, names: Collection[str]) -> None:
    """A position for every partition of topics that are there; ``names`` are stored ones."""
    conn.execute(_REGISTER, (group, transport, list(names)))


def carry_sources(conn: psycopg.Connection, before: str, after: str, group: str, names: Collection[str]) -> None:
    """What a group has handled on a transport counts as a repetition on the one that it changes to.

    It has handled everything there, and a relay publishes in order: so whatever is up to the highest source id of a
    topic, in any of its partitions.
    """
    conn.execute(_CARRY, {"before": before, "after": after, "group": group, "names": list(names)})


def forget(conn: psycopg.Connection, transport: str, group: str) -> int:
    """Drops the positions of a group that will not come back; answers the number of partitions."""
    return conn.execute(_FORGET, (transport, group)).rowcount
