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
