"""A recording's events in one order, less what is no event."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from consumers.capture.reading.recording import DAY_MS, Recording

MAX_EVENTS: Final = 2_000_000
"""Events read of one recording, the earliest; the rest counts as skipped. An hour of ordinary use is about 20,000."""


class Item(NamedTuple):
    t: int
    window: int
    type: int
    data: dict[str, Any]


class Arrived:
    """The items of a recording, to be read once, one at a time; times count from the first one.

    ``started_at_ms`` is known from the first item on; ``windows``, ``skipped``, ``events`` and ``duration`` are
    complete after the last one. An event over DAY_MS from the middle one has a broken clock and is skipped.
    """

    def __init__(self, recording: Recording) -> None:
        self.started_at_ms = 0
        self.duration = 0
        self.windows = 0
        self.skipped = 0
        self.events = 0
        self._recording = recording

    def __iter__(self) -> Iterator[Item]:
        windows = {window: index for index, window in enumerate(self._recording.windows)}
        middle = self._recording.middle
        met: set[int] = set()
        start = 0
        for window, event in self._recording.events:
            time = _time(event)
            kind = event.get("type") if time is not None else None
            if time is None or not isinstance(kind, int) or self.events >= MAX_EVENTS:
                self.skipped += 1
                continue
            index = windows.get(window)
            if index is None:
                index = windows.setdefault(str(window), len(windows))
            if index not in met:
                met.add(index)
                self.windows += 1
            if middle is not None and abs(time - middle) > DAY_MS:
                self.skipped += 1
                continue
            if not self.events:
                self.started_at_ms = start = time
            self.events += 1
            t = self.duration = time - start
            data = event.get("data")
            yield Item(t, index, kind, data if isinstance(data, dict) else {})


def ordered(recording: Iterable[tuple[str, Any]]) -> Recording:
    """A recording that comes in order of arrival and fits into memory.

    Sorted by the browser's time, ties in order of arrival (capture 3).
    """
    windows: dict[str, None] = {}
    timed: list[tuple[int, int, tuple[str, Any]]] = []
    no_events: list[tuple[str, Any]] = []
    for arrival, (window, event) in enumerate(recording):
        time = _time(event)
        if time is None or not isinstance(event.get("type"), int):
            no_events.append((window, event))
            continue
        windows.setdefault(str(window))
        timed.append((time, arrival, (window, event)))
    timed.sort(key=lambda row: row[:2])
    middle = timed[len(timed) // 2][0] if timed else None
    return Recording(tuple(windows), middle, iter([*(pair for _, _, pair in timed), *no_events]))


def _time(event: object) -> int | None:
    value = event.get("timestamp") if isinstance(event, dict) else None
    if type(value) is int and value > 0:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    return int(value)
