"""What an operator may do to a group's positions, with either transport."""

from __future__ import annotations

import psycopg

_RESUME = """
UPDATE log.position p
SET stopped_at = NULL, resume_at = NULL, failures = 0, poison_run = 0, recent_poison = 0, recent_records = 0,
    last_error = NULL, updated_at = now()
FROM log.topic t WHERE t.id = p.topic_id AND t.transport = %s AND p.grp = %s AND t.name = %s AND p.part = %s
"""

_FORGET = """
DELETE FROM log.position p USING log.topic t WHERE t.id = p.topic_id AND t.transport = %s AND p.grp = %s
"""


def resume(conn: psycopg.Connection, transport: str, group: str, name: str, partition: int) -> bool:
    """Lets a partition go on that stopped or rests; False if the group has no such. ``name`` is the stored one."""
    return conn.execute(_RESUME, (transport, group, name, partition)).rowcount == 1


def forget(conn: psycopg.Connection, transport: str, group: str) -> int:
    """Drops the positions of a group that will not come back; answers the number of partitions."""
    return conn.execute(_FORGET, (transport, group)).rowcount
