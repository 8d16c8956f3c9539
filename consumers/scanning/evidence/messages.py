"""Messages the page gave the person: which shown texts are errors, successes, empty results."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from consumers.scanning.evidence.happenings import Page, Shown, Story
from consumers.scanning.evidence.vocabulary import ERRORS, apologises, busy, error_tone, negative, orders, tone

ANSWER_MS: Final = 15_000
"""A text within this time after an act is taken as an answer to it; slow answers take up to that long in recordings."""
AFTER_FAILURE_MS: Final = 1_500
"""A message this soon after a request failed is about the failure."""
STAYS_MS: Final = 10_000
"""A toast stays up to this long, over a change of page."""
SUBMIT_MS: Final = 15_000
"""Only a page that follows a submit can refuse input: hidden texts of a fresh form are no refusal."""
SHORT_PAGE_BLOCKS: Final = 8
"""A page that is an error as a whole says little else."""
PLAIN_CHARS: Final = 140
"""A message in an element that is not marked as one is short."""
PROMPT_MS: Final = 3_000
"""A refusal of input comes sooner than other answers: the page, or its server, only checks. Ours."""
_PAGE_ERRORS: Final = ("server", "missing_page")
_MESSAGE_PLACES: Final = ("error", "alert", "status")


@dataclass(frozen=True, slots=True)
class Message:
    """A text with a tone (vocabulary.tone). ``on_page``: it came with a new page, not by a change of one."""

    t: int
    window: int
    text: str
    tone: str
    place: str
    on_page: bool
    url: str


def messages(story: Story) -> list[Message]:
    """Every message, in order of time. A text that merely stays from one page to the next counts once."""
    reader = _Reader(story)
    found = [m for shown in story.shown if not shown.fresh_page and (m := reader.shown(shown)) is not None]
    before: dict[int, Page] = {}
    for page in story.pages:
        found += reader.page(page, before.get(page.window))
        before[page.window] = page
    found.sort(key=lambda m: m.t)
    return _once(found)


class _Reader:
    def __init__(self, story: Story) -> None:
        self.acts = sorted([c.t for c in story.clicks] + [t.end for t in story.typings if t.events])
        self.submitted = [c.t for c in story.clicks if c.target.submit or c.by_key]
        self.clicked = [c.t for c in story.clicks]
        self.submits = [c.target.submit or c.by_key for c in story.clicks]
        self.in_progress: dict[tuple[int, int], int] = {}
        self.failures = sorted(r.end for r in story.requests if r.failed and r.kind == "call")

    def shown(self, shown: Shown) -> Message | None:
        kind = self._tone(shown)
        answers = _within(self.acts, shown.t, ANSWER_MS)
        after_failure = _within(self.failures, shown.t, AFTER_FAILURE_MS)
        if (shown.place == "error" and kind not in ERRORS and kind not in ("progress", "empty", "step", "success")) or (
            shown.place == "alert" and not kind and answers and negative(shown.text)
        ):
            kind = "error"
        elif shown.place in _MESSAGE_PLACES and after_failure and kind in ("", "success", "step"):
            kind = error_tone(shown.text) or "error"
        elif shown.place == "cell" and not kind and after_failure:
            kind = "error"
        elif shown.place in ("cell", "control") or (shown.place == "heading" and kind in ("validation", "error")):
            kind = kind if shown.place == "control" and kind == "progress" else ""
        elif shown.place == "text" and not kind and after_failure and len(shown.text) <= PLAIN_CHARS:
            kind = "error"
        elif shown.place in ("text", "notice") and not (answers or after_failure):
            kind = ""
        elif shown.place == "text" and kind in ERRORS and not after_failure:
            span = PROMPT_MS if kind in ("validation", "error") else ANSWER_MS
            last = bisect_right(self.clicked, shown.t) - 1
            submitted = last >= 0 and self.submits[last] and shown.t - self.clicked[last] <= span
            kind = kind if submitted and len(shown.text) <= PLAIN_CHARS else ""
        elif kind == "success" and shown.place == "text" and len(shown.text) > PLAIN_CHARS:
            kind = ""
        if not kind:
            return None
        return Message(shown.t, shown.window, shown.text, kind, shown.place, on_page=False, url=shown.url)

    def _tone(self, shown: Shown) -> str:
        """The text's own tone; in a status what follows a progress text without saying anything bad is its good end."""
        kind = tone(shown.text)
        if kind and orders(shown.text):
            kind = "error" if kind in ERRORS else ""  # what addresses the analyst says little to the person
        if shown.place != "status":
            return kind
        if not kind and busy(shown.text):
            kind = "progress"
        if not kind and self.in_progress.get((shown.window, shown.node), -(10**9)) > shown.t - 60_000:
            kind = "success"
        self.in_progress[shown.window, shown.node] = shown.t if kind == "progress" else -(10**9)
        return kind

    def page(self, page: Page, before: Page | None) -> list[Message]:
        known = _texts(before) if before is not None else set()
        again = before is not None and before.url == page.url
        submitted = _within(self.submitted, page.t, SUBMIT_MS)
        found: list[tuple[str, str, str]] = []
        for block in page.text.messages:
            kind = tone(block.text)
            if block.place == "error" and kind not in (*ERRORS, "progress", "empty", "step", "success"):
                kind = "error"
            refused = kind not in ("validation", "error") or submitted
            if block.text not in known and kind and refused:
                found.append((block.text, kind, block.place))
        for text in page.text.headings[:2] or (page.text.title,):
            kind = tone(text)
            if kind in ("empty", "success", "declined", "denied", "server", "missing_page") and text not in known:
                found.append((text, kind, "heading"))
        for block in page.text.blocks:
            kind = tone(block.text) if block.place in ("text", "cell") else ""
            fresh = block.text not in known
            refused = again and submitted and kind in ERRORS and len(block.text) <= PLAIN_CHARS
            if fresh and (kind == "empty" or refused):
                found.append((block.text, kind, block.place))
        if len(page.text.blocks) <= SHORT_PAGE_BLOCKS and not any(kind in ERRORS for _, kind, _ in found):
            found += [
                (b.text, k, b.place)
                for b in page.text.blocks[:4]
                if (k := tone(b.text)) in _PAGE_ERRORS and apologises(b.text)
            ][:1]
        return [Message(page.t, page.window, t, kind, place, on_page=True, url=page.url) for t, kind, place in found]


def _texts(page: Page) -> set[str]:
    return {b.text for b in (*page.text.messages, *page.text.blocks)} | set(page.text.headings) | {page.text.title}


def _within(times: list[int], t: int, span: int) -> bool:
    """Whether one of ``times`` (sorted) lies in the ``span`` ms up to ``t``."""
    at = bisect_right(times, t)
    return at > 0 and t - times[at - 1] <= span


def _once(found: list[Message]) -> list[Message]:
    """A message counts once where it is seen twice: by a change and again as part of the page that follows."""
    last: dict[tuple[int, str], int] = {}
    kept: list[Message] = []
    for message in found:
        key = (message.window, message.text)
        span = STAYS_MS if message.on_page else 300
        if message.t - last.get(key, -STAYS_MS) >= span:
            kept.append(message)
        last[key] = message.t
    return kept
