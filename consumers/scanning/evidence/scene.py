"""The story with its indexes: what the rules ask again and again (what came next, was there a reaction)."""

from bisect import bisect_left, bisect_right
from typing import Final

from consumers.scanning.evidence.happenings import Click, Logged, Page, Request, Story, Typing
from consumers.scanning.evidence.messages import Message, messages
from consumers.scanning.evidence.vocabulary import ERRORS

END: Final = 10**12


class Scene:
    """A story and the messages found in it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.messages: list[Message] = messages(story)
        self.errors = [m for m in self.messages if m.tone in ERRORS]
        self.uncaught: list[Logged] = [line for line in story.logged if line.uncaught]
        self.failed: list[Request] = [r for r in story.requests if r.failed and not r.url.endswith("favicon.ico")]
        self.calls: list[Request] = [r for r in story.requests if r.kind == "call"]
        self._page_times: dict[int, list[int]] = {}
        for page in story.pages:
            self._page_times.setdefault(page.window, []).append(page.t)
        self._acts = sorted([c.t for c in story.clicks] + [t.t for t in story.typings])

    def changed(self, window: int, after: int, until: int) -> bool:
        """Whether the page changed in (after, until]; changes of clocks and carousels do not count."""
        times = self.story.changes.get(window, ())
        at = bisect_left(times, after)
        return at < len(times) and times[at] <= until

    def new_page(self, window: int, after: int, until: int) -> bool:
        times = self._page_times.get(window, [])
        at = bisect_left(times, after)
        return at < len(times) and times[at] <= until

    def page_at(self, window: int, t: int) -> Page | None:
        """The page in view at ``t``."""
        found = [page for page in self.story.pages if page.window == window and page.t <= t]
        return found[-1] if found else None

    def next_act(self, t: int) -> int:
        at = bisect_right(self._acts, t)
        return self._acts[at] if at < len(self._acts) else END

    def next_act_elsewhere(self, click: Click) -> int:
        """When the person next did something to another element."""
        others = [c.t for c in self.story.clicks if c.t > click.t and c.target.node != click.target.node]
        typed = [t.t for t in self.story.typings if t.t > click.t]
        return min([*others[:1], *typed[:1], END])

    def calls_from(self, t: int) -> list[Request]:
        """Requests of the page that began within 1.5 s after ``t``: what a click at ``t`` set off."""
        return [r for r in self.calls if t - 50 <= r.t <= t + 1_500]

    def error_between(self, after: int, until: int) -> Message | None:
        return next((m for m in self.errors if after < m.t <= until), None)

    def last_click_before(self, t: int, within: int) -> Click | None:
        found = [c for c in self.story.clicks if t - within <= c.t <= t]
        return found[-1] if found else None

    def typed_before(self, t: int, within: int) -> Typing | None:
        found = [typing for typing in self.story.typings if t - within <= typing.end <= t]
        return found[-1] if found else None
