"""Runs of actions as the API shows them (extensions "Actions"), and what a run needs to know of earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.delivery import target_of
from domain.scanner_types import join_private, title
from domain.tenant import Tenant

Document = dict[str, Any]

DELIVERING = ("running", "completed")
"""Of a run that ended otherwise nothing is ever delivered."""

_OF_ACTION = """
r.environment_id = %(environment_id)s AND r.action_id = %(action_id)s
AND r.action_id NOT IN (SELECT d.action_id FROM read_action_runs.tombstone d)
"""
_COUNT = f"SELECT count(*) FROM read_action_runs.run r WHERE {_OF_ACTION}"  # noqa: S608 - a condition of our own
_COLUMNS = """r.id, r.status, r.scheduled_at, r.window_start, r.window_end, r.observation_count, r.error_reason,
    r.created_at, r.updated_at"""
_PAGE = f"""
SELECT {_COLUMNS} FROM read_action_runs.run r WHERE {_OF_ACTION}
ORDER BY r.created_at DESC, r.id LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - pieces of our own
# Text is joined when it is read, so that an erasure shows at once.
_RUN = f"""
SELECT {_COLUMNS}, t.body->>'markdown', r.observations, r.deliveries
FROM read_action_runs.run r LEFT JOIN store.private_text t ON t.id = r.report_id
WHERE {_OF_ACTION} AND r.id = %(id)s
"""  # noqa: S608 - pieces of our own
_CITED = """
SELECT o.id, o.created_at, o.output, t.body
FROM read_observations.observation o LEFT JOIN store.private_text t ON t.id = o.text_id
WHERE o.environment_id = %s AND o.id = ANY(%s)
      AND o.scanner_id NOT IN (SELECT d.scanner_id FROM read_observations.tombstone d)
"""
_ANSWERS = """
SELECT p.id, p.body->>'response' FROM store.private_text p WHERE p.environment_id = %s AND p.id = ANY(%s)
"""
_ANCHOR = """
SELECT r.position, r.window_end FROM read_action_runs.run r
WHERE r.environment_id = %s AND r.action_id = %s AND r.tiling AND r.status = 'completed' AND r.position < %s
ORDER BY r.position DESC LIMIT 1
"""
_WRITTEN = """
SELECT r.observation_count, r.reported_at FROM read_action_runs.run r
WHERE r.environment_id = %s AND r.id = %s AND r.reported_at IS NOT NULL
"""
_SHOWN = "SELECT EXISTS (SELECT FROM read_action_runs.run r WHERE r.environment_id = %s AND r.id = %s)"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the window of the last completed run of the schedule ended: in the log, and in time."""

    position: int
    at: datetime


def page(
    connection: Connection, tenant: Tenant, action_id: UUID, limit: int = 100, offset: int = 0
) -> tuple[int, list[Document]]:
    """How many runs the action has had, and a page of them, newest first. None of a deleted action."""
    values = {"environment_id": tenant.environment_id, "action_id": action_id, "limit": limit, "offset": offset}
    row = connection.execute(_COUNT.encode(), values).fetchone()
    rows = connection.execute(_PAGE.encode(), values)
    return (row[0] if row else 0), [_document(row) for row in rows]


def run(connection: Connection, tenant: Tenant, action_id: UUID, run_id: UUID) -> Document | None:
    """One run with its report, what that cites, and its deliveries; None when the action has no such run."""
    values = {"environment_id": tenant.environment_id, "action_id": action_id, "id": run_id}
    row = connection.execute(_RUN.encode(), values).fetchone()
    if row is None:
        return None
    markdown, observations, deliveries = row[-3:]
    document = _document(row)
    return {
        **document,
        "synthesized_markdown": markdown,
        "observations": _cited(connection, tenant, observations),
        "deliveries": _deliveries(connection, tenant, deliveries if document["status"] in DELIVERING else ()),
    }


def anchor(connection: Connection, tenant: Tenant, action_id: UUID, position: int) -> Anchor | None:
    """The last completed run of the schedule before a log position, among those that begin where another ended."""
    row = connection.execute(_ANCHOR, (tenant.environment_id, action_id, position)).fetchone()
    return Anchor(*row) if row else None


def written(connection: Connection, tenant: Tenant, run_id: UUID) -> tuple[int, datetime] | None:
    """Of how many observations the run's report was written, and when; None while there is none."""
    row = connection.execute(_WRITTEN, (tenant.environment_id, run_id)).fetchone()
    return (row[0], row[1]) if row else None


def is_shown(connection: Connection, tenant: Tenant, run_id: UUID) -> bool:
    """Whether the read side has heard of the run."""
    row = connection.execute(_SHOWN, (tenant.environment_id, run_id)).fetchone()
    return row == (True,)


def _document(row: tuple[Any, ...]) -> Document:
    (
        run_id, status, scheduled_at, window_start, window_end, observation_count, error_reason, created_at,
        updated_at, *_,
    ) = row  # fmt: skip
    return {
        "id": run_id,
        "status": status,
        "scheduled_at": scheduled_at,
        "window_start": window_start,
        "window_end": window_end,
        "observation_count": observation_count or 0,
        "error_reason": error_reason,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _cited(connection: Connection, tenant: Tenant, cited: Collection[Mapping[str, Any]]) -> list[Document]:
    """Those that are still there, under the numbers that the report knows them by (engine 10, trap 76)."""
    ids = [UUID(one["id"]) for one in cited]
    rows = {row[0]: row[1:] for row in connection.execute(_CITED, (tenant.environment_id, ids))} if ids else {}
    found: list[Document] = []
    for one in cited:
        if (known := rows.get(UUID(one["id"]))) is None:
            continue
        created_at, output, text = known
        found.append({**one, "title": title(join_private(output or {}, text)), "created_at": created_at})
    return found


def _deliveries(connection: Connection, tenant: Tenant, deliveries: Collection[Mapping[str, Any]]) -> list[Document]:
    asked = [UUID(attempt["response"]) for one in deliveries for attempt in one["attempts"] if attempt["response"]]
    rows = connection.execute(_ANSWERS, (tenant.environment_id, asked)).fetchall() if asked else []
    answers = {str(reference): answer for reference, answer in rows}
    return [
        {
            "id": one["id"],
            "type": one["item"].get("type"),
            "target": target_of(one["item"]),
            "status": one["status"],
            "attempts": [
                {
                    "at": datetime.fromisoformat(attempt["at"]),
                    "status_code": attempt["status_code"],
                    "duration_ms": attempt["duration_ms"],
                    "error": attempt["error"],
                    "response_excerpt": answers.get(attempt["response"], ""),
                }
                for attempt in one["attempts"]
            ],
        }
        for one in deliveries
    ]
