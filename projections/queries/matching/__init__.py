"""From a RecordingsQuery to SQL: the one place that says which sessions a query matches (contract 3.3, engine 3).

The schedule, gaps, estimates and the list of sessions all ask here, so they cannot disagree (engine 11.16). terms.py
is what stands between reading and writing; ADR 16 says what is not answered and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.tenant import Tenant
from projections.queries.matching.definitions import NONE, Definitions
from projections.queries.matching.reading import read
from projections.queries.matching.terms import Some
from projections.queries.matching.writing import written

__all__ = ["NONE", "Condition", "Definitions", "condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """`sql`: a boolean expression over a row `s` of capture.session, with `values` bound by name (`match_...`).

    `unsupported`: the conditions of the query that cannot be answered, in a few words each; with any, `sql` is false.
    """

    sql: str
    values: dict[str, Any]
    unsupported: list[str]


def condition(tenant: Tenant, query: Mapping[str, Any], definitions: Definitions, now: datetime) -> Condition:
    """What the query, as it is stored, asks of a session of the tenant. Pure, and raises nothing for any object.

    Relative dates are counted back from `now`. It knows nothing of windows, eligibility, sampling and deletion: those
    are the caller's. Regular expressions and large sets can be slow, so a caller runs it under a statement_timeout.
    """
    reading = read(query, definitions)
    sql, values = written(tenant, Some(()) if reading.unanswered else reading.part, now)
    return Condition(f"(s.environment_id = %(match_environment)s AND {sql})", values, list(reading.unanswered))
