"""The shapes of answers about runs of actions (extensions "Actions")."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from api.http.documents import Count, Document


class RunStatus(StrEnum):
    """`running` is in progress, the others are endings."""

    running = "running"
    completed = "completed"
    failed = "failed"
    skipped = "skipped"


class RunDocument(Document):
    """One run of an action: a report about the observations of a window."""

    id: UUID
    status: RunStatus
    scheduled_at: datetime
    """When it was due, or when somebody asked for it."""
    window_start: datetime | None
    """Null until the run has started, where its window goes on from the last one's."""
    window_end: datetime
    observation_count: Count
    """Observations that the report was written of, 0 without one."""
    error_reason: str
    """`kind: text` when it failed or was skipped, else empty."""
    created_at: datetime
    updated_at: datetime


class CitedDocument(Document):
    """An observation that the report refers to as `[obs index]`. Numbers of those that were deleted are missing."""

    index: int
    id: UUID
    session_id: str
    title: str
    """Empty where the answer has none."""
    created_at: datetime


class AttemptDocument(Document):
    """One attempt to deliver."""

    at: datetime
    status_code: int | None
    """What the target answered with; null when no answer came."""
    duration_ms: Count
    error: str | None
    """What went wrong; null when nothing did."""
    response_excerpt: str
    """How the answer begins, empty when there was none."""


class DeliveryDocument(Document):
    """Where the report goes, and how that went. Each address of an e-mail is a delivery of its own."""

    id: UUID
    type: Literal["slack", "webhook", "email"]
    target: str
    status: Literal["pending", "succeeded", "abandoned"]
    attempts: list[AttemptDocument]


class RunDetailDocument(RunDocument):
    """A run with its report and its deliveries."""

    synthesized_markdown: str | None
    """Null without a report, and where it was erased."""
    observations: list[CitedDocument]
    deliveries: list[DeliveryDocument]


class RunStartedDocument(Document):
    """Which run a request has led to."""

    run_id: UUID


class RedeliveredDocument(Document):
    """The delivery that is tried again."""

    id: UUID
    status: Literal["pending"]
