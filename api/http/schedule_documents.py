"""The shapes of answers about a scanner's schedule: estimate, health and gaps (contract 6, extensions "Observing")."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.http.documents import Count, Document


class EstimateDocument(Document):
    """What a query and a rate would make of the sessions of the last days (contract 6)."""

    matched_sessions_in_window: Count
    """Exact, and before sampling."""
    window_days: Count
    """30, or fewer when there are recordings of fewer days."""
    estimated_observations_per_month: Count
    sampling_rate: float
    other_enabled_scanners_monthly: Count
    """Stored estimates of the organization's other enabled scanners."""
    unsupported_conditions: list[str]
    """The query's conditions that cannot be answered, a few words each; with any it matches nothing."""


class HealthReason(Document):
    """Why little or nothing comes of a scanner, and from when on, as far as it is known."""

    code: Literal[
        "quota_exhausted",
        "in_flight_cap",
        "provider_not_configured",
        "provider_failing",
        "unsupported_condition",
        "disabled",
        "sampling_zero",
    ]
    detail: str
    """One sentence for people."""
    since: datetime


class LastDay(Document):
    """Observations that ended within the last 24 hours."""

    succeeded: Count
    failed: Count
    ineligible: Count


class ScannerHealthDocument(Document):
    """Whether a scanner's schedule gets on, and if not, why (extensions "Observing")."""

    status: Literal["ok", "waiting", "blocked", "disabled"]
    reasons: list[HealthReason]
    settled_behind: Count
    """Sessions that are over and that the schedule has not looked at."""
    pending: Count
    running: Count
    last_day: LastDay
    unsupported_conditions: list[str]
    """The query's conditions that cannot be answered, a few words each; with any it selects nothing."""


class GapDocument(Document):
    """Sessions that the schedule passed over (extensions "Observing")."""

    id: UUID
    began: datetime = Field(alias="from")
    """When the first session of the gap settled."""
    ended: datetime = Field(alias="to")
    """When the last session of the gap settled."""
    reason: str
    sessions: Count
    """Those of its sessions that the scanner's present query matches, before sampling."""
    redriven_at: datetime | None
    """When it was asked for after all."""


class RedriveDocument(Document):
    """When the gap was asked for first."""

    id: UUID
    redriven_at: datetime
