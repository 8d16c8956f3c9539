"""What is known of a recorded session without watching it (capture 5)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The fields of the session read API. Times of the session are by the visitor's clock, `settled_at` by ours.

    `recording_duration` and the `*_seconds` are seconds, exact to the millisecond; `size` is bytes of JSON lines as
    received. `urls` and `windows` are in the order in which they were first seen. `ongoing`: data came within the last
    5 minutes. `settled_at` is None while the session is open, and again when late data has reopened it.
    """

    id: str
    distinct_id: str | None
    start_time: datetime
    end_time: datetime
    recording_duration: float
    active_seconds: float
    inactive_seconds: float
    click_count: int
    keypress_count: int
    mouse_activity_count: int
    console_log_count: int
    console_warn_count: int
    console_error_count: int
    start_url: str | None
    urls: tuple[str, ...]
    windows: tuple[str, ...]
    event_count: int
    size: int
    snapshot_source: str | None
    snapshot_library: str | None
    activity_score: float
    ongoing: bool
    settled_at: datetime | None


def activity_score(
    *,
    active_seconds: float,
    duration_seconds: float,
    clicks: int,
    keypresses: int,
    mouse_activity: int,
    console_logs: int,
    console_warns: int,
    console_errors: int,
) -> float:
    """How much happened for the time it took (engine 3.2); 0 for a session in which nothing can be divided."""
    # In whole milliseconds and halves up, so that the database, which sorts by it, finds the very same.
    done = round(1000 * active_seconds) + 1000 * (clicks + keypresses + console_errors)
    over = round(1000 * duration_seconds) + 1000 * (mouse_activity + console_errors + console_logs + console_warns)
    return (20_000 * done + over) // (2 * over) / 100 if over else 0.0
