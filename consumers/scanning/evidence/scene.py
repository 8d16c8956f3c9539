"""The story with its indexes: what the rules ask again and again (what came next, was there a reaction)."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from consumers.scanning.evidence.happenings import Click, Logged, Mark, Page, Request, Story, Typing
from consumers.scanning.evidence.messages import Message, messages
from consumers.scanning.evidence.times import Times, Windows
from consumers.scanning.evidence.vocabulary import ERRORS

END: Final = 10**12
WAIT_MS: Final = 500
"""A request that takes so long makes a person wait: above the 400 ms up to which a dialogue flows (Doherty)."""


class Scene:
    """A story and the messages found in it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.messages: list[Message] = messages(story)
        self.errors = [m for m in self.messages if m.tone in ERRORS]
        self.uncaught: list[Logged] = [line for line in story.logged if line.uncaught]
        self.uncaught = sorted([*self.uncaught, *story.exceptions], key=lambda line: line.t)
        self.failed: list[Request] = [r for r in story.requests if r.failed and not r.url.endswith("favicon.ico")]
        self.calls: list[Request] = [r for r in story.requests if r.kind == "call"]
        self.failed_calls = Times(sorted((r for r in self.failed if r.kind == "call"), key=lambda r: r.end), ends=True)
        self.first_typed: dict[int, int] = {}
        self.typings_of: dict[tuple[int, int], list[Typing]] = {}
        for typing in story.typings:
            self.typings_of.setdefault((typing.window, typing.target.node), []).append(typing)
            if not typing.target.search:
                self.first_typed.setdefault(typing.window, typing.t)
        self.clicks = Times(story.clicks)
        self.pages = Windows(story.pages)
        self.shown = Windows(story.shown)
        self.cells = Times([shown for shown in story.shown if shown.place == "cell" and not shown.fresh_page])
        self.told = Windows(self.messages)
        self._acts = sorted([c.t for c in story.clicks] + [t.t for t in story.typings])
        self._began = Times(story.typings)
        self._typed = Times(sorted(story.typings, key=lambda typing: typing.end), ends=True)
        self._called = Times(self.calls)
        self._erred = Times(self.errors)
        self._focus = Windows([mark for mark in story.marks if mark.kind == "focus"])
        self._waits = [call for call in self.calls if call.duration >= WAIT_MS]
        self._wait_times = [call.t for call in self._waits]
        self._wait_ends = list(itertools.accumulate((call.end for call in self._waits), max))

    def changed(self, window: int, after: int, until: int) -> bool:
        """Whether the page changed in (after, until]; changes of clocks and carousels do not count."""
        times = self.story.changes.get(window, ())
        at = bisect_left(times, after)
        return at < len(times) and times[at] <= until

    def new_page(self, window: int, after: int, until: int) -> bool:
        """Whether a page or view came up in [after, until]."""
        return bool(self.pages.of(window).between(after, until))

    def new_page_anywhere(self, after: int, until: int) -> bool:
        return any(times.between(after, until) for times in self.pages.all())

    def page_at(self, window: int, t: int) -> Page | None:
        """The page in view at ``t``."""
        return self.pages.of(window).last(t)

    def waiting(self, t: int) -> bool:
        """Whether a call of at least ``WAIT_MS`` was on its way at ``t``, begun before it."""
        at = bisect_left(self._wait_times, t - 50)
        return at > 0 and self._wait_ends[at - 1] > t

    def next_act(self, t: int) -> int:
        at = bisect_right(self._acts, t)
        return self._acts[at] if at < len(self._acts) else END

    def next_act_elsewhere(self, click: Click) -> int:
        """When the person next did something to another element."""
        others = (other.t for other in self.clicks.after(click.t) if other.target.node != click.target.node)
        typed = self._began.first(click.t)
        return min(next(others, END), typed.t if typed is not None else END)

    def focused_between(self, window: int, after: int, until: int) -> Sequence[Mark]:
        """Moves of the focus in [after, until]."""
        return self._focus.of(window).between(after, until)

    def calls_from(self, t: int) -> Sequence[Request]:
        """Requests of the page that began within 1.5 s after ``t``: what a click at ``t`` set off."""
        return self._called.between(t - 50, t + 1_500)

    def error_between(self, after: int, until: int) -> Message | None:
        """The first error message in (after, until]."""
        found = self._erred.first(after)
        return found if found is not None and found.t <= until else None

    def last_click_before(self, t: int, within: int) -> Click | None:
        found = self.clicks.last(t)
        return found if found is not None and found.t >= t - within else None

    def typed_before(self, t: int, within: int) -> Typing | None:
        found = self._typed.last(t)
        return found if found is not None and found.end >= t - within else None
