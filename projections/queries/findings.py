"""Findings that an observation reported beside its answer, for scanners with `emits_signals`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.scanner_types import join_findings
from domain.tenant import Tenant

Document = dict[str, Any]

# Text is joined when it is read, so that an erasure shows at once.
_FINDINGS = """
SELECT o.output, t.body
FROM read_observations.observation o LEFT JOIN store.private_text t ON t.id = o.text_id
WHERE o.environment_id = %s AND o.id = %s AND o.status = 'succeeded'
      AND o.scanner_id NOT IN (SELECT d.scanner_id FROM read_observations.tombstone d)
"""


def findings_of(connection: Connection, tenant: Tenant, observation_id: UUID) -> list[Document] | None:
    """An observation's findings in the order reported; None when the tenant has no such succeeded observation.

    Each has problem_type, start_time and end_time (seconds), confidence, and headline and description as long as the
    text was not erased. The place in the list is the index of a published finding's id, `observation:{id}:{index}`
    (engine 4.5).
    """
    row = connection.execute(_FINDINGS, (tenant.environment_id, observation_id)).fetchone()
    return None if row is None else join_findings(row[0], row[1])
