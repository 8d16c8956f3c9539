"""The evidence of a recorded session as it is now: what providers judge, and what readers see as its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from consumers.capture.reading.recording import recording_in_time
from consumers.capture.store.blobs import Blobs
from consumers.scanning.evidence import Evidence, build_evidence
from domain.tenant import Tenant
from projections.queries.session_events import SessionEvent, events_of_session

EVENTS_AT_ONCE = 200
"""Analytics events looked up at once: 32 KB each at most (consumers/capture/analytics/bounds.py)."""


def evidence_of(
    conn: psycopg.Connection[Any], blobs: Blobs, tenant: Tenant, session_id: str, *, masked: bool = True
) -> Evidence:
    """In bounded memory (consumers.capture.reading). Empty for a session without parts; `masked`: no personal data.

    Raises MissingBlob when a part of it is gone, OSError when the store is away.
    """
    recorded = recording_in_time(conn, blobs, tenant.environment_id, session_id)
    return build_evidence(recorded, _site_events(conn, tenant, session_id), masked=masked)


def _site_events(conn: psycopg.Connection[Any], tenant: Tenant, session_id: str) -> Iterator[SessionEvent]:
    """All of a session, a page at a time: single ones may be large."""
    page = events_of_session(conn, tenant, session_id, limit=EVENTS_AT_ONCE)
    while page:
        yield from page
        page = events_of_session(conn, tenant, session_id, after=page[-1].cursor, limit=EVENTS_AT_ONCE)
