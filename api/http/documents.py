"""The shapes of answers, for the OpenAPI document (contract 2 to 5, 7). The read side builds the documents.

A component of the OpenAPI document has its class's name, less "Document". Its description is the class's docstring,
less what stands in brackets about the contract.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.http.errors import ErrorType
from api.http.shapes import ModelOutput
from domain.recordings_query import RecordingsQuery

R_ = TypeVar("R_")

Count = Annotated[int, Field(ge=0)]
Address = Annotated[str, Field(json_schema_extra={"format": "uri"})]


class Document(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Problem(Document):
    """What every error says: the first problem found, and only that one (contract 2.2)."""

    type: ErrorType
    code: str
    """One word for programs, as `required` or `not_found`."""
    detail: str
    """One sentence for people."""
    attr: str | None
    """The field or parameter to blame; levels are joined by `__`. Null when there is none."""


class Unavailable(Problem):
    """As `Problem`, with the text a second time for older clients (contract 2.2)."""

    error: str
    """The same as `detail`."""


class Page(Document, Generic[R_]):
    """One page of a list, by `limit` and `offset` (contract 2.3)."""

    count: Count
    """Rows of all pages together, after the filters."""
    next: Address | None
    """The address of the next page."""
    previous: Address | None
    results: list[R_]


class CursorPage(Document, Generic[R_]):
    """A page by opaque cursor (extensions)."""

    next: Address | None
    previous: Address | None
    results: list[R_]


class UserDocument(Document):
    """A person with an account. Keys that this server has no use for are null (contract 2.5)."""

    id: int
    uuid: UUID
    distinct_id: str | None
    first_name: str
    last_name: str
    email: str
    is_email_verified: bool | None
    hedgehog_config: dict[str, Any] | None
    role_at_organization: str | None


class ScannerType(StrEnum):
    """What a scanner answers with: yes or no, tags, a number, or a summary."""

    monitor = "monitor"
    classifier = "classifier"
    scorer = "scorer"
    summarizer = "summarizer"


class ObservationStatus(StrEnum):
    """`pending` and `running` are in flight, the others are endings."""

    pending = "pending"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    ineligible = "ineligible"


class Trigger(StrEnum):
    """Who asked for an observation: the scanner's schedule, or a request."""

    schedule = "schedule"
    on_demand = "on_demand"


class ScannerDocument(Document):
    """A standing question over session recordings (contract 3.1)."""

    id: UUID
    name: str
    """Unique in its project."""
    description: str
    scanner_type: ScannerType
    scanner_config: dict[str, Any]
    """As sent: by the type, a MonitorConfig, ClassifierConfig, ScorerConfig or SummarizerConfig."""
    query: RecordingsQuery | None
    """As sent, without `date_from` and `date_to`: the schedule owns time."""
    sampling_rate: Annotated[float, Field(ge=0, le=1)]
    """The share of matching sessions that the schedule scans."""
    provider: str
    model: str
    enabled: bool
    """Whether the schedule scans. A scan on request does not ask."""
    emits_signals: bool
    scanner_version: Annotated[int, Field(ge=1)]
    """Goes up by one with every edit that can change an answer."""
    estimated_monthly_observations: Count | None
    last_swept_at: datetime
    """The schedule has looked at everything that was recorded before."""
    created_at: datetime
    updated_at: datetime
    created_by: UserDocument | None


class ScannerSnapshot(Document):
    """The scanner as it was when the observation was asked for (contract 4.1)."""

    name: str
    scanner_type: ScannerType
    scanner_version: int
    model: str
    provider: str
    emits_signals: bool
    scanner_config: dict[str, Any]


class ScannerResult(Document):
    """What a scan came to (contract 4.1, 4.2)."""

    model_output: ModelOutput
    signals_count: Count


class ObservationDocument(Document):
    """One scanner applied to one recorded session; there is at most one for each such pair (contract 4.1)."""

    id: UUID
    scanner_id: UUID
    session_id: str
    status: ObservationStatus
    error_reason: str
    """`kind: text` when it failed or was ineligible, else empty."""
    workflow_id: str
    """Empty until the scan has started."""
    scanner_snapshot: ScannerSnapshot | None
    scanner_result: ScannerResult | None
    triggered_by: Trigger
    triggered_by_user: UserDocument | None
    distinct_id: str | None
    """Who was recorded, as the site that recorded it names people."""
    recording_subject_email: str | None
    previous_observation_id: UUID | None
    """The same scanner's next newer observation; only where one observation is retrieved without its scanner."""
    next_observation_id: UUID | None
    """The next older one."""
    started_at: datetime | None
    completed_at: datetime | None
    """Null exactly while it is in flight."""
    created_at: datetime


class CreatorsDocument(Document):
    """Who created the scanners that are there (contract 3.6)."""

    creators: list[UserDocument]


class ScannerCount(Document):
    """Scanners of one type."""

    enabled: Count
    total: Count


class TypeCounts(Document):
    """Every type, also one without scanners."""

    monitor: ScannerCount
    classifier: ScannerCount
    scorer: ScannerCount
    summarizer: ScannerCount


class ScannerStatsDocument(Document):
    """How many scanners there are (contract 3.6)."""

    total: Count
    enabled: Count
    by_type: TypeCounts


class StatusCounts(Document):
    """Observations by status."""

    total: Count
    succeeded: Count
    failed: Count
    ineligible: Count
    in_flight: Count
    """Pending and running ones."""
    success_rate: Annotated[int, Field(ge=0, le=100)] | None
    """Percent of succeeded and failed ones; null when there are none."""


class Coverage(Document):
    """How many different sessions were observed."""

    recent_sessions: Count
    total_sessions: Count
    recent_days: int


class MonitorStats(Document):
    """Observations by verdict."""

    yes_total: Count
    no_total: Count
    inconclusive_total: Count


class RankedTag(Document):
    """A tag and how many observations have it."""

    tag: str
    count: Count


class ClassifierStats(Document):
    """The ten most frequent tags of each kind."""

    fixed_ranked: list[RankedTag]
    freeform_ranked: list[RankedTag]
    total_with_tags: Count


class ScoreSummary(Document):
    """Where the scores lie. Percentiles are interpolated."""

    min: float
    p25: float
    median: float
    mean: float
    p75: float
    max: float
    count: Count


class Histogram(Document):
    """A label and a count for each bucket, over the scanner's scale."""

    labels: list[str]
    counts: list[Count]


class ScorerStats(Document):
    """Scores, both null when nothing is scored."""

    summary: ScoreSummary | None
    histogram: Histogram | None


class ObservationStatsDocument(Document):
    """What a scanner's observations add up to. What its type does not have is null (contract 4.5)."""

    status_counts: StatusCounts
    coverage: Coverage
    available_tags: list[str]
    monitor: MonitorStats | None
    classifier: ClassifierStats | None
    scorer: ScorerStats | None


class ObserveDocument(Document):
    """Which observation a request has led to (contract 5, extensions "Observing")."""

    workflow_id: str
    """The same for the same scanner and session, always."""
    observation_id: UUID


class BulkObserved(Document):
    """What became of one session. `observation_id` is null when it was skipped."""

    session_id: str
    observation_id: UUID | None
    scan_outcome: Literal["started", "already_running", "already_scanned", "skipped_limit", "skipped_quota"]


class BulkObserveDocument(Document):
    """What became of each session, in the order of the request (extensions "Observing")."""

    started: Count
    results: list[BulkObserved]


class QuotaDocument(Document):
    """What the organization may use this month, and has used (contract 7)."""

    monthly_quota: Count
    """Observations a calendar month in UTC, over all projects of the organization."""
    usage_this_month: Count
    """Observations that succeeded or are in flight; deleting gives nothing back."""
    remaining: Count
    exhausted: bool
    period_start: datetime
    period_end: datetime
    """The first moment that is outside."""
    projected_monthly_observations: Count
    """What all enabled scanners are expected to make in a month."""


class ActorDocument(Document):
    """Who did it (extensions "Audit")."""

    type: Literal["user", "key", "system"]
    user: UserDocument | None
    key_prefix: str | None
    role: str | None


class StreamDocument(Document):
    """What it was done to."""

    type: str
    id: UUID


class ChangeDocument(Document):
    """One field, from which value to which."""

    field: str
    before: Any
    after: Any


class HistoryEntry(Document):
    """One event of the log (extensions "Audit")."""

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
