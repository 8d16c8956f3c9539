"""What is sent: values of 500 bytes under 200 keys, as records to publish and as events in the event store."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
import psycopg
from psycopg.rows import TupleRow

from commands.store.event_log import EventLog
from consumers.relay import outgoing
from consumers.transports.port import Outgoing

VALUE_BYTES = 500
KEYS = 200
STATE_TEXT_BYTES = 264
"""What the relay adds to it and to its ids makes a value of about ``VALUE_BYTES``."""
SAVED_AT_ONCE = 500

_APPEND = "SELECT store.append(%s::uuid[], %s::bigint[], %s::text[], %b::bytea[], NULL)"


def records(count: int, *, relayed: bool = False) -> list[Outgoing]:
    """Records with event ids that nobody has seen; ``relayed`` ones carry source ids as well."""
    run = uuid4().hex
    return [
        Outgoing(
            f"key-{n % KEYS}".encode(),
            _text(VALUE_BYTES),
            f"{run}:{n}",
            {"type": b"benchmark"},
            source_id=n + 1 if relayed else None,
        )
        for n in range(count)
    ]


def append_events(conn: psycopg.Connection[TupleRow], count: int) -> int:
    """Appends that many events of ``KEYS`` streams, and answers the position before the first of them."""
    before = EventLog().head(conn)
    streams = [uuid4() for _ in range(KEYS)]
    places = [(streams[n % KEYS], n // KEYS + 1) for n in range(count)]
    for start in range(0, count, SAVED_AT_ONCE):
        _save(conn, places[start : start + SAVED_AT_ONCE])
    conn.execute("ANALYZE store.events")
    return before


def as_relayed(conn: psycopg.Connection[TupleRow], after: int, count: int) -> list[Outgoing]:
    """The records that a relay makes of the events after a position."""
    made = [outgoing(row) for row in EventLog().read_raw(conn, after, count)]
    mean = sum(len(record.value) for record in made) / len(made)
    assert abs(mean - VALUE_BYTES) < VALUE_BYTES / 100, f"relayed values have {mean:.0f} bytes"
    return made


def _save(conn: psycopg.Connection[TupleRow], places: Sequence[tuple[UUID, int]]) -> None:
    at = datetime.now(UTC).isoformat()
    states = [
        orjson.dumps({"recorded_at": at, "n": version, "text": _text(STATE_TEXT_BYTES).decode()})
        for _, version in places
    ]
    versions = [version for _, version in places]
    conn.execute(_APPEND, ([stream for stream, _ in places], versions, ["benchmark.happened"] * len(places), states))


def _text(size: int) -> bytes:
    """Half of it can be compressed away, and nothing of it because another value has it too."""
    return random.randbytes(size // 2).hex().encode()
