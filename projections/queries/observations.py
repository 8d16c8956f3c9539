"""Observations as the API shows them: contract 4.1, 4.3 and 4.4."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.ids import workflow_id
from domain.scanner import SNAPSHOT
from domain.scanner_types import join_private
from domain.tenant import Tenant
from projections.queries.users import USER_COLUMNS, USER_JOIN, Document, user_document

ORDERS = {
    "created_at": "o.created_at",
    "started_at": "o.started_at",
    "completed_at": "o.completed_at",
    "status": "o.status",
    "result_score": "o.score",
    "result_verdict": "o.verdict",
    "scanner_version": "o.scanner_version",
}
"""What each order_by key sorts by; ties by id, rows without the value last in both directions."""

_NEVER_NULL = ("created_at", "status")
"""Without NULLS LAST, which no index on them answers."""

# NOT IN, not NOT EXISTS: a filter on the way through the index, where an anti-join would sort all rows of the scanner.
_VISIBLE = """
o.environment_id = %(environment_id)s
AND o.scanner_id NOT IN (SELECT d.scanner_id FROM read_observations.tombstone d)
"""
_COUNT = f"SELECT count(*) FROM read_observations.observation o WHERE {_VISIBLE}"  # noqa: S608 - a condition of our own
_ROWS = f"SELECT o.* FROM read_observations.observation o WHERE {_VISIBLE}"  # noqa: S608 - likewise
# The page is cut before anything is joined to it. Free text is joined here, so that an erasure shows at once.
_DOCUMENTS = f"""
SELECT o.id, o.scanner_id, o.session_id, o.status, o.error_reason, o.scanner_snapshot, o.output, t.body,
       o.signals_count, o.triggered_by, o.started_at, o.completed_at, o.created_at,
       p.body->>'distinct_id', p.body->>'email', {USER_COLUMNS}
FROM ({{rows}}) o
LEFT JOIN store.private_text t ON t.id = o.text_id
LEFT JOIN store.private_text p ON p.id = o.subject_id
{USER_JOIN.format(column="o.triggered_by_user")}
"""  # noqa: S608 - columns of our own
# Freeform tags are free text and lie with the private text.
_TAGGED = """
(o.tags && %(tags)s::text[] OR EXISTS (
    SELECT FROM store.private_text f WHERE f.id = o.text_id AND f.body->'tags_freeform' ?| %(tags)s::text[]))
"""
_EVIDENCE = f"""
SELECT o.session_id, o.evidence_digest FROM read_observations.observation o
WHERE {_VISIBLE} AND o.scanner_id = %(scanner_id)s AND o.id = %(id)s AND o.status = 'succeeded'
"""  # noqa: S608 - a condition of our own
_ENDED = """
SELECT o.id FROM read_observations.observation o
WHERE o.environment_id = %s AND o.id = ANY(%s) AND o.status IN ('succeeded', 'failed', 'ineligible')
"""
_SHOWN = """
SELECT o.id FROM read_observations.observation o WHERE o.environment_id = %s AND o.id = ANY(%s)
"""
_NEIGHBOUR = f"""
SELECT o.id FROM read_observations.observation o
WHERE {_VISIBLE} AND o.scanner_id = %(scanner_id)s
      AND o.created_at {{newer}}= %(created_at)s AND (o.created_at, %(id)s) {{newer}} (%(created_at)s, o.id)
ORDER BY o.created_at {{towards}}, o.id {{away}} LIMIT 1
"""  # noqa: S608 - a condition of our own
_NEWER = _NEIGHBOUR.format(newer=">", towards="ASC", away="DESC").encode()
_OLDER = _NEIGHBOUR.format(newer="<", towards="DESC", away="ASC").encode()


@dataclass(frozen=True, slots=True)
class ObservationFilters:
    """Contract 4.3. Empty values and None mean no filter. A row has a tag when either kind of its tags holds it."""

    scanner_id: UUID | None = None
    session_ids: Sequence[str] = ()
    statuses: Sequence[str] = ()
    triggers: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    tags: Sequence[str] = ()


def page(
    connection: Connection,
    tenant: Tenant,
    filters: ObservationFilters,
    order_by: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[int, list[Document]]:
    """How many match, and a page of documents (contract 4.1). Observations of deleted scanners are not there.

    `order_by` is a key of ORDERS, a leading `-` descends; None means newest first. Raises KeyError for another key.
    """
    conditions, values = _conditions(filters)
    values |= {"environment_id": tenant.environment_id, "limit": limit, "offset": offset}
    order = _order(order_by or "-created_at")
    rows = f"{_ROWS}{conditions} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    row = connection.execute((_COUNT + conditions).encode(), values).fetchone()
    found = connection.execute(f"{_DOCUMENTS.format(rows=rows)} ORDER BY {order}".encode(), values)
    return (row[0] if row else 0), [_document(row) for row in found]


def observation(
    connection: Connection,
    tenant: Tenant,
    observation_id: UUID,
    scanner_id: UUID | None = None,
    *,
    neighbours: bool = False,
) -> Document | None:
    """One observation, of `scanner_id` if given; None when there is no such one for the tenant.

    With `neighbours` also the next newer (previous) and next older (next) one of the same scanner (contract 4.1).
    """
    conditions, values = _conditions(ObservationFilters(scanner_id=scanner_id))
    values |= {"environment_id": tenant.environment_id, "id": observation_id}
    rows = f"{_ROWS} AND o.id = %(id)s{conditions}"
    row = connection.execute(_DOCUMENTS.format(rows=rows).encode(), values).fetchone()
    if row is None:
        return None
    document = _document(row)
    if neighbours:
        document["previous_observation_id"] = _neighbour(connection, tenant, _NEWER, document)
        document["next_observation_id"] = _neighbour(connection, tenant, _OLDER, document)
    return document


def evidence_of(
    connection: Connection, tenant: Tenant, scanner_id: UUID, observation_id: UUID
) -> tuple[str, str] | None:
    """The session and the digest of what a succeeded observation was judged by; None when there is no such one."""
    values = {"environment_id": tenant.environment_id, "scanner_id": scanner_id, "id": observation_id}
    row = connection.execute(_EVIDENCE.encode(), values).fetchone()
    return (row[0], row[1]) if row and row[1] else None


def rows_of(tenant: Tenant, filters: ObservationFilters) -> tuple[str, Document]:
    """A query for the rows that `page` counts, for others to sum up, and its values."""
    conditions, values = _conditions(filters)
    return f"{_ROWS}{conditions}", {**values, "environment_id": tenant.environment_id}


def ended(connection: Connection, tenant: Tenant, ids: Collection[UUID]) -> set[UUID]:
    """Those of the observations that have an ending."""
    if not ids:
        return set()
    return {row[0] for row in connection.execute(_ENDED, (tenant.environment_id, list(ids)))}


def shown(connection: Connection, tenant: Tenant, ids: Collection[UUID]) -> set[UUID]:
    """Those of the observations that the read side has heard of."""
    if not ids:
        return set()
    return {row[0] for row in connection.execute(_SHOWN, (tenant.environment_id, list(ids)))}


def _neighbour(connection: Connection, tenant: Tenant, statement: bytes, document: Document) -> UUID | None:
    values = {name: document[name] for name in ("id", "scanner_id", "created_at")}
    row = connection.execute(statement, {"environment_id": tenant.environment_id, **values}).fetchone()
    return row[0] if row else None


def _conditions(filters: ObservationFilters) -> tuple[str, dict[str, Any]]:
    given: dict[str, tuple[str, Any]] = {
        "scanner_id": ("o.scanner_id = %(scanner_id)s", filters.scanner_id),
        "sessions": ("o.session_id = ANY(%(sessions)s)", list(filters.session_ids)),
        "statuses": ("o.status = ANY(%(statuses)s)", list(filters.statuses)),
        "triggers": ("o.triggered_by = ANY(%(triggers)s)", list(filters.triggers)),
        "verdicts": ("o.verdict = ANY(%(verdicts)s)", list(filters.verdicts)),
        "tags": (_TAGGED, list(filters.tags)),
    }
    used = {name: pair for name, pair in given.items() if pair[1] not in (None, [])}
    return "".join(f" AND {condition}" for condition, _ in used.values()), {n: value for n, (_, value) in used.items()}


def _order(order_by: str) -> str:
    key = order_by.removeprefix("-")
    direction = "DESC" if order_by.startswith("-") else "ASC"
    nulls = "" if key in _NEVER_NULL else " NULLS LAST"
    return f"{ORDERS[key]} {direction}{nulls}, o.id"


def _document(row: tuple[Any, ...]) -> Document:
    (
        observation_id, scanner_id, session_id, status, error_reason, snapshot, output, text, signals_count,
        triggered_by, started_at, completed_at, created_at, distinct_id, email, *user,
    ) = row  # fmt: skip
    answered = status == "succeeded"
    return {
        "id": observation_id,
        "scanner_id": scanner_id,
        "session_id": session_id,
        "status": status,
        "error_reason": error_reason,
        "workflow_id": workflow_id(scanner_id, session_id) if started_at else "",
        "scanner_snapshot": _whole(snapshot),
        "scanner_result": (
            {"model_output": join_private(output, text), "signals_count": signals_count} if answered else None
        ),
        "triggered_by": triggered_by,
        "triggered_by_user": user_document(*user),
        "distinct_id": distinct_id,
        "recording_subject_email": email,
        "previous_observation_id": None,
        "next_observation_id": None,
        "started_at": started_at,
        "completed_at": completed_at,
        "created_at": created_at,
    }


def _whole(snapshot: Document | list[Any] | str | float | None) -> Document | None:
    """The stored snapshot, None when it is corrupt (contract 4.1)."""
    return snapshot if isinstance(snapshot, dict) and snapshot.keys() >= set(SNAPSHOT) else None
