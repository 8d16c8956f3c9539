"""The timeline: what happened as one line each, with repeats collapsed (capture 6, timeline recipe)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from consumers.scanning.evidence.evidence import Line
from consumers.scanning.evidence.happenings import Page, Story, Typing
from consumers.scanning.evidence.masking import path_of, quoted

GAP_MS: Final = 5_000
"""A stretch without any line of at least this length gets its own line (capture 6)."""
SLOW_MS: Final = 1_000
"""Requests from here on get a line (engine 4.1, get_network_around)."""
MAX_REPEATS_APART: Final = 3_000
"""Milliseconds between equal lines that are told as one, with how often. Ours."""

_LEVELS: Final = ("warn", "error", "assert")


def timeline(story: Story, site_events: Sequence[Line] = ()) -> list[Line]:
    """All lines in order of time. With several windows each line says which one it happened in."""
    lines = [
        *_pages(story),
        *_clicks(story),
        *(Line(typing.t, "input", _window(story, typing.window) + _typing(typing)) for typing in story.typings),
        *(
            Line(
                shown.t,
                "screen",
                f"{_window(story, shown.window)}screen shows{_place(shown.place)} {quoted(shown.text)}",
            )
            for shown in story.shown
            if not shown.fresh_page
        ),
        *_requests(story),
        *(
            Line(line.t, "console", f"{_window(story, line.window)}console {line.level} {quoted(line.text)}")
            for line in story.logged
            if line.level in _LEVELS
        ),
        *(Line(mark.t, "scroll", _window(story, mark.window) + mark.text) for mark in story.scrolls),
        *(
            Line(m.t, "note", f"{_window(story, m.window)}recorder notes {quoted(m.text)}")
            for m in story.marks
            if m.kind == "custom"
        ),
        *site_events,
    ]
    lines.sort(key=lambda line: line.t_ms)
    return list(_with_gaps(_collapsed(lines), story))


def _pages(story: Story) -> Iterator[Line]:
    site = ""
    told: set[str] = set()
    for page in story.pages:
        url = page.url if page.url.split("/")[:3] != site.split("/")[:3] else path_of(page.url)
        site = page.url
        verb = {"opened": "opens page", "moved": "moves to", "reloaded": "loads again", "view": "sees view on"}[
            page.how
        ]
        yield Line(page.t, "page", f"{_window(story, page.window)}{verb} {quoted(url)}{_said(page, told)}")


def _said(page: Page, told: set[str]) -> str:
    """What the page says; main text that another page said before is not told again."""
    text = page.text
    main = f"text {quoted(text.main)}" if text.main not in told else "text as before"
    told.add(text.main)
    parts = [f"title {quoted(text.title)}"] if text.title else []
    parts += [f"headings {', '.join(map(quoted, text.headings))}"] if text.headings else []
    parts += [f"{block.place} {quoted(block.text)}" for block in text.messages[:4]]
    parts += [main] if text.main else []
    return ": " + "; ".join(parts) if parts else ""


def _clicks(story: Story) -> Iterator[Line]:
    for click in story.clicks:
        verb = "submits with Enter by" if click.by_key else "click"
        yield Line(click.t, "click", f"{_window(story, click.window)}{verb} {click.target.label}")


def _typing(typing: Typing) -> str:
    """What was typed is never shown, only how much."""
    label = typing.target.label
    if typing.target.role == "checkbox":
        return f"{'checks' if typing.checked else 'unchecks'} {label}"
    if typing.target.role == "file":
        return f"chooses a file in {label}"
    if typing.target.role == "select":
        return f"chooses in {label}"
    erased = f", {typing.erased} of them erasing" if typing.erased else ""
    return f"types into {label}: {typing.length} characters, {typing.events} input events{erased}"


def _requests(story: Story) -> Iterator[Line]:
    """Only what failed or was slow: successes are noise (capture 6, Sentry; engine 4.1)."""
    for request in story.requests:
        name = quoted(f"{request.method} {path_of(request.url)}".strip())
        end = min(request.end, story.duration)
        if request.failed:
            status = request.status or "no answer"
            yield Line(end, "network", f"{_window(story, request.window)}request {name} failed: {status}")
        elif request.duration >= SLOW_MS and request.kind != "file":
            yield Line(
                end, "network", f"{_window(story, request.window)}request {name} took {request.duration / 1000:.1f} s"
            )


def _collapsed(lines: list[Line]) -> Iterator[Line]:
    """Equal lines that follow each other become one with a count."""
    at = 0
    while at < len(lines):
        last = at
        while (
            last + 1 < len(lines)
            and lines[last + 1].text == lines[at].text
            and lines[last + 1].t_ms - lines[last].t_ms <= MAX_REPEATS_APART
        ):
            last += 1
        line, count = lines[at], last - at + 1
        until = (lines[last].t_ms - line.t_ms) / 1000
        yield line if count == 1 else Line(line.t_ms, line.kind, f"{line.text} ({count} times within {until:.1f} s)")
        at = last + 1


def _with_gaps(lines: Iterator[Line], story: Story) -> Iterator[Line]:
    """Quiet stretches, told as waiting with the mouse moving or without any activity."""
    before = 0
    for line in lines:
        if line.t_ms - before >= GAP_MS:
            after = bisect_right(story.activity, before)
            busy = after < len(story.activity) and story.activity[after] < line.t_ms
            quiet = "nothing but pointer movement or scrolling" if busy else "no activity"
            yield Line(before, "gap", f"{quiet} for {(line.t_ms - before) / 1000:.0f} s")
        before = max(before, line.t_ms)
        yield line


def _place(place: str) -> str:
    return f" {place}" if place in ("error", "alert", "status", "notice", "heading") else ""


def _window(story: Story, index: int) -> str:
    return f"window {index + 1}: " if story.windows > 1 else ""
