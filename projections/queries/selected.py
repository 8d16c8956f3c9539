"""The observations that an action is about: its selection, applied to a window of time (contract 8.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from domain.tenant import Tenant
from projections.queries.observations import ObservationFilters, rows_of

COMMIT = timedelta(hours=1)
"""Longer than an event can take from its time to its place in the log."""

_CONDITIONS = {
    "scanners": "o.scanner_id = ANY(%(scanners)s)",
    "scanner_type": "o.output->>'scanner_type' = %(scanner_type)s",
    "status": "o.status = %(status)s",
    "min_score": "o.score >= %(min_score)s",
    "max_score": "o.score <= %(max_score)s",
}
_BY_TIME = " AND o.completed_at >= %(window_start)s AND o.completed_at < %(window_end)s"
# The time is for the index.
_BY_PLACE = """
AND o.completed_at >= %(window_start)s AND o.completed_position > %(since)s AND o.completed_position <= %(until)s
"""


@dataclass(frozen=True, slots=True)
class Window:
    """When the observations ended that a run is about: at `start` or later and before `end`.

    Windows that go on from one another have no moment between them where an event could fall through that was slower to
    be written than others: with `since` they are places in the log, after `since` and up to `until`.
    """

    start: datetime
    end: datetime
    since: int | None
    until: int


@dataclass(frozen=True, slots=True)
class Selected:
    """A selection, read. Only succeeded observations are ever selected; empty values and None mean no condition.

    `scanners` is never empty: a selection without any is about its action's own scanner. A verdict, tag or score leaves
    out observations of types that have none.
    """

    scanners: Sequence[UUID]
    scanner_type: str = ""
    status: str = ""
    verdict: str = ""
    tags: Sequence[str] = ()
    min_score: float | None = None
    max_score: float | None = None

    @classmethod
    def of(cls, selection: Mapping[str, Any], scanner_id: UUID) -> Selected:
        """`selection` as contract 8.1 stores it, of an action of `scanner_id`. Ids that are none match nothing."""
        named = cast(list[str], selection.get("scanner_ids") or [str(scanner_id)])
        return cls(
            scanners=tuple(_ids(named)),
            scanner_type=selection.get("scanner_type", ""),
            status=selection.get("status", ""),
            verdict=selection.get("verdict", ""),
            tags=tuple(selection.get("tags", ())),
            min_score=selection.get("min_score"),
            max_score=selection.get("max_score"),
        )


def rows(tenant: Tenant, selected: Selected, window: Window) -> tuple[str, dict[str, Any]]:
    """A query for rows of `read_observations.observation` that ended in the window, and its values."""
    filters = ObservationFilters(
        statuses=("succeeded",), verdicts=(selected.verdict,) if selected.verdict else (), tags=selected.tags
    )
    sql, values = rows_of(tenant, filters)
    given = {
        "scanners": list(selected.scanners),
        "scanner_type": selected.scanner_type or None,
        "status": selected.status or None,
        "min_score": selected.min_score,
        "max_score": selected.max_score,
    }
    used = {name: value for name, value in given.items() if value is not None}
    conditions = "".join(f" AND {_CONDITIONS[name]}" for name in used)
    bounds: dict[str, Any] = {"window_start": window.start, "window_end": window.end}
    if window.since is not None:
        bounds = {"window_start": window.start - COMMIT, "since": window.since, "until": window.until}
    return f"{sql}{conditions}{_BY_TIME if window.since is None else _BY_PLACE}", {**values, **used, **bounds}


def _ids(named: Sequence[str]) -> list[UUID]:
    found: list[UUID] = []
    for name in named:
        with suppress(ValueError):
            found.append(UUID(name))
    return found
