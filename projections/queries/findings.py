"""Findings that an observation reported beside its answer, for scanners with `emits_signals`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.scanner_types import join_findings
from domain.tenant import Tenant

Document = dict[str, Any]

# Text is joined when it is read, so that an erasure shows at once.
_REPORTED = """
SELECT o.scanner_id, o.scanner_snapshot, o.session_id, p.body->>'distinct_id', o.completed_at, o.output, t.body
FROM read_observations.observation o
LEFT JOIN store.private_text t ON t.id = o.text_id
LEFT JOIN store.private_text p ON p.id = o.subject_id
WHERE o.environment_id = %s AND o.id = %s AND o.status = 'succeeded'
      AND o.scanner_id NOT IN (SELECT d.scanner_id FROM read_observations.tombstone d)
"""


@dataclass(frozen=True, slots=True)
class Reported:
    """What an observation reported, and of what. `distinct_id` is None where it is unknown or was erased."""

    scanner_id: UUID
    scanner_name: str
    scanner_type: str
    session_id: str
    distinct_id: str | None
    completed_at: datetime
    findings: list[Document]
    """In the order reported. Each has problem_type, start_time and end_time (seconds), confidence, and headline and
    description as long as the text was not erased. The place in the list is the index of a published finding's id,
    `observation:{id}:{index}` (engine 4.5)."""


def reported(connection: Connection, tenant: Tenant, observation_id: UUID) -> Reported | None:
    """None when the tenant has no such succeeded observation, or its scanner is deleted."""
    row = connection.execute(_REPORTED, (tenant.environment_id, observation_id)).fetchone()
    if row is None:
        return None
    scanner_id, snapshot, session_id, distinct_id, completed_at, output, text = row
    return Reported(
        scanner_id=scanner_id,
        scanner_name=snapshot["name"],
        scanner_type=snapshot["scanner_type"],
        session_id=session_id,
        distinct_id=distinct_id,
        completed_at=completed_at,
        findings=join_findings(output, text),
    )


def findings_of(connection: Connection, tenant: Tenant, observation_id: UUID) -> list[Document] | None:
    """An observation's findings alone, as in Reported; None when the tenant has no such succeeded observation."""
    found = reported(connection, tenant, observation_id)
    return None if found is None else found.findings
