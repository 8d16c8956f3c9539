"""What is known of a session without looking at the page: counts, times, addresses (capture 5, "Exact rules").

`Facts` of disjoint sets of batches merge by minimum, sum and union, so order and grouping of batches never matter;
repeated batches are removed before (by uuid).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.capture.digest.active_time import from_json, to_json
from consumers.capture.digest.activity import Activity, activity_of
from consumers.capture.messages.snapshot import Snapshot, clean
from consumers.capture.wire.encodings import Json
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.readable import readable

MAX_URLS = 200
MAX_URL = 4_096
MAX_WINDOWS = 100
MAX_DISTINCT_IDS = 20
MAX_SOURCES = 5
"""Entries kept a session, the earliest ones; URLs are cut to MAX_URL characters (capture 5)."""

_INCREMENTAL, _PLUGIN = 3, 6
_ACTIVE_SOURCES = frozenset({1, 2, 3, 4, 5, 6, 7, 12})
_MOUSE_SOURCES = frozenset({1, 2, 6})
_INTERACTION, _INPUT = 2, 5
_CLICKS = frozenset({2, 3, 4, 9})
"""click, context menu, double click, touch end."""
_CONSOLE = "rrweb/console@1"
_WARN = frozenset({"warn", "countReset"})
_ERROR = frozenset({"error", "assert"})

Firsts = Mapping[str, int]
"""What was seen, and the earliest time (milliseconds) at which it was."""


COUNTS = (
    "click_count",
    "keypress_count",
    "mouse_activity_count",
    "console_log_count",
    "console_warn_count",
    "console_error_count",
    "size",
    "event_count",
    "message_count",
)
"""What is summed. `size` is in bytes of JSON lines as received."""

SEEN = {
    "urls": MAX_URLS,
    "windows": MAX_WINDOWS,
    "distinct_ids": MAX_DISTINCT_IDS,
    "sources": MAX_SOURCES,
    "libraries": MAX_SOURCES,
}
"""What is collected, and how many of each are kept."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Times in milliseconds since 1970 by the visitor's clock; `counts` has all of COUNTS, `seen` all of SEEN."""

    first_timestamp: int
    last_timestamp: int
    counts: Mapping[str, int]
    seen: Mapping[str, Firsts]
    activity: Activity

    def merge(self, *others: "Facts") -> "Facts":
        """Of several at once it is the same as one by one, and costs one look at each."""
        if not others:
            return self
        every = (self, *others)
        return Facts(
            first_timestamp=min(each.first_timestamp for each in every),
            last_timestamp=max(each.last_timestamp for each in every),
            counts={name: sum(each.counts[name] for each in every) for name in COUNTS},
            seen={name: _union([each.seen[name] for each in every], limit) for name, limit in SEEN.items()},
            activity=self.activity.merge(*(other.activity for other in others)),
        )


def facts_of(snapshot: Snapshot, size: int) -> tuple[Facts, int] | None:
    """The facts of one batch and how many of its items are no events; None when none is.

    `size` is the length of the batch's JSON lines in bytes.
    """
    tally = _Tally()
    room = Room()
    for item in snapshot.items:
        if (found := readable(item, room)) is not None:
            tally.add(*found)
    moments = tally.active + tally.quiet
    if not moments:
        return None
    first = min(moments)
    facts = Facts(
        first_timestamp=first,
        last_timestamp=max(moments),
        counts={
            "click_count": tally.clicks,
            "keypress_count": tally.keypresses,
            "mouse_activity_count": tally.mouse,
            **tally.console,
            "size": size,
            "event_count": len(moments),
            "message_count": 1,
        },
        seen={
            "urls": _union([tally.urls], MAX_URLS),
            "windows": {snapshot.window_id: first},
            "distinct_ids": _one(snapshot.distinct_id, first),
            "sources": {snapshot.source: first},
            "libraries": _one(snapshot.library, first),
        },
        activity=activity_of(tally.active, tally.quiet),
    )
    return facts, len(snapshot.items) - len(moments)


def earliest(seen: Firsts) -> str | None:
    """What was seen first; of several at the same time the smallest, so that the answer never depends on arrival."""
    return min(seen, key=lambda text: (seen[text], text), default=None)


def in_order(seen: Firsts) -> list[str]:
    return sorted(seen, key=lambda text: (seen[text], text))


def to_state(facts: Facts) -> dict[str, Any]:
    """The part of the facts that has no column of its own, as JSON."""
    return {"seen": facts.seen, **to_json(facts.activity)}


def from_state(first_timestamp: int, last_timestamp: int, counts: Mapping[str, int], state: Mapping[str, Any]) -> Facts:
    return Facts(first_timestamp, last_timestamp, counts, state["seen"], from_json(state))


def _union(several: Sequence[Firsts], limit: int) -> dict[str, int]:
    """Keeps the `limit` earliest. Earliest times only ever get earlier, so what falls out could never come back in."""
    joined = dict(several[0])
    for other in several[1:]:
        for text, moment in other.items():
            if moment < joined.get(text, moment + 1):
                joined[text] = moment
    if len(joined) <= limit:
        return joined
    return {text: joined[text] for text in in_order(joined)[:limit]}


def _one(text: str | None, moment: int) -> dict[str, int]:
    return {} if text is None else {text: moment}


class _Tally:
    """Counts the events of one batch. The rules are capture 5's."""

    __slots__ = ("active", "clicks", "console", "keypresses", "mouse", "quiet", "urls")

    def __init__(self) -> None:
        self.clicks = self.keypresses = self.mouse = 0
        self.console = {"console_log_count": 0, "console_warn_count": 0, "console_error_count": 0}
        self.urls: dict[str, int] = {}
        self.active: list[int] = []
        self.quiet: list[int] = []

    def add(self, moment: int, event: dict[str, Json]) -> None:
        data, moments = event.get("data"), self.quiet
        if isinstance(data, dict):
            kind = event.get("type")
            if kind == _INCREMENTAL:
                source = data.get("source")
                if isinstance(source, int) and source in _ACTIVE_SOURCES:
                    moments = self.active
                    self._active(source, data)
            elif kind == _PLUGIN and data.get("plugin") == _CONSOLE:
                self._console(data.get("payload"))
            if "href" in data or "payload" in data:
                self._url(data, moment)
        moments.append(moment)

    def _active(self, source: int, data: dict[str, Json]) -> None:
        """All that is counted of incremental events is activity."""
        if source in _MOUSE_SOURCES:
            self.mouse += 1
            if source == _INTERACTION and isinstance(kind := data.get("type"), int) and kind in _CLICKS:
                self.clicks += 1
        elif source == _INPUT:
            self.keypresses += 1

    def _console(self, payload: Json) -> None:
        level = payload.get("level") if isinstance(payload, dict) else None
        named = level if isinstance(level, str) else ""
        kind = "warn" if named in _WARN else "error" if named in _ERROR else "log"
        self.console[f"console_{kind}_count"] += 1

    def _url(self, data: dict[str, Json], moment: int) -> None:
        payload = data.get("payload")
        href = data.get("href") or (payload.get("href") if isinstance(payload, dict) else None)
        if isinstance(href, str) and (url := clean(href.strip(), MAX_URL)) is not None:
            self.urls[url] = min(moment, self.urls.get(url, moment))
