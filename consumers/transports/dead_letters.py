"""Poison records in ``log.dead_letter``, written in the transaction that moves the position past them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from consumers.transports.headers import pack
from consumers.transports.port import Poison

MAX_ERROR_CHARACTERS = 4_000

_INSERT = """
INSERT INTO log.dead_letter (grp, topic, part, off, key, value, headers, published_at, attempts, error_class, error)
VALUES (%s, %s, %s, %s, %b, %b, %s, %s, %s, %s, %s)
ON CONFLICT (grp, topic, part, off) DO NOTHING
"""

MAX_LISTED = 1_000
"""Letters of one answer."""

_NEWEST = """
SELECT grp AS group, topic, part AS partition, off AS offset, error_class, error, at FROM log.dead_letter
WHERE (%(group)s::text IS NULL OR grp = %(group)s) AND (%(topic)s::text IS NULL OR topic = %(topic)s)
ORDER BY id DESC LIMIT %(limit)s
"""


class Letter(NamedTuple):
    """A dead letter without its bytes. The topic is without the installation's prefix; `at` is when it was buried."""

    group: str
    topic: str
    partition: int
    offset: int
    error_class: str
    error: str
    at: datetime


def newest_letters(
    conn: psycopg.Connection, limit: int, group: str | None = None, topic: str | None = None
) -> list[Letter]:
    """The newest first, of all groups and topics unless they are named; at most MAX_LISTED."""
    wanted = {"group": group, "topic": topic, "limit": min(limit, MAX_LISTED)}
    with conn.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(_NEWEST, wanted).fetchall()


def bury(conn: psycopg.Connection, group: str, letters: Sequence[Poison], *, attempts: int) -> None:
    """Keeps the records as they came, with what went wrong.

    ``attempts`` counts how often the batch was offered. The topic is written without the installation's prefix. Nothing
    changes for a record that is there already. At most one batch of letters at a time, so one statement each is fine.
    """
    for letter in letters:
        record, cause = letter.record, letter.__cause__
        error = letter.reason if cause is None else f"{letter.reason}: {cause}"
        conn.execute(
            _INSERT,
            (
                group,
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                pack(record.headers),
                record.at,
                attempts,
                type(cause or letter).__name__,
                error.replace("\x00", "\ufffd")[:MAX_ERROR_CHARACTERS],
            ),
        )
