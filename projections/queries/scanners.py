"""Scanners as the API shows them: contract 3.1 and 3.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.errors import Invalid
from domain.recordings_query import check_query
from domain.scanner_types import SCANNER_TYPES
from domain.tenant import Tenant
from projections.queries.users import LABEL, USER_COLUMNS, USER_JOIN, Document, user_document
from projections.scanners import folded

ORDERS = {
    "name": "s.name",
    "created_at": "s.created_at",
    "updated_at": "s.updated_at",
    "scanner_type": "s.scanner_type",
    "enabled": "s.enabled",
    "sampling_rate": "s.sampling_rate",
    "created_by": LABEL,
}
"""What each order_by key sorts by; ties by id, rows without the value last in both directions."""

SETTLE = timedelta(seconds=2100)
"""The settle interval unless the caller has another (operator interface)."""

# Watermark and estimate are state of the selection consumer. Until it has heard of a scanner, or of its being switched
# on, the place where it will begin stands in (contract 3.4).
_FROM = f"""
FROM read_scanners.scanner s {USER_JOIN.format(column="s.created_by")}
LEFT JOIN selection.watermark w ON w.scanner_id = s.id
LEFT JOIN selection.estimate e ON e.scanner_id = s.id
WHERE s.environment_id = %(environment_id)s AND s.deleted_at IS NULL
"""
_SELECT = f"""
SELECT s.id, s.name, s.description, s.scanner_type, s.scanner_config, s.query, s.sampling_rate, s.provider, s.model,
       s.enabled, s.emits_signals, s.scanner_version, greatest(w.swept_at, s.enabled_at - %(settle)s), s.created_at,
       s.updated_at, e.monthly, s.version, {USER_COLUMNS}
{_FROM}
"""
_ONE = (_SELECT + "AND s.id = %(id)s").encode()
_VERSION = """
SELECT s.version FROM read_scanners.scanner s
WHERE s.environment_id = %s AND s.id = %s AND s.deleted_at IS NULL
"""
_COUNT = """
SELECT count(*) FROM read_scanners.scanner s
WHERE s.environment_id = %(environment_id)s AND s.deleted_at IS NULL
"""


_CREATORS = f"""
SELECT {USER_COLUMNS} FROM (
    SELECT DISTINCT s.created_by FROM read_scanners.scanner s
    WHERE s.environment_id = %s AND s.deleted_at IS NULL AND s.created_by IS NOT NULL
) s {USER_JOIN.format(column="s.created_by")}
ORDER BY mp.body->>'first_name', mp.body->>'last_name', mp.body->>'email', m.id
"""  # noqa: S608 - columns of our own
_STATS = """
SELECT s.scanner_type, count(*), count(*) FILTER (WHERE s.enabled) FROM read_scanners.scanner s
WHERE s.environment_id = %s AND s.deleted_at IS NULL GROUP BY s.scanner_type
"""


@dataclass(frozen=True, slots=True)
class ScannerFilters:
    """Contract 3.5. Empty values and None mean no filter. `search` is a literal part of name, description or prompt."""

    search: str = ""
    enabled: bool | None = None
    scanner_types: Sequence[str] = ()
    emits_signals: bool | None = None
    created_by: Sequence[int] = ()


def page(
    connection: Connection,
    tenant: Tenant,
    filters: ScannerFilters,
    order_by: str | None = None,
    limit: int = 100,
    offset: int = 0,
    *,
    settle: timedelta = SETTLE,
) -> tuple[int, list[Document]]:
    """How many match, and a page of documents (contract 3.7).

    `order_by` is a key of ORDERS, a leading `-` descends; None sorts by name. Raises KeyError for another key.
    `settle` is the settle interval, which `last_swept_at` of a new scanner depends on.
    """
    conditions, values = _conditions(filters)
    values |= {"environment_id": tenant.environment_id, "limit": limit, "offset": offset, "settle": settle}
    tail = f"{conditions} ORDER BY {_order(order_by or 'name')} LIMIT %(limit)s OFFSET %(offset)s"
    row = connection.execute((_COUNT + conditions).encode(), values).fetchone()
    rows = connection.execute((_SELECT + tail).encode(), values)
    return (row[0] if row else 0), [_document(row)[1] for row in rows]


def scanner(connection: Connection, tenant: Tenant, scanner_id: UUID, *, settle: timedelta = SETTLE) -> Document | None:
    """One scanner; None when it is unknown, deleted or another tenant's. `settle` as for `page`."""
    found = versioned(connection, tenant, scanner_id, settle=settle)
    return found[1] if found else None


def versioned(
    connection: Connection, tenant: Tenant, scanner_id: UUID, *, settle: timedelta = SETTLE
) -> tuple[int, Document] | None:
    """As `scanner`, with the version of its stream, for ETag."""
    values = {"environment_id": tenant.environment_id, "id": scanner_id, "settle": settle}
    row = connection.execute(_ONE, values).fetchone()
    return _document(row) if row else None


def version(connection: Connection, tenant: Tenant, scanner_id: UUID) -> int | None:
    """The stream version that the read side shows, for ETag; None as `scanner`."""
    row = connection.execute(_VERSION, (tenant.environment_id, scanner_id)).fetchone()
    return row[0] if row else None


def creators(connection: Connection, tenant: Tenant) -> list[Document]:
    """Who created a scanner that is still there (contract 3.6); users who were deleted are left out."""
    rows = connection.execute(_CREATORS.encode(), (tenant.environment_id,))
    return [document for row in rows if (document := user_document(*row)) is not None]


def stats(connection: Connection, tenant: Tenant) -> Document:
    """Scanners and enabled ones, together and by type (contract 3.6)."""
    rows = connection.execute(_STATS, (tenant.environment_id,))
    counted = {scanner_type: (total, enabled) for scanner_type, total, enabled in rows}
    by_type = {name: counted.get(name, (0, 0)) for name in SCANNER_TYPES}
    return {
        "total": sum(total for total, _ in by_type.values()),
        "enabled": sum(enabled for _, enabled in by_type.values()),
        "by_type": {name: {"enabled": enabled, "total": total} for name, (total, enabled) in by_type.items()},
    }


def _conditions(filters: ScannerFilters) -> tuple[str, dict[str, Any]]:
    given: dict[str, tuple[str, Any]] = {
        "search": ("strpos(s.search_text, %(search)s) > 0", folded(filters.search)),
        "enabled": ("s.enabled = %(enabled)s", filters.enabled),
        "types": ("s.scanner_type = ANY(%(types)s)", list(filters.scanner_types)),
        "signals": ("s.emits_signals = %(signals)s", filters.emits_signals),
        "creators": ("s.created_by = ANY(%(creators)s)", list(filters.created_by)),
    }
    used = {name: pair for name, pair in given.items() if pair[1] not in (None, "", [])}
    return "".join(f" AND {condition}" for condition, _ in used.values()), {n: value for n, (_, value) in used.items()}


def _order(order_by: str) -> str:
    direction = "DESC" if order_by.startswith("-") else "ASC"
    return f"{ORDERS[order_by.removeprefix('-')]} {direction} NULLS LAST, s.id"


def _document(row: tuple[Any, ...]) -> tuple[int, Document]:
    (
        scanner_id, name, description, scanner_type, scanner_config, query, sampling_rate, provider, model, enabled,
        emits_signals, scanner_version, last_swept_at, created_at, updated_at, monthly, version, *creator,
    ) = row  # fmt: skip
    return version, {
        "id": scanner_id,
        "name": name,
        "description": description,
        "scanner_type": scanner_type,
        "scanner_config": scanner_config,
        "query": _readable(query),
        "sampling_rate": sampling_rate,
        "provider": provider,
        "model": model,
        "enabled": enabled,
        "emits_signals": emits_signals,
        "scanner_version": scanner_version,
        "estimated_monthly_observations": monthly,
        "last_swept_at": last_swept_at,
        "created_at": created_at,
        "created_by": user_document(*creator),
        "updated_at": updated_at,
    }


def _readable(query: object) -> Document | None:
    """The stored query, None when it does not pass today's rules any more (contract 3.1)."""
    try:
        return check_query(query)
    except Invalid:
        return None
