"""Signs of a page that does not answer: rage clicks, dead clicks, impatient repeats, slow answers."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.happenings import Click
from consumers.scanning.evidence.scene import END, Scene
from consumers.scanning.evidence.vocabulary import stepper

RAGE_CLICKS: Final = 3
RAGE_SPAN_MS: Final = 2_000
RAGE_PX: Final = 30
"""3 clicks within 30 px: the recorder's own rule and PostHog's (capture 5). They ask for 1 s between neighbours'
span; 2 s for the whole burst of three is what operators' questions say and what slow hands do."""
DEAD_MUTATION_MS: Final = 2_500
DEAD_PAGE_MS: Final = 4_000
"""No change in 2.5 s and no new page in 4 s (capture 6, timeline recipe; the recorder's dead click rule is 2.5 s)."""
SCROLL_MS: Final = 100
"""The recorder's own limit for a scroll or a selection to count as the reaction to a click (capture 5)."""
SLOW_MS: Final = 3_000
"""An answer that takes 3 s or more is slow to a person waiting for it: ours; a slow request takes 1 s (engine 4.1),
which many pages have."""
IMPATIENT_MS: Final = 15_000
"""How long a wait is believed that a text alone tells ("Saving"): ours; the longest in recordings take about 10 s."""
UNSEEN_MS: Final = 1_000
"""A click this close to the end of the recording has no reaction that could be seen."""


def rage_clicks(scene: Scene) -> Iterator[Signal]:
    """Bursts on one control: at least 3 clicks, 2 s between the first and the third, no pause over 2 s inside."""
    for burst in _bursts(scene.story.clicks):
        target = burst[0].target
        if len(burst) >= RAGE_CLICKS and not target.field and not target.opaque and not stepper(target.name):
            yield Signal(
                "rage_click",
                burst[0].t,
                burst[-1].t,
                f"{len(burst)} clicks on {target.label} within {(burst[-1].t - burst[0].t) / 1000:.1f} s",
                subject=target.label,
                count=len(burst),
            )


def _bursts(clicks: list[Click]) -> list[list[Click]]:
    bursts: list[list[Click]] = []
    for click in clicks:
        if click.by_key:
            continue
        burst = bursts[-1] if bursts else []
        if burst and _same_spot(burst[-1], click) and click.t - burst[max(0, len(burst) - 2)].t <= RAGE_SPAN_MS:
            burst.append(click)
        elif burst and len(burst) < RAGE_CLICKS and _same_spot(burst[-1], click) and _soon(burst[-1], click):
            bursts.append([burst[-1], click])  # the first of a slow pair may not belong to the burst that follows
        else:
            bursts.append([click])
    return bursts


def _soon(one: Click, other: Click) -> bool:
    return other.t - one.t <= RAGE_SPAN_MS


def _same_spot(one: Click, other: Click) -> bool:
    if one.window != other.window:
        return False
    near = abs(one.x - other.x) <= RAGE_PX and abs(one.y - other.y) <= RAGE_PX
    return one.target.node == other.target.node or (near and one.url == other.url)


def dead_clicks(scene: Scene) -> Iterator[Signal]:
    """Clicks on what looks clickable after which nothing changed. Repeats on one control join."""
    joined: dict[tuple[int, str, int], list[Click]] = {}
    for click in scene.story.clicks:
        if is_dead(scene, click):
            joined.setdefault((click.window, click.url, click.target.node), []).append(click)
    for clicks in joined.values():
        target = clicks[0].target
        if target.role == "text" and not target.clickable and len(clicks) == 1:
            continue
        times = "" if len(clicks) == 1 else f" ({len(clicks)} times)"
        yield Signal(
            "dead_click",
            clicks[0].t,
            clicks[-1].t,
            f"click on {target.label} without any visible reaction{times}",
            subject=target.label,
            count=len(clicks),
            note="control" if target.role in ("button", "link") else "text",
        )


def is_dead(scene: Scene, click: Click) -> bool:
    """No reaction at all. Fields, repeated refusals still in view, links to where one is, and waits do not count."""
    return _wants_reaction(scene, click) and not _reacted(scene, click) and not waiting_at(scene, click)


def _wants_reaction(scene: Scene, click: Click) -> bool:
    target = click.target
    if target.field or target.leaves or target.opaque or click.by_key or click.error_in_view:
        return False
    here = target.href not in ("", "#") and target.href.rstrip("/") == click.url.rstrip("/")
    unseen = scene.story.duration - click.t < UNSEEN_MS
    return not here and not unseen and (target.href[:4] != "http" or _stayed(scene, click))


def _reacted(scene: Scene, click: Click) -> bool:
    """A change, a page here or in another window, a jump, or a late change when a request it set off was answered."""
    until = click.t + DEAD_PAGE_MS
    return (
        scene.changed(click.window, click.t, click.t + DEAD_MUTATION_MS)
        or scene.new_page_anywhere(click.t, until)
        or _moved(scene, click)
        or any(scene.changed(click.window, call.end, call.end + UNSEEN_MS) for call in scene.calls_from(click.t))
    )


def _moved(scene: Scene, click: Click) -> bool:
    """The view jumped within the page, or the focus went to another element, as a refusing browser does."""
    scrolled = scene.story.scrolled.get(click.window, ())
    at = bisect_left(scrolled, click.t)
    jumped = at < len(scrolled) and scrolled[at] - click.t <= SCROLL_MS
    focused = scene.focused_between(click.window, click.t + 1, click.t + SCROLL_MS)
    return jumped or any(mark.text != str(click.target.node) for mark in focused)


def _stayed(scene: Scene, click: Click) -> bool:
    """Something was done later on the same page, which proves that a link to another page led nowhere.

    Without that the next page's recording may just be lost (capture 3).
    """
    later = [*scene.story.clicks, *scene.story.typings]
    return any(
        act.t > click.t + DEAD_PAGE_MS / 2 and act.window == click.window and act.url == click.url for act in later
    )


def waiting_at(scene: Scene, click: Click) -> bool:
    """Whether something the person started was still on its way when they clicked."""
    if scene.waiting(click.t):
        return True
    before = scene.told.of(click.window).last(click.t)
    return before is not None and before.tone == "progress" and click.t - before.t < IMPATIENT_MS


def impatient_repeats(scene: Scene) -> Iterator[Signal]:
    """Clicks on the same control while its first answer was still on its way."""
    first: Click | None = None
    repeats: list[Click] = []
    for click in [*scene.story.clicks, None]:
        same = first is not None and click is not None and click.target.node == first.target.node
        if (
            same
            and click is not None
            and first is not None
            and click.t - first.t < IMPATIENT_MS
            and waiting_at(scene, click)
        ):
            repeats.append(click)
            continue
        if first is not None and repeats:
            yield Signal(
                "impatient_repeat",
                repeats[0].t,
                repeats[-1].t,
                f"{first.target.label} clicked again {len(repeats)} times while waiting",
                subject=first.target.label,
                count=len(repeats),
            )
        first, repeats = (click if click is not None and not click.target.field else None), []


def slow_answers(scene: Scene) -> Iterator[Signal]:
    """Answers to an act of the person that took 3 s or more, by request time or by what the page showed."""
    told: list[tuple[int, int]] = []
    for request in scene.story.requests:
        if request.kind == "file" or request.duration < SLOW_MS:
            continue
        click = scene.last_click_before(request.t + 50, 1_500)
        typing = scene.typed_before(request.t, 1_500)
        if click is None and typing is None:
            continue
        start = click.t if click is not None else request.t
        if any(a <= start <= b for a, b in told):
            continue
        told.append((start, request.end))
        yield _slow(start, min(request.end, scene.story.duration), request.duration, click)
    for start, end, click in _shown_waits(scene):
        if not any(a <= start <= b or start <= a <= end for a, b in told):
            told.append((start, end))
            yield _slow(start, end, end - start, click)


def _shown_waits(scene: Scene) -> Iterator[tuple[int, int, Click]]:
    """A progress text after a click, and the next text or page only 3 s or more later."""
    for message in scene.messages:
        click = scene.last_click_before(message.t, 1_500) if message.tone == "progress" else None
        if click is None:
            continue
        shown, page = scene.shown.of(message.window).first(message.t), scene.pages.of(message.window).first(message.t)
        end = min(shown.t if shown is not None else END, page.t if page is not None else END)
        others = scene.next_act_elsewhere(click)
        if end < END and end - click.t >= SLOW_MS and end <= others:
            yield click.t, end, click


def _slow(start: int, end: int, duration: int, click: Click | None) -> Signal:
    subject = click.target.label if click is not None else "typing"
    return Signal(
        "slow_response",
        start,
        end,
        f"{subject} was answered after {duration / 1000:.1f} s",
        subject=subject,
        measure_ms=duration,
    )
