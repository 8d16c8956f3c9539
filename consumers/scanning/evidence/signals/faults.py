"""What the page did wrong or refused: script errors, failed and slow requests, error messages, refused input."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.masking import path_of, quoted
from consumers.scanning.evidence.messages import Message
from consumers.scanning.evidence.scene import Scene
from consumers.scanning.evidence.vocabulary import instructs

SLOW_REQUEST_MS: Final = 1_000
"""Requests of 1 s and more are worth a line (engine 4.1, get_network_around)."""
CONFIRM_MS: Final = 1_500
"""A message and a failed request so near each other are one failure. Ours: pages show it within a second."""
FOCUS_MS: Final = 80
"""A browser that refuses a form moves the focus in the same task as the click; a person takes longer. Ours."""
LOOP_REFUSALS: Final = 2
"""Refused again after a correction: the fewest that are a loop. Ours."""
QUOTE_CHARS: Final = 80
"""Of a page's text in a signal: enough to know the message by."""


def quote(text: str) -> str:
    """A short quotation of page text; text that addresses the analyst is never repeated."""
    if instructs(text):
        return '"[text addressed to the analyst]"'
    return quoted(text if len(text) <= QUOTE_CHARS else text[: QUOTE_CHARS - 1].rstrip() + "…")


def javascript_errors(scene: Scene) -> Iterator[Signal]:
    for line in scene.uncaught:
        yield Signal("javascript_error", line.t, line.t, f"uncaught error {quote(line.text)}", subject=quote(line.text))


def failed_requests(scene: Scene) -> Iterator[Signal]:
    """Status 400 and up, or no answer at all. ``note`` is 4xx, 5xx or none; ``count`` one each."""
    for request in scene.failed:
        status = str(request.status) if request.status else "no answer"
        name = f"{request.method} {path_of(request.url)}".strip()
        yield Signal(
            "failed_request",
            min(request.end, scene.story.duration),
            min(request.end, scene.story.duration),
            f"request {quoted(name)} failed: {status}",
            subject=quoted(name),
            measure_ms=request.duration,
            note=f"{request.status // 100}xx" if request.status else "none",
        )


def slow_requests(scene: Scene) -> Iterator[Signal]:
    for request in scene.story.requests:
        if request.kind != "file" and request.duration >= SLOW_REQUEST_MS:
            name = quoted(f"{request.method} {path_of(request.url)}".strip())
            text = f"request {name} took {request.duration / 1000:.1f} s"
            end = min(request.end, scene.story.duration)
            yield Signal("slow_request", request.t, end, text, subject=name, measure_ms=request.duration)


def error_messages(scene: Scene) -> Iterator[Signal]:
    """Error messages shown. ``note`` is the tone. A refusal repeated with its message still in view counts again."""
    for message in scene.errors:
        text = f"error message {quote(message.text)} shown"
        yield Signal(
            "error_shown", message.t, message.t, text, subject=quote(message.text), note=refusal_kind(scene, message)
        )


def refusal_kind(scene: Scene, message: Message) -> str:
    """The message's tone; a general one that came with a failed request takes the request's kind."""
    if message.tone not in ("validation", "error"):
        return message.tone
    near = scene.failed_calls.between(message.t - CONFIRM_MS, message.t + CONFIRM_MS)
    request = min(near, key=lambda r: (r.t, r.url), default=None)
    if request is None or request.status in (400, 409, 422):
        return message.tone
    if request.status == HTTPStatus.FORBIDDEN or (
        request.status == HTTPStatus.UNAUTHORIZED and message.tone == "error"
    ):
        return "denied"
    if request.status == HTTPStatus.UNAUTHORIZED:
        return message.tone  # a wrong password is refused input
    if request.status == HTTPStatus.PAYMENT_REQUIRED:
        return "declined"
    return "server" if not request.status or request.status >= HTTPStatus.INTERNAL_SERVER_ERROR else message.tone


def validation_errors(scene: Scene) -> Iterator[Signal]:
    """A form refused because of what was entered or left out, with a message that says so."""
    for message in scene.errors:
        if refusal_kind(scene, message) == "validation" and _about_input(scene, message):
            text = f"input refused: {quote(message.text)}"
            yield Signal("validation_error", message.t, message.t, text, subject=quote(message.text))
    for t, label in _native_refusals(scene):
        yield Signal("validation_error", t, t, f"the browser refused the form at {label}", subject=label)


def _about_input(scene: Scene, message: Message) -> bool:
    """Something was typed before, or the click it answers was made to submit."""
    typed = scene.first_typed.get(message.window, message.t + 1) <= message.t
    click = scene.last_click_before(message.t, 15_000)
    return typed or (click is not None and (click.target.submit or click.target.role == "button"))


def _native_refusals(scene: Scene) -> Iterator[tuple[int, str]]:
    """The browser's own refusal leaves no text: a submit click moves the focus to a field of the form, no more."""
    for click in scene.story.clicks:
        if not click.target.submit or scene.changed(click.window, click.t, click.t + 300):
            continue
        for mark in scene.focused_between(click.window, click.t, click.t + FOCUS_MS):
            later = scene.typings_of.get((click.window, int(mark.text)), [])
            same = [t for t in later if t.target.group == click.target.group]
            if int(mark.text) != click.target.node and same:
                yield click.t, same[0].target.label
                break


def validation_loops(refusals: list[Signal], submits: list[int]) -> Iterator[Signal]:
    """The same or another refusal again and again: at least two, counting submits while a refusal stood there."""
    if len(refusals) >= LOOP_REFUSALS:
        times = [signal.t_ms for signal in refusals]
        yield Signal(
            "validation_loop",
            times[0],
            max(times[-1], *submits) if submits else times[-1],
            f"{len(times)} refusals of input in a row",
            count=len(times),
        )
