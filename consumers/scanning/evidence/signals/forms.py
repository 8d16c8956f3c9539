"""Forms: what was begun, and whether it was accepted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.happenings import Click, Typing
from consumers.scanning.evidence.masking import path_of, quoted
from consumers.scanning.evidence.scene import END, Scene
from consumers.scanning.evidence.vocabulary import dismisses

ANSWER_MS: Final = 12_000
"""How long an answer to a submit is waited for, unless a request is still on its way or the person acts first."""
BY_KEY_MS: Final = 1_500
"""A form that goes this soon after the last key was sent with Enter, and a list gets its entry as soon. Ours."""
MAX_FORMS: Final = 300
MAX_JUDGED: Final = 50
"""Forms of a session that are looked at, the first, and attempts to submit one, the last."""


@dataclass(slots=True)
class Form:
    """A form somebody typed into. ``accepted_at`` is 0 while it was not accepted."""

    window: int
    url: str
    group: int
    typings: list[Typing] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    accepted_at: int = 0

    @property
    def began(self) -> int:
        return self.typings[0].t

    @property
    def last_typed(self) -> int:
        return self.typings[-1].end

    @property
    def accepted(self) -> bool:
        return self.accepted_at >= self.last_typed

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(typing.target.name for typing in self.typings))


def forms(scene: Scene) -> list[Form]:
    """Forms with typed text (search and filter boxes are none), with the outcome of every attempt to submit them."""
    found: dict[tuple[int, str, int], Form] = {}
    for typing in scene.story.typings:
        if typing.target.search:
            continue
        key = (typing.window, typing.url, typing.target.group)
        found.setdefault(key, Form(*key)).typings.append(typing)
    kept = [form for form in found.values() if any(t.target.role == "field" for t in form.typings)]
    for form in kept[:MAX_FORMS]:
        form.attempts += _attempts(scene, form)
        for attempt in form.attempts[-MAX_JUDGED:]:
            accepted = _accepted(scene, form, attempt)
            if accepted:
                form.accepted_at = accepted
    return kept[:MAX_FORMS]


def _attempts(scene: Scene, form: Form) -> Iterator[int]:
    """Clicks that may submit the form, and Enter, which shows as the page going on right after typing."""
    gone = scene.story.removed_groups.get((form.window, form.url, form.group), END)
    for click in scene.clicks.between(form.began + 1, gone + 50):
        if click.window == form.window and _may_submit(form, click):
            yield click.t
    last = form.last_typed
    clicked = any(click.window == form.window for click in scene.clicks.between(last - 50, gone))
    if not clicked and 0 <= gone - last <= BY_KEY_MS:
        yield last


def _may_submit(form: Form, click: Click) -> bool:
    target = click.target
    if click.url != form.url or target.field or target.search or dismisses(target.name):
        return False
    return target.group == form.group or (target.submit and target.role == "button")


def _accepted(scene: Scene, form: Form, attempt: int) -> int:
    """When the attempt went through; 0 when it was refused, failed or led to nothing.

    It went through when the page says so, the form goes or is emptied, a list gets an entry, or a call succeeds.
    """
    horizon = _horizon(scene, form, attempt)
    if scene.error_between(attempt, horizon) is not None:
        return 0
    calls = [call for call in scene.calls_from(attempt) if call.t <= horizon]
    if any(call.failed for call in calls):
        return 0
    good = [m.t for m in scene.told.of(form.window).between(attempt + 1, horizon) if m.tone in ("success", "step")]
    key = (form.window, form.url, form.group)
    ended = (scene.story.removed_groups.get(key, END), scene.story.cleared_groups.get(key, END))
    good += [t for t in ended if attempt < t <= horizon]
    good += [cell.t for cell in scene.cells.between(attempt + 1, min(horizon, attempt + BY_KEY_MS))]
    sent = [call.end for call in calls if call.method in ("POST", "PUT", "PATCH") and call.status]
    if sent and not any(line.t >= attempt and line.t <= horizon for line in scene.uncaught):
        good += [end for end in sent if end <= horizon]
    return max(min(good), form.last_typed) if good else 0


def _horizon(scene: Scene, form: Form, attempt: int) -> int:
    """Until when an attempt's answer counts as its answer: the next act on another element ends the wait."""
    clicks = [c for c in scene.clicks.between(attempt - 1, attempt + 1) if c.window == form.window]
    following = scene.next_act_elsewhere(clicks[0]) if clicks else scene.next_act(attempt)
    pending = max((call.end for call in scene.calls_from(attempt)), default=0)
    return min(max(attempt + ANSWER_MS, pending + 1_500), following - 1)


def abandoned_forms(all_forms: list[Form]) -> Iterator[Signal]:
    """Forms that were begun and not accepted by the end, for whatever reason."""
    for form in all_forms:
        if form.accepted:
            continue
        again = any(
            other.accepted and other.began > form.began and set(other.names) & set(form.names) for other in all_forms
        )
        if again:
            continue
        fields = ", ".join(form.names[:4])
        tried = f", submitted {len(form.attempts)} times" if form.attempts else ", never submitted"
        text = f"form on {quoted(path_of(form.url))} begun ({fields}) and not accepted{tried}"
        yield Signal(
            "abandoned_form",
            form.began,
            form.last_typed,
            text,
            subject=quoted(path_of(form.url)),
            count=len(form.attempts),
        )
