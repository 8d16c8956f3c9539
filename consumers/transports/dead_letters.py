"""Writes poison records to ``log.dead_letter``, in the transaction that moves the position past them."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from consumers.transports.headers import pack
from consumers.transports.port import Poison

MAX_ERROR_CHARACTERS = 4_000

_INSERT = """
INSERT INTO log.dead_letter (grp, topic, part, off, key, value, headers, published_at, attempts, error_class, error)
VALUES (%s, %s, %s, %s, %b, %b, %s, %s, %s, %s, %s)
ON CONFLICT (grp, topic, part, off) DO NOTHING
"""


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
