"""Positions of a group's partitions on Kafka, as the database has them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from consumers.transports.handling import Place
from consumers.transports.kafka.topics import OLDEST, Topic
from consumers.transports.kafka.watching import Bounds

logger = logging.getLogger(__name__)

LOST = "the records after the position are not on the brokers any more; `dead-letters resume` begins at the oldest kept"

_Connection = psycopg.Connection[TupleRow]

_REGISTER = """
INSERT INTO log.position (grp, topic_id, part, off) SELECT %s, %s, generate_series(0, %s - 1), %s
ON CONFLICT (grp, topic_id, part) DO NOTHING
"""

# Another worker's lock says that it is handling a batch: it is left to end that.
_CLAIM = """
UPDATE log.position p
SET epoch = p.epoch + 1, holder = %(holder)s, off = CASE WHEN p.off = %(none)s THEN %(oldest)s ELSE p.off END
FROM (
    SELECT grp, topic_id, part FROM log.position WHERE grp = %(group)s AND topic_id = %(topic_id)s AND part = %(part)s
    FOR NO KEY UPDATE SKIP LOCKED
) free
WHERE p.grp = free.grp AND p.topic_id = free.topic_id AND p.part = free.part
RETURNING p.off, p.epoch
"""

_MOVE_OVER = """
UPDATE log.position SET off = %(to)s, updated_at = now()
WHERE grp = %(group)s AND topic_id = %(topic_id)s AND part = %(part)s AND epoch = %(epoch)s AND off = %(off)s
"""

_STOP = """
UPDATE log.position SET stopped_at = now(), last_error = %s, updated_at = now()
WHERE grp = %s AND topic_id = %s AND part = %s AND epoch = %s AND stopped_at IS NULL
"""

_LOOK = """
SELECT t.name, p.topic_id, p.part, p.off, p.epoch,
       p.stopped_at IS NULL AND (p.resume_at IS NULL OR p.resume_at <= now()),
       EXISTS (SELECT FROM log.dead_letter d
               WHERE d.grp = p.grp AND d.part = p.part AND d.transport = 'kafka'
                 AND t.name IN (%(prefix)s || d.topic, d.topic) AND d.replay_at <= clock_timestamp())
FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE p.grp = %(group)s AND (p.topic_id, p.part) IN (SELECT * FROM unnest(%(topic_ids)s::int[], %(parts)s::int[]))
"""

# A position that the brokers cannot go on from begins at the oldest record that they keep.
_BEGIN_AGAIN = """
UPDATE log.position SET off = %(oldest)s
WHERE grp = %(group)s AND topic_id = %(topic_id)s AND part = %(part)s
  AND off <> %(none)s AND (off + 1 < %(begin)s OR off + 1 > %(end)s)
"""


# A row that is locked belongs to a worker that is handling a batch: the others that it holds have to wait.
_AT_REST = """
WITH free AS (
    SELECT * FROM log.position WHERE grp = %(group)s AND topic_id = ANY (%(topic_ids)s) FOR NO KEY UPDATE SKIP LOCKED
), busy AS (
    SELECT p.holder FROM log.position p LEFT JOIN free f USING (grp, topic_id, part)
    WHERE p.grp = %(group)s AND p.topic_id = ANY (%(topic_ids)s) AND f.grp IS NULL AND p.holder IS NOT NULL
)
SELECT topic_id, part, off, epoch FROM free
WHERE stopped_at IS NULL AND (resume_at IS NULL OR resume_at <= now())
  AND (holder IS NULL OR holder NOT IN (SELECT holder FROM busy))
"""


class Claimed(NamedTuple):
    off: int
    epoch: int


class State(NamedTuple):
    place: Place
    off: int
    epoch: int
    ready: bool
    """It neither rests nor is stopped."""
    replays: bool
    """There are dead letters to be handled again."""


class Still(NamedTuple):
    """A position that no worker is moving at this moment."""

    topic_id: int
    part: int
    off: int
    epoch: int


def register(conn: _Connection, group: str, topic: Topic) -> None:
    """A position for every partition; those that are there stay."""
    conn.execute(_REGISTER, (group, topic.topic_id, topic.all_partitions, OLDEST))


def claim(conn: _Connection, group: str, place: Place, held: Bounds, holder: UUID) -> Claimed | None:
    """Makes the partition the worker's. None while another handles a batch of it.

    A new group begins at the oldest record.
    """
    values = {**_where(group, place), "none": OLDEST, "oldest": held.begin - 1, "holder": holder}
    row = conn.execute(_CLAIM, values).fetchone()
    if row is None:
        return None
    return Claimed(*row)


def pass_over(conn: _Connection, group: str, place: Place, epoch: int, off: int, to: int) -> bool:
    """Moves a position over offsets that hold no records, such as the marks of transactions. False if it has moved."""
    values = {**_where(group, place), "epoch": epoch, "off": off, "to": to}
    return conn.execute(_MOVE_OVER, values).rowcount == 1


def stop_lost(conn: _Connection, group: str, place: Place, epoch: int) -> None:
    """Stops a partition whose next records the brokers do not have."""
    logger.critical("%s: %s is STOPPED until an operator resumes it: %s", group, place, LOST)
    conn.execute(_STOP, (LOST, group, place.topic_id, place.part, epoch))


def look(conn: _Connection, group: str, places: Sequence[Place], prefix: str) -> list[State]:
    """How the partitions are."""
    if not places:
        return []
    question = {
        "group": group,
        "prefix": prefix,
        "topic_ids": [place.topic_id for place in places],
        "parts": [place.part for place in places],
    }
    return [
        State(Place(name.removeprefix(prefix), topic_id, part), *rest)
        for name, topic_id, part, *rest in conn.execute(_LOOK, question)
    ]


def at_rest(conn: _Connection, group: str, topic_ids: Sequence[int]) -> list[Still]:
    """Positions of the group whose holders are not handling a batch; not those that stopped or rest."""
    return [Still(*row) for row in conn.execute(_AT_REST, {"group": group, "topic_ids": topic_ids})]


def begin_again(conn: _Connection, group: str, topic_id: int, part: int, held: Bounds) -> None:
    """Moves a position that the brokers cannot go on from to before the oldest record that they keep."""
    where = {"group": group, "topic_id": topic_id, "part": part}
    bounds = {"none": OLDEST, "oldest": held.begin - 1, "begin": held.begin, "end": held.end}
    conn.execute(_BEGIN_AGAIN, {**where, **bounds})


def _where(group: str, place: Place) -> dict[str, object]:
    return {"group": group, "topic_id": place.topic_id, "part": place.part}
