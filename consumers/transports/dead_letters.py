"""Poison records in ``log.dead_letter``, written in the transaction that moves the position past them.

They are the group's: an operator hands one back to the group that could not handle it (replay), or gives it up
(discard). Other groups never see it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow, class_row

from consumers.transports.headers import pack, unpack
from consumers.transports.port import Poison, Record, Unavailable

MAX_ERROR_CHARACTERS = 4_000

MAX_REPLAYS = 10
"""Tries of a replay that fails with something else than poison; then the letter waits for an operator again."""

_INSERT = """
INSERT INTO log.dead_letter
    (transport, grp, topic, part, off, key, value, headers, published_at, attempts, error_class, error, parked)
VALUES (%s, %s, %s, %s, %s, %b, %b, %s, %s, %s, %s, %s, %s)
"""

MAX_LISTED = 1_000
"""Letters of one answer, and of one replay or discard by number."""

_SELECTED = """
(%(group)s::text IS NULL OR grp = %(group)s) AND (%(topic)s::text IS NULL OR topic = %(topic)s)
AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
"""

_NEWEST = f"""
SELECT id, grp AS group, topic, part AS partition, off AS offset,
       CASE WHEN replay_at IS NOT NULL THEN 'replaying' WHEN parked THEN 'parked' ELSE 'dead' END AS state,
       error_class, error, at
FROM log.dead_letter WHERE {_SELECTED} ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - two constants

_REPLAY = f"UPDATE log.dead_letter SET replay_at = clock_timestamp(), replays = 0 WHERE {_SELECTED}"  # noqa: S608
_CHOSEN = f"SELECT id FROM log.dead_letter WHERE {_SELECTED}"  # noqa: S608
_DISCARD = "DELETE FROM log.dead_letter WHERE id = ANY (%s)"

# The first of a key, if nothing is wrong with it: it waits behind none any more.
_FREE_ALL = """
UPDATE log.dead_letter SET replay_at = clock_timestamp(), replays = 0
WHERE parked AND replay_at IS NULL AND id IN (
    SELECT min(id) FROM log.dead_letter WHERE key_digest IS NOT NULL GROUP BY transport, grp, topic, key_digest)
"""

_BLOCKED = """
SELECT DISTINCT key FROM log.dead_letter
WHERE transport = %s AND grp = %s AND topic = %s
  AND key_digest IN (SELECT sha256(key) FROM unnest(%b::bytea[]) AS wanted (key))
"""

_PARKED = """
SELECT count(*) FROM log.dead_letter WHERE transport = %s AND grp = %s AND topic = %s AND part = %s AND parked
"""

# With in_order, a letter waits for the earlier ones of its key, also for those that nobody put back.
_NEXT = """
SELECT id, topic, part, off, key, value, headers::text, published_at, replays FROM log.dead_letter d
WHERE transport = %(transport)s AND grp = %(group)s AND topic = %(topic)s AND part = %(part)s
  AND replay_at <= clock_timestamp()
  AND (NOT %(in_order)s OR d.key_digest IS NULL OR d.id = (
      SELECT e.id FROM log.dead_letter e
      WHERE e.transport = d.transport AND e.grp = d.grp AND e.topic = d.topic AND e.key_digest = d.key_digest
      ORDER BY e.transport, e.grp, e.topic, e.key_digest, e.id LIMIT 1))
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# The next of its key follows, if nothing is wrong with it; the one after follows that. Whoever parks one more holds the
# position's row, as the caller does.
_FREE_NEXT = """
UPDATE log.dead_letter SET replay_at = clock_timestamp(), replays = 0
WHERE parked AND replay_at IS NULL AND id = (
    SELECT n.id FROM log.dead_letter h CROSS JOIN LATERAL (
        SELECT d.transport, d.grp, d.topic, d.key_digest, d.id FROM log.dead_letter d
        WHERE d.key_digest IS NOT NULL
          AND (d.transport, d.grp, d.topic, d.key_digest, d.id) > (h.transport, h.grp, h.topic, h.key_digest, h.id)
        ORDER BY d.transport, d.grp, d.topic, d.key_digest, d.id LIMIT 1
    ) n
    WHERE h.id = %s AND (n.transport, n.grp, n.topic, n.key_digest) = (h.transport, h.grp, h.topic, h.key_digest))
"""

# Workers hold these rows while they bury and park.
_HOLD_WORKERS = """
SELECT FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE EXISTS (
    SELECT FROM (SELECT DISTINCT transport, grp, topic FROM log.dead_letter WHERE id = ANY (%s)) d
    WHERE d.transport = t.transport AND right(t.name, length(d.topic)) = d.topic AND d.grp = p.grp)
ORDER BY p.grp, p.topic_id, p.part FOR NO KEY UPDATE OF p
"""
_PATIENCE = "SET LOCAL lock_timeout = '30s'"

_OWNERS = "SELECT DISTINCT grp, topic FROM log.dead_letter WHERE transport = %s"
_CHUNK = """
SELECT id, key, decode(headers->>'event_id', 'escape') FROM log.dead_letter
WHERE transport = %s AND grp = %s AND topic = %s ORDER BY id LIMIT %s FOR UPDATE
"""
_HAND_ON = """
UPDATE log.dead_letter d SET transport = %s, part = n.part
FROM unnest(%s::bigint[], %s::int[]) AS n (id, part) WHERE d.id = n.id
"""

_PUT_BACK = """
UPDATE log.dead_letter
SET attempts = attempts + 1, replays = replays + 1, parked = false, error_class = %s, error = %s,
    replay_at = CASE WHEN %s::float8 IS NULL OR replays + 1 >= %s THEN NULL
                     ELSE clock_timestamp() + make_interval(secs => %s::float8) END
WHERE id = %s
"""


class Letter(NamedTuple):
    """A dead letter without its bytes. The topic is without the installation's prefix; `at` is when it was buried.

    `state`: `dead`; `parked`, when nothing is wrong with it but an earlier record of its key is dead; `replaying`, when
    an operator has put it back and the group has not handled it yet.
    """

    id: int
    group: str
    topic: str
    partition: int
    offset: int
    state: str
    error_class: str
    error: str
    at: datetime


class Selection(NamedTuple):
    """Which letters an operator means: all that match each of the fields given."""

    group: str | None = None
    topic: str | None = None
    ids: Sequence[int] | None = None


class Replay(NamedTuple):
    """A letter that is to be handled again, and how often that was tried."""

    id: int
    record: Record
    replays: int


def newest_letters(conn: psycopg.Connection, limit: int, selection: Selection) -> list[Letter]:
    """The newest first, of those selected; at most MAX_LISTED."""
    wanted = {**_parameters(selection), "limit": min(limit, MAX_LISTED)}
    with conn.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(_NEWEST, wanted).fetchall()


def replay(conn: psycopg.Connection, selection: Selection) -> int:
    """Hands letters back to their groups, whose workers handle them within seconds; answers how many.

    A letter is deleted in the transaction in which its group's handler succeeds; records that wait behind it follow.
    """
    return conn.execute(_REPLAY, _parameters(selection)).rowcount


def discard(conn: psycopg.Connection, selection: Selection) -> int:
    """Gives letters up for good and answers how many.

    Records that waited behind them and wait behind no other are handed back to their groups. Waits for batches in hand;
    raises ``Unavailable`` when they take too long.
    """
    ids = [row[0] for row in conn.execute(_CHOSEN, _parameters(selection))]
    try:
        with conn.transaction():
            conn.execute(_PATIENCE)
            conn.execute(_HOLD_WORKERS, (ids,))
            gone = conn.execute(_DISCARD, (ids,)).rowcount
            conn.execute(_FREE_ALL)
    except psycopg.errors.LockNotAvailable as error:
        raise Unavailable("workers are busy with long batches of these topics; try again") from error
    return gone


def bury(
    conn: psycopg.Connection,
    transport: str,
    group: str,
    letters: Sequence[Poison],
    *,
    attempts: int,
    parked: bool = False,
) -> None:
    """Keeps the records as they came, with what went wrong.

    ``attempts`` counts how often the batch was offered. The topic is written without the installation's prefix. At
    most one batch of letters at a time, so one statement each is fine.
    """
    for letter in letters:
        conn.execute(_INSERT, _row(transport, group, letter, attempts, parked=parked))


def blocked_keys(
    conn: psycopg.Connection, transport: str, group: str, topic: str, keys: Collection[bytes]
) -> set[bytes]:
    """Those of the keys that have a dead letter."""
    if not keys:
        return set()
    return {bytes(row[0]) for row in conn.execute(_BLOCKED, (transport, group, topic, list(keys)), binary=True)}


def parked_in(conn: psycopg.Connection, transport: str, group: str, topic: str, part: int) -> int:
    """Records of a partition that wait behind dead letters."""
    ((count,),) = conn.execute(_PARKED, (transport, group, topic, part))
    return count


def next_replay(
    conn: psycopg.Connection[TupleRow], transport: str, group: str, topic: str, part: int, *, in_order: bool
) -> Replay | None:
    """The first letter of a partition that is to be handled again, locked; with ``in_order`` none overtakes its key."""
    wanted = {"transport": transport, "group": group, "topic": topic, "part": part, "in_order": in_order}
    row = conn.execute(_NEXT, wanted, binary=True).fetchone()
    if row is None:
        return None
    number, topic, part, off, key, value, headers, at, replays = row
    return Replay(number, Record(topic, part, off, key, value, unpack(headers), at), replays)


def drop_letter(conn: psycopg.Connection, number: int) -> None:
    """Its group has handled it; what waited behind it is next. Under the lock of the position."""
    conn.execute(_FREE_NEXT, (number,))
    conn.execute("DELETE FROM log.dead_letter WHERE id = %s", (number,))


def put_back(conn: psycopg.Connection, letter: Replay, error: Exception, pause: float | None) -> None:
    """It failed again: to be tried after ``pause`` seconds, or with None, or too often, when an operator says so."""
    told = (type(error.__cause__ or error).__name__, _told(str(error)))
    conn.execute(_PUT_BACK, (*told, pause, MAX_REPLAYS, pause, letter.id))


def owners_of_letters(conn: psycopg.Connection, transport: str) -> list[tuple[str, str]]:
    """Groups that have dead letters on a transport, each with the topic."""
    return conn.execute(_OWNERS, (transport,)).fetchall()


def hand_on(
    conn: psycopg.Connection,
    before: str,
    after: str,
    group: str,
    topic: str,
    place_of: Callable[[bytes | None, str], int],
) -> None:
    """Makes a group's letters those of another transport, where their keys live in other partitions.

    ``place_of`` answers the partition there, from the key and the event id. Offsets stay those of before.
    """
    while True:
        with conn.transaction():
            found = conn.execute(_CHUNK, (before, group, topic, MAX_LISTED), binary=True).fetchall()
            parts = [place_of(key, event_id.decode()) for _, key, event_id in found]
            conn.execute(_HAND_ON, (after, [number for number, _, _ in found], parts))
        if len(found) < MAX_LISTED:
            return


def _row(transport: str, group: str, letter: Poison, attempts: int, *, parked: bool) -> tuple[object, ...]:
    record, cause = letter.record, letter.__cause__
    error = letter.reason if cause is None else f"{letter.reason}: {cause}"
    return (
        transport,
        group,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        pack(record.headers),
        record.at,
        attempts,
        "Parked" if parked else type(cause or letter).__name__,
        _told(error),
        parked,
    )


def storable(text: str) -> str:
    """As PostgreSQL can hold it: without NUL and lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _told(error: str) -> str:
    return storable(error)[:MAX_ERROR_CHARACTERS]


def _parameters(selection: Selection) -> dict[str, object]:
    ids = None if selection.ids is None else list(selection.ids)[:MAX_LISTED]
    return {"group": selection.group, "topic": selection.topic, "ids": ids}
