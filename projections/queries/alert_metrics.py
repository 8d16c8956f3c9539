"""What an alert measures over a window, and the observations that say most about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from domain.scanner_types import join_private
from domain.tenant import Tenant
from projections.queries.selected import Selected, Window, rows

# What a metric is about, and of that what it counts. Freeform tags are free text and lie with the private text; erased
# ones are gone from here too.
_ABOUT = {
    "count": "true",
    "verdict_share": "o.verdict IS NOT NULL",
    "tag_share": "o.tags IS NOT NULL",
    "avg_score": "o.score IS NOT NULL",
}
_HIT = {
    "count": "true",
    "verdict_share": "o.verdict = %(watched)s",
    "tag_share": """(o.tags @> ARRAY[%(watched)s] OR EXISTS (
        SELECT FROM store.private_text f WHERE f.id = o.text_id AND f.body->'tags_freeform' ? %(watched)s))""",
    "avg_score": "true",
}
_MEASURE = """
SELECT count(*), count(*) FILTER (WHERE {about}), count(*) FILTER (WHERE {about} AND {hit}), avg(o.score)
FROM ({rows}) o
"""
_TELLING = """
SELECT o.id, o.session_id, o.completed_at, o.output, t.body
FROM ({rows}) o LEFT JOIN store.private_text t ON t.id = o.text_id
WHERE {about} AND {hit} ORDER BY {order}o.completed_at DESC, o.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """What was measured. `value` None: there is nothing to make an average or a share of.

    `matched` observations are in the window and the selection; the metric is about `about` of them, of which `hits`
    have what a share counts.
    """

    matched: int
    about: int
    hits: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Telling:
    """One observation. `model_output` is as in contract 4.2, without the free text that was erased."""

    id: UUID
    session_id: str
    completed_at: datetime
    model_output: dict[str, object]


def measured(
    connection: Connection, tenant: Tenant, config: Mapping[str, Any], selected: Selected, window: Window
) -> Metric:
    """The metric of a stored `alert_config` (domain.alert_config) over the observations that ended in the window."""
    metric = config["metric"]
    sql, values = rows(tenant, selected, window)
    statement = _MEASURE.format(rows=sql, about=_ABOUT[metric], hit=_HIT[metric])
    row = connection.execute(statement.encode(), {**values, "watched": _watched(config)}).fetchone()
    matched, about, hits, average = row or (0, 0, 0, None)
    if metric == "count":
        value: float | None = float(matched)
    elif metric == "avg_score":
        value = average
    else:
        value = hits / about if about else None
    return Metric(matched, about, hits, value)


def telling(
    connection: Connection, tenant: Tenant, config: Mapping[str, Any], selected: Selected, window: Window, limit: int
) -> list[Telling]:
    """At most `limit` observations that the value comes of, newest first, for a score the furthest ones first.

    Of a share below its threshold they are those that lack what is counted.
    """
    metric, below = config["metric"], config["direction"] == "below"
    sql, values = rows(tenant, selected, window)
    hit = f"NOT {_HIT[metric]}" if below and metric in ("verdict_share", "tag_share") else _HIT[metric]
    order = f"o.score {'ASC' if below else 'DESC'}, " if metric == "avg_score" else ""
    statement = _TELLING.format(rows=sql, about=_ABOUT[metric], hit=hit, order=order)
    found = connection.execute(statement.encode(), {**values, "watched": _watched(config), "limit": limit})
    return [
        Telling(observation_id, session_id, completed_at, join_private(output, text))
        for observation_id, session_id, completed_at, output, text in found
    ]


def _watched(config: Mapping[str, Any]) -> str:
    return config.get("verdict") or config.get("tag") or ""
