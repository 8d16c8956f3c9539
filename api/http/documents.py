"""The shapes of answers, for the OpenAPI document (contract 2 to 5, 7). The read side builds the documents."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.http.errors import ErrorType

R_ = TypeVar("R_")


class Problem(BaseModel):
    """Contract 2.2. A 503 also repeats `detail` under `error`."""

    type: ErrorType
    code: str
    detail: str
    attr: str | None
    error: str | None = Field(default=None, description="Only with status 503.")


class Page(BaseModel, Generic[R_]):
    """Contract 2.3."""

    count: int
    next: str | None
    previous: str | None
    results: list[R_]


class CursorPage(BaseModel, Generic[R_]):
    """A page by opaque cursor (extensions)."""

    next: str | None
    previous: str | None
    results: list[R_]


class UserDocument(BaseModel):
    """Contract 2.5."""

    model_config = ConfigDict(title="User")

    id: int
    uuid: UUID
    distinct_id: str | None
    first_name: str
    last_name: str
    email: str
    is_email_verified: bool | None
    hedgehog_config: dict[str, Any] | None
    role_at_organization: str | None


ScannerType = Literal["monitor", "classifier", "scorer", "summarizer"]


class ScannerDocument(BaseModel):
    """Contract 3.1."""

    model_config = ConfigDict(title="Scanner")

    id: UUID
    name: str
    description: str
    scanner_type: ScannerType
    scanner_config: dict[str, Any]
    query: dict[str, Any] | None
    sampling_rate: float
    provider: str
    model: str
    enabled: bool
    emits_signals: bool
    scanner_version: int
    estimated_monthly_observations: int | None
    last_swept_at: datetime
    created_at: datetime
    updated_at: datetime
    created_by: UserDocument | None


class ScannerSnapshot(BaseModel):
    """What an observation froze of its scanner (contract 4.1)."""

    name: str
    scanner_type: ScannerType
    scanner_version: int
    model: str
    provider: str
    emits_signals: bool
    scanner_config: dict[str, Any]


class ScannerResult(BaseModel):
    """Contract 4.1, 4.2."""

    model_output: dict[str, Any]
    signals_count: int


class ObservationDocument(BaseModel):
    """Contract 4.1."""

    model_config = ConfigDict(title="Observation")

    id: UUID
    scanner_id: UUID
    session_id: str
    status: Literal["pending", "running", "succeeded", "failed", "ineligible"]
    error_reason: str
    workflow_id: str
    scanner_snapshot: ScannerSnapshot | None
    scanner_result: ScannerResult | None
    triggered_by: Literal["schedule", "on_demand"]
    triggered_by_user: UserDocument | None
    distinct_id: str | None
    recording_subject_email: str | None
    previous_observation_id: UUID | None
    next_observation_id: UUID | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime


class CreatorsDocument(BaseModel):
    """Contract 3.6."""

    creators: list[UserDocument]


class CountDocument(BaseModel):
    """Scanners of one type."""

    enabled: int
    total: int


class ScannerStatsDocument(BaseModel):
    """Contract 3.6."""

    total: int
    enabled: int
    by_type: dict[ScannerType, CountDocument]


class StatusCounts(BaseModel):
    """`success_rate`: percent of succeeded and failed ones; null when there are none."""

    total: int
    succeeded: int
    failed: int
    ineligible: int
    in_flight: int
    success_rate: int | None


class Coverage(BaseModel):
    """Distinct sessions."""

    recent_sessions: int
    total_sessions: int
    recent_days: int


class MonitorStats(BaseModel):
    """Verdicts."""

    yes_total: int
    no_total: int
    inconclusive_total: int


class RankedTag(BaseModel):
    """How many observations have it."""

    tag: str
    count: int


class ClassifierStats(BaseModel):
    """The ten most frequent tags of each kind."""

    fixed_ranked: list[RankedTag]
    freeform_ranked: list[RankedTag]
    total_with_tags: int


class ScoreSummary(BaseModel):
    """Percentiles with linear interpolation."""

    min: float
    p25: float
    median: float
    mean: float
    p75: float
    max: float
    count: int


class Histogram(BaseModel):
    """A label and a count for each bucket, over the scanner's scale."""

    labels: list[str]
    counts: list[int]


class ScorerStats(BaseModel):
    """Both null when nothing is scored."""

    summary: ScoreSummary | None
    histogram: Histogram | None


class ObservationStatsDocument(BaseModel):
    """Contract 4.5. What the scanner's type does not have is null."""

    status_counts: StatusCounts
    coverage: Coverage
    available_tags: list[str]
    monitor: MonitorStats | None
    classifier: ClassifierStats | None
    scorer: ScorerStats | None


class ObserveDocument(BaseModel):
    """Contract 5, extensions "Observing"."""

    workflow_id: str
    observation_id: UUID


class BulkObserved(BaseModel):
    """What became of one session. `observation_id` is null when it was skipped."""

    session_id: str
    observation_id: UUID | None
    scan_outcome: Literal["started", "already_running", "already_scanned", "skipped_limit", "skipped_quota"]


class BulkObserveDocument(BaseModel):
    """Extensions "Observing"."""

    started: int
    results: list[BulkObserved]


class EstimateDocument(BaseModel):
    """Contract 6. The count is exact, and before sampling."""

    model_config = ConfigDict(title="Estimate")

    matched_sessions_in_window: int
    window_days: int
    estimated_observations_per_month: int
    sampling_rate: float
    other_enabled_scanners_monthly: int


class QuotaDocument(BaseModel):
    """Contract 7."""

    monthly_quota: int
    usage_this_month: int
    remaining: int
    exhausted: bool
    period_start: datetime
    period_end: datetime
    projected_monthly_observations: int


class HealthReason(BaseModel):
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
    since: datetime


class LastDay(BaseModel):
    """Observations that ended within the last 24 hours."""

    succeeded: int
    failed: int
    ineligible: int


class ScannerHealthDocument(BaseModel):
    """Extensions "Observing"."""

    model_config = ConfigDict(title="ScannerHealth")

    status: Literal["ok", "waiting", "blocked", "disabled"]
    reasons: list[HealthReason]
    settled_behind: int
    pending: int
    running: int
    last_day: LastDay
    unsupported_conditions: list[str]


class GapDocument(BaseModel):
    """Extensions "Observing"."""

    model_config = ConfigDict(title="Gap")

    id: UUID
    began: datetime = Field(alias="from")
    ended: datetime = Field(alias="to")
    reason: str
    sessions: int
    redriven_at: datetime | None


class RedriveDocument(BaseModel):
    """When the gap was asked for first."""

    id: UUID
    redriven_at: datetime


class TriggerConfig(BaseModel):
    """An iCalendar recurrence rule, and the IANA zone in whose local time it is meant."""

    rrule: str | None = None
    timezone: str | None = None


class Selection(BaseModel):
    """Which observations a report is about. Without `window_days`: since the last completed run."""

    scanner_type: str | None = None
    scanner_ids: list[str] | None = None
    verdict: str | None = None
    tags: list[str] | None = None
    min_score: float | None = None
    max_score: float | None = None
    status: str | None = None
    window_days: int | None = None


class SynthesisConfig(BaseModel):
    """How a report is written."""

    prompt_guide: str | None = None


class SlackTarget(BaseModel):
    """A channel, by an integration of the environment."""

    type: Literal["slack"]
    integration_id: int
    channel: str


class WebhookTarget(BaseModel):
    """An address of the caller's own."""

    type: Literal["webhook"]
    url: str


class EmailTarget(BaseModel):
    """1 to 20 addresses."""

    type: Literal["email"]
    to: list[str]


class ActionDocument(BaseModel):
    """Contract 8.1."""

    model_config = ConfigDict(title="Action")

    id: UUID
    name: str
    scanner: UUID
    enabled: bool
    trigger_type: Literal["schedule", "threshold"]
    mode: Literal["group_summary", "per_observation"]
    trigger_config: TriggerConfig
    selection: Selection
    synthesis_config: SynthesisConfig
    delivery_config: list[SlackTarget | WebhookTarget | EmailTarget]
    next_run_at: datetime | None
    last_run_at: datetime | None
    hog_flow_id: UUID | None
    created_at: datetime
    created_by: UserDocument | None
    updated_at: datetime


class ActorDocument(BaseModel):
    """Who did it (extensions "Audit")."""

    type: Literal["user", "key", "system"]
    user: UserDocument | None
    key_prefix: str | None
    role: str | None


class StreamDocument(BaseModel):
    """What it was done to."""

    type: str
    id: UUID


class ChangeDocument(BaseModel):
    """One field, from which value to which."""

    field: str
    before: Any
    after: Any


class HistoryEntry(BaseModel):
    """Extensions "Audit"."""

    position: int
    id: str
    type: str
    stream: StreamDocument
    version: int
    recorded_at: datetime
    actor: ActorDocument
    changes: list[ChangeDocument]
    correlation_id: UUID
    causation_id: str | None
