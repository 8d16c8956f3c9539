"""Messages that are no recording: counted by reason, and their bytes kept for a while so that somebody can look.

Whoever has a project token (they are public) may cause them, so what is kept has a limit an environment and an age
(architecture 9, 10). Beyond the limit they are counted only.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import psycopg

from consumers.capture.digest.deletions import deleted
from consumers.capture.digest.faults import first_fault
from consumers.capture.messages.snapshot import MAX_ENVIRONMENT_DIGITS, SESSION_ID, TOPIC
from consumers.capture.store.blobs import Blobs
from consumers.capture.wire.refusals import CaptureRefused, OverLimit, UnknownToken
from consumers.transports.port import Record

NOBODY = 0
"""The environment of messages that name none; real environments start at 1."""

MAX_KEPT_ROWS = 1_000
MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Kept at a time for one environment: eight messages of the largest size, or a thousand small ones."""

OWN_TOPICS = frozenset({TOPIC, "analytics"})

KEPT_FOR = timedelta(days=30)

CHUNK = 100
"""Rows, and blobs, dropped in one transaction."""

ROUNDS = 20
"""Transactions of one `drop_old`: what is left waits for the next."""

_LOCK = 7_215_930
"""First half of the advisory lock of an environment's kept messages; the second is the environment."""

_WAIT = "SELECT pg_advisory_xact_lock(%s, %s)"

_PLACE = "undecodable/"
"""In front of the session id in a blob's address. No session id has a slash, so no recording shares the blob."""

_COUNTED_TO = "SELECT max(position) FROM capture.undecodable_count WHERE topic = %s AND part = %s"

_COUNT = """
    INSERT INTO capture.undecodable_count AS known (topic, part, code, seen, position)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (topic, part, code) DO UPDATE SET seen = known.seen + excluded.seen, position = excluded.position
"""

_USED = "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM capture.undecodable WHERE environment_id = %s"

_KEEP = """
    INSERT INTO capture.undecodable
        (environment_id, session_id, topic, part, position, code, reason, blob, bytes, at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (topic, part, position) DO NOTHING
"""

_CROWDED = """
    SELECT environment_id FROM capture.undecodable
    GROUP BY environment_id
    HAVING min(at) < %s OR count(*) > %s OR sum(bytes) > %s
    ORDER BY environment_id
    LIMIT %s
"""

_DROP = """
    DELETE FROM capture.undecodable WHERE id IN (
        SELECT id FROM (
            SELECT id, at, count(*) OVER newer AS place, sum(bytes) OVER newer AS bytes
            FROM capture.undecodable WHERE environment_id = %s
            WINDOW newer AS (ORDER BY id DESC)
        ) ranked
        WHERE at < %s OR place > %s OR bytes > %s
        ORDER BY id
        LIMIT %s
    )
    RETURNING blob
"""

_FORGET = """
    DELETE FROM capture.undecodable WHERE id IN (
        SELECT id FROM capture.undecodable WHERE environment_id = %s AND session_id = %s ORDER BY id LIMIT %s)
    RETURNING blob
"""

_NAMED = "SELECT blob FROM capture.undecodable WHERE environment_id = %s AND blob = ANY (%s)"


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A message and why it is no recording, or not stored."""

    record: Record
    refusal: CaptureRefused

    @property
    def environment_id(self) -> int:
        raw = self.record.headers.get("environment_id", b"")
        return int(raw) if raw.isdigit() and len(raw) <= MAX_ENVIRONMENT_DIGITS else NOBODY

    @property
    def session_id(self) -> str | None:
        text = (self.record.key or b"").decode("ascii", "replace")
        return text if SESSION_ID.fullmatch(text) else None


def keep(conn: psycopg.Connection, blobs: Blobs, found: Sequence[Undecoded], at: datetime) -> int:
    """Counts messages of one partition, in order, and keeps them while there is room; returns how many were kept.

    Those over a limit, and those of deleted sessions, are counted only.

    Everything happens in the caller's transaction, which moves the position past them: once, whatever crashes. A
    message at or below the last one counted in its partition is passed over. Holds the environments' locks until that
    transaction ends, so call it last. Raises OSError when blobs fail.
    """
    fresh = _counted(conn, found)
    kept = 0
    for environment_id, members in groupby(sorted(fresh, key=_environment), key=_environment):
        kept += _kept(conn, blobs, environment_id, list(members), at)
    return kept


def pass_over(
    conn: psycopg.Connection, blobs: Blobs, found: Sequence[Undecoded], at: datetime, log: logging.Logger
) -> None:
    """`keep` for messages of one partition in any order, none of them too, told in one line of the log."""
    if not found:
        return
    in_order = sorted(found, key=lambda one: one.record.offset)
    kept = keep(conn, blobs, in_order, at)
    first = in_order[0].record
    log.warning(
        "passed over messages",
        extra={
            "codes": dict(Counter(one.refusal.code for one in in_order)),
            "kept": kept,
            "partition": first.partition,
            "offset": first.offset,
        },
        exc_info=first_fault([one.refusal for one in in_order]),
    )


def drop_old(conn: psycopg.Connection, blobs: Blobs, now: datetime) -> int:
    """Drops what is older than KEPT_FOR or over an environment's limit, oldest first, and returns how many rows.

    `conn` is in autocommit mode. Transactions of CHUNK rows, at most ROUNDS of them. Blobs go before their rows are
    committed, so a crash may leave a row without its blob until the next call, and never a blob without a row. An
    environment that somebody is writing to at this moment is left for the next call. Raises OSError when blobs fail.
    """
    dropped = rounds = 0
    limits = (now - KEPT_FOR, MAX_KEPT_ROWS, MAX_KEPT_BYTES)
    for (environment_id,) in conn.execute(_CROWDED, (*limits, ROUNDS)).fetchall():
        found = CHUNK
        while found == CHUNK and rounds < ROUNDS:
            found = _dropped(conn, blobs, environment_id, limits)
            dropped += found
            rounds += 1
    return dropped


def expire(conn: psycopg.Connection, blobs: Blobs, environment_id: int, before: datetime) -> int:
    """Drops up to CHUNK messages of an environment from before a time, as `drop_old` does; returns how many."""
    return _dropped(conn, blobs, environment_id, (before, MAX_KEPT_ROWS, MAX_KEPT_BYTES))


def forget_session(conn: psycopg.Connection, blobs: Blobs, environment_id: int, session_id: str) -> int:
    """Drops up to CHUNK messages that were to be of a session, with their blobs; returns how many.

    In the caller's transaction, which waits for whoever is keeping messages of the environment at this moment: from
    then on they see the deletion. Raises OSError when blobs fail.
    """
    conn.execute(_WAIT, (_LOCK, environment_id))
    keys = [key for (key,) in conn.execute(_FORGET, (environment_id, session_id, CHUNK))]
    named = {key for (key,) in conn.execute(_NAMED, (environment_id, keys))} if keys else set[str]()
    for key in set(keys) - named:
        blobs.delete(key)
    return len(keys)


def undecodable_counts(conn: psycopg.Connection) -> dict[str, int]:
    """How many there ever were, kept or not, by reason code; for metrics."""
    counts = "SELECT code, sum(seen)::bigint FROM capture.undecodable_count GROUP BY code ORDER BY code"
    return dict(conn.execute(counts).fetchall())


def _is_of_others(one: Undecoded) -> bool:
    """Recordings of other projects in a topic that is not ours: their bytes are not for us to keep."""
    return isinstance(one.refusal, UnknownToken) and one.record.topic not in OWN_TOPICS


def _environment(one: Undecoded) -> int:
    return one.environment_id


def _counted(conn: psycopg.Connection, found: Sequence[Undecoded]) -> list[Undecoded]:
    """Those that were not counted before."""
    fresh: list[Undecoded] = []
    for (topic, part), members in groupby(found, key=lambda one: (one.record.topic, one.record.partition)):
        ((counted_to,),) = conn.execute(_COUNTED_TO, (topic, part))
        new = [one for one in members if counted_to is None or one.record.offset > counted_to]
        codes = Counter(one.refusal.code for one in new)
        last = {one.refusal.code: one.record.offset for one in new}
        for code in sorted(codes):
            conn.execute(_COUNT, (topic, part, code, codes[code], last[code]))
        fresh += new
    return fresh


def _kept(conn: psycopg.Connection, blobs: Blobs, environment_id: int, found: list[Undecoded], at: datetime) -> int:
    found = [one for one in found if not _is_of_others(one)]
    if not found:
        return 0
    conn.execute(_WAIT, (_LOCK, environment_id))
    # Looked up under the lock that the eraser waits for: it either sees what is kept here, or is seen.
    gone = deleted(conn, {(environment_id, one.session_id) for one in found if one.session_id is not None})
    found = [one for one in found if (environment_id, one.session_id) not in gone]
    ((rows, size),) = conn.execute(_USED, (environment_id,))
    before = rows
    for one in found:
        record, length = one.record, len(one.record.value)
        if isinstance(one.refusal, OverLimit) or rows >= MAX_KEPT_ROWS or size + length > MAX_KEPT_BYTES:
            continue
        key = blobs.put(environment_id, _PLACE + (one.session_id or ""), record.value)
        row = (environment_id, one.session_id, record.topic, record.partition, record.offset)
        conn.execute(_KEEP, (*row, one.refusal.code, one.refusal.message, key, length, at))
        rows += 1
        size += length
    return rows - before


def _dropped(conn: psycopg.Connection, blobs: Blobs, environment_id: int, limits: tuple[datetime, int, int]) -> int:
    with conn.transaction():
        # Not waited for: the caller may be in the middle of another transaction.
        ((mine,),) = conn.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK, environment_id))
        if not mine:
            return 0
        keys = [key for (key,) in conn.execute(_DROP, (environment_id, *limits, CHUNK))]
        # The same bytes have the same blob: it stays while a newer row names it.
        named = {key for (key,) in conn.execute(_NAMED, (environment_id, keys))}
        for key in set(keys) - named:
            blobs.delete(key)
    return len(keys)
