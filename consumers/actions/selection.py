"""What a report is written of: the observations of a window that an action selects, sampled when they are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from consumers.actions.report.figures import Figures, figures
from consumers.actions.report.port import Noted
from consumers.actions.window import before
from domain.scanner_types import join_private, title
from domain.tenant import Tenant
from projections.queries.selected import Selected, Window, rows

CAP = 100
"""Observations that a report is written of unless the operator says another number; over it they are sampled. The
first of the three caps of engine 7.3."""

HIGHEST_CAP = 2_000
"""The last of them. A model is then asked 21 times for a report: once for each 100, and once for all."""

CONSIDERED = 10_000
"""The newest ones, of which a sample is taken and figures are counted (engine 7.3)."""

_COUNT = "SELECT count(*) FROM ({rows}) s"
_IDS = "SELECT s.id FROM ({rows}) s ORDER BY s.created_at DESC, s.id LIMIT %(considered)s"
_NOTED = """
SELECT s.id, s.session_id, s.created_at, s.output, t.body, s.scanner_id, s.scanner_snapshot->>'name'
FROM ({rows}) s LEFT JOIN store.private_text t ON t.id = s.text_id
WHERE s.id = ANY(%(ids)s) ORDER BY s.created_at DESC, s.id
"""
# Of the free text only what figures count.
_OUTPUTS = """
SELECT s.output, s.scanner_id, s.scanner_snapshot->>'name',
       jsonb_build_object('friction_points', t.body->'friction_points', 'tags_freeform', t.body->'tags_freeform')
FROM ({rows}) s LEFT JOIN store.private_text t ON t.id = s.text_id
ORDER BY s.created_at DESC, s.id LIMIT %(considered)s
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """`matched` observations fell into the window, of which those in `observations` were taken, newest first.

    `current` are the figures of all that matched, None when none were left out; `previous` those of the window before,
    None when it had none.
    """

    matched: int
    observations: Sequence[Noted]
    current: Figures | None
    previous: Figures | None


def gather(
    connection: psycopg.Connection,
    tenant: Tenant,
    selected: Selected,
    window: Window,
    scanner_id: UUID,
    most: int = CAP,
) -> Gathered:
    """Reads what a report of the action bound to `scanner_id` is written of: `most` observations, 1 to HIGHEST_CAP."""
    sql, values = rows(tenant, selected, window)
    matched = _one(connection, _COUNT.format(rows=sql), values)
    found = connection.execute(_IDS.format(rows=sql).encode(), {**values, "considered": CONSIDERED})
    ids = spread([row[0] for row in found], most)
    noted = connection.execute(_NOTED.format(rows=sql).encode(), {**values, "ids": ids})
    observations = [
        Noted(
            index=index,
            id=observation_id,
            session_id=session_id,
            created_at=created_at,
            title=title(join_private(output, text)),
            model_output=join_private(output, text),
            scanner="" if scanner == scanner_id else str(name or ""),
        )
        for index, (observation_id, session_id, created_at, output, text, scanner, name) in enumerate(noted, start=1)
    ]
    current = _figures(connection, tenant, selected, window, scanner_id) if matched > len(observations) else None
    earlier = _figures(connection, tenant, selected, before(window), scanner_id)
    return Gathered(matched, observations, current, earlier if earlier.count else None)


def spread(ids: Sequence[UUID], most: int) -> list[UUID]:
    """At most so many of them, evenly spaced, the first and the last among them."""
    if len(ids) <= most:
        return list(ids)
    if most == 1:
        return [ids[0]]
    return [ids[round(place * (len(ids) - 1) / (most - 1))] for place in range(most)]


def _figures(
    connection: psycopg.Connection, tenant: Tenant, selected: Selected, window: Window, scanner_id: UUID
) -> Figures:
    sql, values = rows(tenant, selected, window)
    found = connection.execute(_OUTPUTS.format(rows=sql).encode(), {**values, "considered": CONSIDERED})

    def outputs() -> Iterator[tuple[str, dict[str, Any]]]:
        for output, scanner, name, text in found:
            told = {key: value for key, value in text.items() if value is not None}
            yield "" if scanner == scanner_id else str(name or ""), join_private(output, told)

    return figures(outputs())


def _one(connection: psycopg.Connection, statement: str, values: dict[str, Any]) -> int:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else 0
