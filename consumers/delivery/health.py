"""Endpoints that keep failing: since when, and when that is enough to switch one off.

A receiver that is being mended loses nothing for days, and one that is gone is not asked for ever (Standard Webhooks).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import psycopg
from pydantic import JsonValue

from consumers.delivery.port import Attempt
from domain.endpoint import endpoint_id

PATIENCE = timedelta(days=3)
"""How long nothing may succeed: as long as one delivery is tried."""
LEAST_ATTEMPTS = 5
"""Attempts without a success before an endpoint is switched off: one failed weekly report is no proof."""

_FORGET = "DELETE FROM delivery.failing WHERE environment_id = %s AND endpoint_id = %s"

# What failed before the endpoint was last switched on counts no more.
_NOTE = """
WITH switched AS (
    SELECT max(e.enabled_at) AS at FROM read_delivery.endpoint e
    WHERE e.environment_id = %(environment_id)s AND e.id = %(endpoint_id)s
)
INSERT INTO delivery.failing AS f (environment_id, endpoint_id, failing_since, attempts)
VALUES (%(environment_id)s, %(endpoint_id)s, %(now)s, 1)
ON CONFLICT (environment_id, endpoint_id) DO UPDATE SET
    failing_since = CASE WHEN f.failing_since < (SELECT at FROM switched) THEN excluded.failing_since
        ELSE f.failing_since END,
    attempts = CASE WHEN f.failing_since < (SELECT at FROM switched) THEN 1 ELSE f.attempts + 1 END
RETURNING failing_since, attempts
"""


def note(
    connection: psycopg.Connection,
    environment_id: int,
    item: Mapping[str, JsonValue],
    attempt: Attempt,
    now: datetime,
) -> datetime | None:
    """Counts one attempt at the endpoint of a delivery (`domain.delivery.apart`), in the caller's transaction.

    Returns since when the endpoint fails when it is to be switched off (`commands.endpoints`), else None: it is when
    it said that it is gone, or nothing has succeeded for PATIENCE and LEAST_ATTEMPTS. It says so again with each
    further failure, so that a caller who died in between has lost nothing.
    """
    values = {"environment_id": environment_id, "endpoint_id": endpoint_id(environment_id, item), "now": now}
    if attempt.verdict == "succeeded":
        connection.execute(_FORGET, (environment_id, values["endpoint_id"]))
        return None
    row = connection.execute(_NOTE, values).fetchone()
    since, attempts = row if row is not None else (now, 1)
    enough = now - since >= PATIENCE and attempts >= LEAST_ATTEMPTS
    return since if enough or attempt.verdict == "gone" else None
