"""Which of the settled sessions a scanner wants."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.eligibility import EligibilityLimits, ineligible
from domain.sampling import sampled
from domain.session_facts import SettledSession

PAGE = 200
"""Settled sessions looked at in one step: the largest bulk request."""

ANSWERED = frozenset({"kind", "session_ids", "distinct_ids", "operand", "order", "order_direction", "limit", "offset",
                      "after", "user_modified_filters", "modifiers", "response", "tags", "version"})  # fmt: skip
"""Keys of a query that are evaluated or that do not select. Any other key with a value cannot be answered yet."""


def unsupported_conditions(query: dict[str, Any]) -> list[str]:
    """The keys of a query whose conditions cannot be answered. A query with any selects nothing."""
    return sorted(key for key, value in query.items() if key not in ANSWERED and value not in (None, [], {}, False))


def matches(query: dict[str, Any], limits: EligibilityLimits, session: SettledSession) -> bool:
    """Whether a scanner with this query looks at the session at all: query, then eligibility. Pure.

    `counting.py` says the same in SQL; a property test holds the two together.
    """
    if unsupported_conditions(query):
        return False
    session_ids, distinct_ids = query.get("session_ids"), query.get("distinct_ids")
    if session_ids is not None and session.facts.id not in session_ids:
        return False
    if distinct_ids is not None and not set(distinct_ids) & set(session.distinct_ids):
        return False
    return ineligible(session.facts.recording_duration, session.facts.active_seconds, limits) is None


def wanted(
    scanner_id: UUID, query: dict[str, Any], sampling_rate: float, limits: EligibilityLimits, session: SettledSession
) -> bool:
    """Whether the schedule scans this session: `matches`, then sampling. Pure."""
    return matches(query, limits, session) and sampled(scanner_id, session.facts.id, sampling_rate)
