"""What happened in a session, in the words of this product: the input of signals and timeline.

Times are ms since the first event. ``window`` is an index in order of first appearance.
"""

from array import array
from collections import Counter
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers.scanning.evidence.mirror import Room
from consumers.scanning.evidence.naming import Target
from consumers.scanning.evidence.page_text import PageText


@dataclass(frozen=True, slots=True)
class Page:
    """A page or view came up.

    ``how``: opened, moved (in-page navigation), reloaded, view (another heading, same URL).
    """

    t: int
    window: int
    url: str
    how: str
    text: PageText


@dataclass(frozen=True, slots=True)
class Click:
    """``error_in_view``: an error message shown before was still there. ``by_key``: Enter pressed, no pointer."""

    t: int
    window: int
    x: float
    y: float
    target: Target
    url: str
    error_in_view: bool
    by_key: bool


@dataclass(slots=True)
class Typing:
    """Input into one field, collapsed. ``events`` counts input events, ``erased`` those that made the text shorter."""

    t: int
    end: int
    window: int
    target: Target
    url: str
    events: int
    length: int
    erased: int = 0
    checked: bool | None = None


class Shown(NamedTuple):
    """Text that appeared by a change of the page. ``fresh_page``: while a page or view was being built."""

    t: int
    window: int
    text: str
    place: str
    node: int
    url: str
    fresh_page: bool


class Request(NamedTuple):
    """A request the page made. ``status`` is None where unknown; ``failed`` by status or for want of any answer."""

    t: int
    end: int
    window: int
    method: str
    url: str
    status: int | None
    kind: str
    failed: bool

    @property
    def duration(self) -> int:
        return self.end - self.t


class Logged(NamedTuple):
    """A console line. ``uncaught``: an exception or rejection nothing handled."""

    t: int
    window: int
    level: str
    text: str
    uncaught: bool


class Mark(NamedTuple):
    """Something short the recorder says itself: idle markers, tab hidden or visible, offline, paused, focus moved."""

    t: int
    window: int
    kind: str
    text: str


def moments() -> "array[int]":
    """Times in ascending order, eight bytes each: of these a session may have millions."""
    return array("q")


@dataclass(slots=True)
class Story:
    """Everything that happened, each list in order of time.

    ``changes``, ``scrolled`` (per window) and ``activity`` (over all) are times; ``removed_groups`` says when a field
    of a form (window, url, group) left the page, ``cleared_groups`` when a script emptied one. ``room`` is for reading
    pages while the story is made.

    What was captured: the windows with a console, with a network log and with a page (a full snapshot);
    ``unnamed_clicks`` hit elements that no snapshot has; ``enclosed``: there were frames without content, or canvases.
    ``exceptions`` are script errors that only the site's analytics tell. ``left_out`` counts what came after the first
    so many of a kind.
    """

    started_at_ms: int = 0
    duration: int = 0
    windows: int = 0
    room: Room = field(default_factory=Room)
    pages: list[Page] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    typings: list[Typing] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    logged: list[Logged] = field(default_factory=list)
    exceptions: list[Logged] = field(default_factory=list)
    scrolled: dict[int, "array[int]"] = field(default_factory=dict)
    scrolls: list[Mark] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    changes: dict[int, "array[int]"] = field(default_factory=dict)
    activity: "array[int]" = field(default_factory=moments)
    removed_groups: dict[tuple[int, str, int], int] = field(default_factory=dict)
    cleared_groups: dict[tuple[int, str, int], int] = field(default_factory=dict)
    console_windows: set[int] = field(default_factory=set)
    network_windows: set[int] = field(default_factory=set)
    page_windows: set[int] = field(default_factory=set)
    unnamed_clicks: int = 0
    enclosed: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    events: int = 0

    def keeps(self, what: str, those: Sized, limit: int) -> bool:
        """Whether there is room for one more; what there is no room for is counted as left out."""
        if len(those) < limit:
            return True
        self.left_out[what] += 1
        return False
