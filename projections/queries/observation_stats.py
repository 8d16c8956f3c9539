"""What a scanner's observations add up to (contract 4.5), from the rows of the read side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import ceil, floor

from psycopg import Connection
from psycopg.rows import dict_row

from domain.tenant import Tenant
from projections.queries.observations import ObservationFilters, rows_of
from projections.queries.users import Document

RANKED = 10
"""Tags in each ranking."""

MOST_BUCKETS = 21
"""Histograms are cut so that whole numbers of the scale fall into at most so many buckets."""

_TOTALS = """
SELECT count(*) AS total,
       count(*) FILTER (WHERE o.status = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE o.status = 'failed') AS failed,
       count(*) FILTER (WHERE o.status = 'ineligible') AS ineligible,
       count(*) FILTER (WHERE o.status IN ('pending', 'running')) AS in_flight,
       count(DISTINCT o.session_id) AS total_sessions,
       count(DISTINCT o.session_id) FILTER (WHERE o.created_at >= %(recent)s) AS recent_sessions,
       count(*) FILTER (WHERE o.status = 'succeeded' AND o.verdict = 'yes') AS yes_total,
       count(*) FILTER (WHERE o.status = 'succeeded' AND o.verdict = 'no') AS no_total,
       count(*) FILTER (WHERE o.status = 'succeeded' AND o.verdict = 'inconclusive') AS inconclusive_total
FROM ({rows}) o
"""

# Freeform tags are free text and lie with the private text; erased ones are gone from here too.
_TAGS = """
WITH answered AS (
    SELECT o.id, o.tags AS fixed,
           CASE jsonb_typeof(f.body->'tags_freeform')
               WHEN 'array' THEN f.body->'tags_freeform' ELSE '[]' END AS freeform
    FROM ({rows}) o LEFT JOIN store.private_text f ON f.id = o.text_id WHERE o.status = 'succeeded'
), tagged AS (
    SELECT DISTINCT id, 'fixed' AS kind, tag FROM answered, unnest(fixed) AS tag
    UNION ALL
    SELECT DISTINCT id, 'freeform', tag FROM answered, jsonb_array_elements_text(freeform) AS tag
)
SELECT kind, tag, count(*), (SELECT count(DISTINCT id) FROM tagged) FROM tagged GROUP BY kind, tag
ORDER BY count(*) DESC, tag COLLATE "C"
"""

_SCORES = """
SELECT min(o.score) AS min, percentile_cont(0.25) WITHIN GROUP (ORDER BY o.score) AS p25,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY o.score) AS median, avg(o.score) AS mean,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY o.score) AS p75, max(o.score) AS max, count(*) AS count
FROM ({rows}) o WHERE o.status = 'succeeded' AND o.score IS NOT NULL
"""

# round() of a float8 goes to the even neighbour, as the reference's language does.
_BUCKETS = """
SELECT greatest(0, least(%(last)s, floor((round(o.score) - %(low)s) / %(width)s)))::int AS bucket, count(*)
FROM ({rows}) o WHERE o.status = 'succeeded' AND o.score IS NOT NULL
GROUP BY bucket
"""


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram's cut: whole numbers from ``low`` to ``high``, ``width`` of them in each bucket."""

    low: int
    high: int
    width: int

    @classmethod
    def over(cls, smallest: float, largest: float) -> Buckets:
        """Contract 4.5, last item."""
        low, high = floor(smallest), ceil(largest)
        return cls(low, high, max(1, -((low - high - 1) // MOST_BUCKETS)))

    @property
    def labels(self) -> list[str]:
        starts = range(self.low, self.high + 1, self.width)
        if self.width == 1:
            return [str(start) for start in starts]
        return [f"{start}–{min(start + self.width - 1, self.high)}" for start in starts]  # noqa: RUF001 - the contract's


def stats(
    connection: Connection,
    tenant: Tenant,
    scanner: Document,
    filters: ObservationFilters,
    *,
    recent: datetime,
    recent_days: int,
) -> Document:
    """The answer of contract 4.5 for one scanner, as `scanners.scanner` shows it.

    `recent`: when the last `recent_days` began; sessions observed since count as recent.
    """
    rows, values = rows_of(tenant, filters)
    with connection.cursor(row_factory=dict_row) as cursor:
        totals = cursor.execute(_TOTALS.format(rows=rows).encode(), {**values, "recent": recent}).fetchone() or {}
    kind = scanner["scanner_type"]
    available: list[str] = []
    classifier = None
    if kind == "classifier":
        classifier, available = _classifier(connection, rows, values)
    return {
        "status_counts": {
            **{name: totals[name] for name in ("total", "succeeded", "failed", "ineligible", "in_flight")},
            "success_rate": _percent(totals["succeeded"], totals["succeeded"] + totals["failed"]),
        },
        "coverage": {
            "recent_sessions": totals["recent_sessions"],
            "total_sessions": totals["total_sessions"],
            "recent_days": recent_days,
        },
        "available_tags": available,
        "monitor": (
            {name: totals[name] for name in ("yes_total", "no_total", "inconclusive_total")}
            if kind == "monitor"
            else None
        ),
        "classifier": classifier,
        "scorer": _scorer(connection, rows, values, scanner["scanner_config"]) if kind == "scorer" else None,
    }


def _percent(part: int, whole: int) -> int | None:
    """Half goes to the even neighbour."""
    return round(Fraction(100 * part, whole)) if whole else None


def _classifier(connection: Connection, rows: str, values: Document) -> tuple[Document, list[str]]:
    found = connection.execute(_TAGS.format(rows=rows).encode(), values).fetchall()

    def ranked(kind: str) -> list[Document]:
        return [{"tag": tag, "count": count} for of, tag, count, _ in found if of == kind][:RANKED]

    together = {"total_with_tags": found[0][3] if found else 0}
    return (
        {"fixed_ranked": ranked("fixed"), "freeform_ranked": ranked("freeform"), **together},
        sorted({tag for _, tag, _, _ in found}),
    )


def _scorer(connection: Connection, rows: str, values: Document, config: Document) -> Document:
    with connection.cursor(row_factory=dict_row) as cursor:
        summary = cursor.execute(_SCORES.format(rows=rows).encode(), values).fetchone()
    if not summary or not summary["count"]:
        return {"summary": None, "histogram": None}
    buckets = Buckets.over(*_scale(config, summary))
    labels = buckets.labels
    cut = {"low": float(buckets.low), "width": float(buckets.width), "last": len(labels) - 1}
    counts = dict(connection.execute(_BUCKETS.format(rows=rows).encode(), {**values, **cut}).fetchall())
    return {
        "summary": summary,
        "histogram": {"labels": labels, "counts": [counts.get(bucket, 0) for bucket in range(len(labels))]},
    }


def _scale(config: Document, summary: Document) -> tuple[float, float]:
    """Today's scale, whose ends were checked when it was saved; what was scored when it has none."""
    ends: dict[str, float] = config.get("scale") or summary
    return ends["min"], ends["max"]
