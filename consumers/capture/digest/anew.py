"""Sessions that begin anew: something comes for one that is past its retention and not removed yet.

What is past it was shown to nobody, and does not come back because a later batch has the same session id. It is as if
the removal (retention.py) had been in time: the batch is the first of a new session.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import psycopg

from consumers.capture.digest import sessions
from projections.queries.retention import kept_days

LEAST_KEPT = timedelta(days=1)
"""No retention is shorter: what was received since is not asked about."""

_FORGET_EVENTS = """
DELETE FROM capture.analytics_event WHERE environment_id = %s AND session_id = %s AND arrived_at < %s
"""
# Parts and console lines go with the row. Their blobs are left for the search for those that nothing names.
_FORGET = "DELETE FROM capture.session WHERE environment_id = %s AND session_id = %s"


def begin_anew(
    conn: psycopg.Connection,
    states: Mapping[sessions.Session, sessions.State],
    received: Mapping[sessions.Session, datetime],
    now: datetime,
) -> dict[sessions.Session, sessions.State]:
    """The states of locked sessions, None for those of which all was past its retention: it is forgotten.

    `received` says when the newest new batch of each came. Where that is past the retention too, the session stays as
    it is, shown to nobody, until it is removed.
    """
    old = {
        name: known
        for name, known in states.items()
        if known and known.last_received_at < min(received[name], now - LEAST_KEPT)
    }
    if not old:
        return dict(states)
    since = {environment_id: now - timedelta(days=days) for environment_id, days in kept_days(conn)}
    over = sorted(
        name
        for name, known in old.items()
        if name[0] in since and known.last_received_at < since[name[0]] <= received[name]
    )
    for name in over:
        conn.execute(_FORGET_EVENTS, (*name, since[name[0]]))
        conn.execute(_FORGET, name)
    return {**states, **(sessions.lock(conn, over) if over else {})}
