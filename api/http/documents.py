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


class ObserveDocument(BaseModel):
    """Contract 5, extensions "Observing"."""

    workflow_id: str
    observation_id: UUID


class QuotaDocument(BaseModel):
    """Contract 7."""

    monthly_quota: int
    usage_this_month: int
    remaining: int
    exhausted: bool
    period_start: datetime
    period_end: datetime
    projected_monthly_observations: int


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
