"""How the person moved: back at once, lost, idle, searching in vain."""

import itertools
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.happenings import Page
from consumers.scanning.evidence.masking import path_of, quoted
from consumers.scanning.evidence.messages import Message
from consumers.scanning.evidence.scene import Scene
from consumers.scanning.evidence.signals.faults import quote
from consumers.scanning.evidence.vocabulary import searches, tone

QUICK_BACK_MS: Final = 2_000
"""A page left again within 2 s (PostHog's quick back, capture 5)."""
IDLE_MS: Final = 15_000
"""Ours, half of PostHog's long idle gap of 30 s (capture 5); ``measure_ms`` tells which are longer."""
LOST_MOVES: Final = 7
LOST_RETURNS: Final = 3
LOST_DWELL_MS: Final = 5_000
"""Lost: at least 7 page changes in one stretch without doing anything, 3 of them back to a page (other than the one
gone back to most) already seen, and half of the pages left within 5 s. Someone who looks through items stays longer
and returns to the list only. Ours: the references name no rule."""
SEARCH_MS: Final = 20_000
"""A text that says "nothing" so long after the search was used answers it: typing goes on while results come. Ours."""
SUPERSEDED_MS: Final = 1_500
"""A result in this time takes the place of an empty state that is only shown while the search runs. Ours."""


def quick_backs(scene: Scene) -> Iterator[Signal]:
    by_window = _by_window(scene.story.pages)
    for pages in by_window.values():
        for one, two, three in zip(pages, pages[1:], pages[2:], strict=False):
            if one.url == three.url != two.url and three.t - two.t < QUICK_BACK_MS:
                text = f"back from {quoted(path_of(two.url))} after {(three.t - two.t) / 1000:.1f} s"
                yield Signal("quick_back", two.t, three.t, text, subject=quoted(path_of(two.url)))


def lost_navigation(scene: Scene) -> Iterator[Signal]:
    for pages in _by_window(scene.story.pages).values():
        for stretch in _idle_stretches(scene, pages):
            moves = len(stretch) - 1
            visits = Counter(page.url for page in stretch)
            hub = max(visits.values())
            returns = sum(count - 1 for count in visits.values()) - (hub - 1)
            dwell = median(two.t - one.t for one, two in itertools.pairwise(stretch)) if moves else 0
            if moves >= LOST_MOVES and returns >= LOST_RETURNS and dwell <= LOST_DWELL_MS:
                text = f"{moves} page changes back and forth between {len(visits)} pages without doing anything there"
                yield Signal("lost_navigation", stretch[0].t, stretch[-1].t, text, count=moves)


def _idle_stretches(scene: Scene, pages: list[Page]) -> list[list[Page]]:
    """Runs of pages on which nothing was done but to follow links."""
    busy = sorted(
        [typing.t for typing in scene.story.typings]
        + [click.t for click in scene.story.clicks if click.target.submit and click.target.role == "button"]
    )
    stretches: list[list[Page]] = [[]]
    for page, following in zip(pages, [*pages[1:], None], strict=False):
        stretches[-1].append(page)
        end = following.t if following is not None else scene.story.duration
        if any(page.t <= t < end for t in busy):
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def idles(scene: Scene) -> Iterator[Signal]:
    """Stretches of 15 s and more between two acts of the person; before the first and after the last is no pause."""
    times = scene.story.activity
    for one, two in itertools.pairwise(times):
        if two - one >= IDLE_MS:
            yield Signal("idle", one, two, f"no activity for {(two - one) / 1000:.0f} s", measure_ms=two - one)


def empty_searches(scene: Scene) -> Iterator[Signal]:
    """A search or filter was used, and then the page said that there is nothing."""
    used = sorted(
        [
            typing.t
            for typing in scene.story.typings
            if typing.target.search or typing.target.role in ("select", "checkbox")
        ]
        + [click.t for click in scene.story.clicks if click.target.search]
    )
    told: dict[int, int] = {}
    for message in scene.messages:
        if message.tone != "empty":
            continue
        if _superseded(scene, message):
            continue
        searched = any(0 <= message.t - t <= SEARCH_MS for t in used) or searches(path_of(message.url))
        if searched and message.t - told.get(message.window, -SUPERSEDED_MS) >= SUPERSEDED_MS:
            told[message.window] = message.t
            yield Signal(
                "empty_search",
                message.t,
                message.t,
                f"search without result: {quote(message.text)}",
                subject=quote(message.text),
            )


def _superseded(scene: Scene, message: Message) -> bool:
    """A page that says "nothing" while it still searches: another view took its place without an act."""
    end = min(message.t + SUPERSEDED_MS, scene.next_act(message.t))
    later = (page for page in scene.story.pages if page.window == message.window and message.t < page.t <= end)
    return any(page.text.headings and tone(page.text.headings[0]) != "empty" for page in later)


def _by_window(pages: list[Page]) -> dict[int, list[Page]]:
    found: dict[int, list[Page]] = {}
    for page in pages:
        found.setdefault(page.window, []).append(page)
    return found
