"""Bringing a recording's events into one order, and leaving out what is no event."""

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

DAY_MS: Final = 24 * 60 * 60 * 1000
"""A session lasts at most 24 h (capture 5), so an event further from the middle one has a broken clock."""
MAX_EVENTS: Final = 500_000
"""Events read of one recording; the rest counts as skipped. An hour of ordinary use is about 20,000."""


class Item(NamedTuple):
    t: int
    window: int
    type: int
    data: dict[str, Any]


class Ordered(NamedTuple):
    started_at_ms: int
    items: list[Item]
    windows: int
    skipped: int


def ordered(recording: Iterable[tuple[str, Any]]) -> Ordered:
    """Sort by the browser's time, ties in order of arrival (capture 3); times count from the first event."""
    windows: dict[str, int] = {}
    found: list[tuple[int, int, int, int, dict[str, Any]]] = []
    skipped = 0
    for arrival, (window, event) in enumerate(recording):
        time, kind = _time(event), event.get("type") if isinstance(event, dict) else None
        if time is None or not isinstance(kind, int) or arrival >= MAX_EVENTS:
            skipped += 1
            continue
        data = event.get("data")
        index = windows.setdefault(str(window), len(windows))
        found.append((time, arrival, index, kind, data if isinstance(data, dict) else {}))
    found.sort(key=lambda row: row[:2])
    if found:
        middle = found[len(found) // 2][0]
        kept = [row for row in found if abs(row[0] - middle) <= DAY_MS]
        skipped += len(found) - len(kept)
        found = kept
    start = found[0][0] if found else 0
    items = [Item(time - start, index, kind, data) for time, _, index, kind, data in found]
    return Ordered(start, items, len(windows), skipped)


def _time(event: object) -> int | None:
    value = event.get("timestamp") if isinstance(event, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    return int(value)
