"""Appends events to the store the way commands do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

import orjson
import psycopg

STREAMS = UUID("8f2c1d1e-5f0c-4f0a-9a51-0c6d3c1f7a10")


def stream(number: int) -> UUID:
    return uuid5(STREAMS, str(number))


def append(database_url: str, events: Sequence[tuple[UUID, int]], **state: object) -> None:
    """One save of (stream, version) pairs. Each event's data holds its version as ``n``."""
    recorded_at = datetime.now(UTC).isoformat()
    states = [orjson.dumps({"recorded_at": recorded_at, "n": version, **state}) for _, version in events]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "SELECT store.append(%s::uuid[], %s::bigint[], %s::text[], %b::bytea[], NULL)",
            ([s for s, _ in events], [v for _, v in events], ["test.happened"] * len(events), states),
        )
