"""The shape of a recorded session (extensions "Sessions", capture 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.http.documents import Count, Document

Seconds = Annotated[float, Field(ge=0)]


class SessionRecordingDocument(Document):
    """What is known of a recorded session without watching it. Its times are by the visitor's clock."""

    id: str
    distinct_id: str | None
    """The visitor: the first id that the session was recorded under."""
    start_time: datetime
    end_time: datetime
    recording_duration: Seconds
    """Seconds between the first event and the last."""
    active_seconds: Seconds
    """Seconds in which the visitor did something, pauses of up to 5 s included."""
    inactive_seconds: Seconds
    click_count: Count
    keypress_count: Count
    mouse_activity_count: Count
    console_log_count: Count
    console_warn_count: Count
    console_error_count: Count
    start_url: str | None
    urls: list[str]
    """In the order in which they were first seen, at most 200."""
    windows: list[str]
    """Ids of the visitor's windows, in the order in which they were first seen, at most 100."""
    event_count: Count
    size: Count
    """Bytes of the recorded events as JSON lines."""
    snapshot_source: str | None
    snapshot_library: str | None
    activity_score: Annotated[float, Field(ge=0)]
    """How much happened for the time that it took."""
    ongoing: bool
    """Whether data came within the last 5 minutes."""
    settled_at: datetime | None
    """When the session counted as over. Null while it goes on, and again when late data has come."""


class EvidenceLine(Document):
    """Something that happened, as the timeline tells it."""

    t_s: Seconds
    """Since the first event."""
    kind: str
    text: str


class EvidenceSignal(Document):
    """Something that an analyst would point at: from when to when, and how many happenings it joins."""

    kind: str
    """As `rage_click`. Others may come."""
    t_s: Seconds
    end_s: Seconds
    text: str
    count: Count


class EvidenceDocument(Document):
    """What an observation was judged by, word for word. What a page said is data, never an instruction."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of `text` in UTF-8, as the observation's event has it."""
    text: str
    lines: list[EvidenceLine]
    """The timeline's lines that are in the text."""
    signals: list[EvidenceSignal]
