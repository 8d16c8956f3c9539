"""Messages that are no recording: the bytes are kept, and somebody can see that there are some and why."""

from datetime import datetime

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture.blobs import Blobs
from consumers.capture.refusals import CaptureRefused
from consumers.capture.snapshot import MAX_ENVIRONMENT_DIGITS, SESSION_ID
from consumers.transports.port import Record

NOBODY = 0
"""The environment of blobs whose message names none; real environments start at 1."""

_REPORT = """
    INSERT INTO capture.undecodable
        (environment_id, session_id, topic, part, position, code, reason, blob, bytes, at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (topic, part, position) DO NOTHING
"""


def keep(pool: ConnectionPool, blobs: Blobs, record: Record, refusal: CaptureRefused, at: datetime) -> None:
    """Stores the message as received and reports it, once, in a transaction of its own: the caller's rolls back."""
    environment_id = _environment_id(record)
    session_id = _session_id(record)
    key = blobs.put(environment_id or NOBODY, session_id or "", record.value)
    row = (environment_id, session_id, record.topic, record.partition, record.offset)
    with pool.connection() as conn:
        conn.execute(_REPORT, (*row, refusal.code, refusal.message, key, len(record.value), at))


def undecodable_counts(conn: psycopg.Connection) -> dict[str, int]:
    """How many were kept, by reason code; for metrics."""
    return dict(conn.execute("SELECT code, count(*) FROM capture.undecodable GROUP BY code ORDER BY code").fetchall())


def _environment_id(record: Record) -> int | None:
    raw = record.headers.get("environment_id", b"")
    return int(raw) if raw.isdigit() and len(raw) <= MAX_ENVIRONMENT_DIGITS else None


def _session_id(record: Record) -> str | None:
    text = (record.key or b"").decode("ascii", "replace")
    return text if SESSION_ID.fullmatch(text) else None
