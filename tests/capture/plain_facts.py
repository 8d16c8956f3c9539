"""The facts of a session, worked out slowly from all its events at once, by the words of capture 5. Shares no code."""

from collections.abc import Sequence
from typing import Any

Recorded = tuple[str, dict[str, Any]]
"""Window id and rrweb event."""


def plain_facts(recorded: Sequence[Recorded]) -> dict[str, Any]:
    """Named like the columns of capture.session; `urls` and `windows` as sets."""
    events = [event for _, event in recorded]
    incremental = [event["data"] for event in events if event["type"] == 3 and isinstance(event["data"], dict)]
    levels = [
        event["data"]["payload"].get("level")
        for event in events
        if event["type"] == 6 and event["data"].get("plugin") == "rrweb/console@1"
    ]
    warns = sum(level in ("warn", "countReset") for level in levels)
    errors = sum(level in ("error", "assert") for level in levels)
    times = [event["timestamp"] for event in events]
    return {
        "event_count": len(events),
        "click_count": sum(data["source"] == 2 and data["type"] in (2, 3, 4, 9) for data in incremental),
        "keypress_count": sum(data["source"] == 5 for data in incremental),
        "mouse_activity_count": sum(data["source"] in (1, 2, 6) for data in incremental),
        "console_log_count": len(levels) - warns - errors,
        "console_warn_count": warns,
        "console_error_count": errors,
        "first_timestamp": min(times),
        "last_timestamp": max(times),
        "active_milliseconds": active_milliseconds([(event["timestamp"], is_active(event)) for event in events]),
        "urls": {url for event in events if (url := url_of(event))},
        "start_url": start_url(events),
        "windows": {window for window, _ in recorded},
    }


def is_active(event: dict[str, Any]) -> bool:
    data = event["data"]
    return event["type"] == 3 and isinstance(data, dict) and data["source"] in (1, 2, 3, 4, 5, 6, 7, 12)


def url_of(event: dict[str, Any]) -> str:
    """`data.href` or `data.payload.href`, of an event of any type."""
    data = event.get("data")
    if not isinstance(data, dict):
        return ""
    payload = data.get("payload")
    href = data.get("href") or (payload.get("href") if isinstance(payload, dict) else "")
    return str(href or "").strip()


def start_url(events: Sequence[dict[str, Any]]) -> str | None:
    """The earliest; of several at one time the smallest."""
    found = sorted((event["timestamp"], url_of(event)) for event in events if url_of(event))
    return found[0][1] if found else None


def active_milliseconds(moments: Sequence[tuple[int, bool]]) -> int:
    """Capture 5, word by word, over the sorted events of the whole session.

    Where times are equal active ones come first: the rule leaves that open, and the sum is the same.
    """
    total, start, end, active, last_active = 0, 0, 0, False, 0
    segments: list[tuple[int, int, bool]] = []
    for index, (moment, is_active) in enumerate(sorted(moments, key=lambda event: (event[0], not event[1]))):
        starts = index == 0 or (is_active and not active) or (active and moment - last_active > 5_000)
        if starts and index:
            segments.append((start, end, active))
        if starts:
            start, active = moment, is_active
        end = moment
        if is_active:
            last_active = moment
    if moments:
        segments.append((start, end, active))
    for first, last, was_active in segments:
        total += max(1, last - first) if was_active else 0
    return total
