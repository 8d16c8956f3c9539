"""What came of it: conversions, completed tasks, checkouts given up, goals missed."""

from collections.abc import Iterator
from typing import Final

from consumers.scanning.evidence import vocabulary as words
from consumers.scanning.evidence.evidence import Signal
from consumers.scanning.evidence.happenings import Click, Page
from consumers.scanning.evidence.masking import path_of, quoted
from consumers.scanning.evidence.messages import Message
from consumers.scanning.evidence.scene import Scene
from consumers.scanning.evidence.signals.faults import quote
from consumers.scanning.evidence.signals.forms import Form
from consumers.scanning.evidence.times import Times

SAME_CONVERSION_MS: Final = 10_000
"""Button, path and page of one conversion come within this time. Ours."""
SAME_TASK_MS: Final = 4_000
"""A message, and the form whose acceptance it tells, are one task. Ours."""
ACT_NAME_CHARS: Final = 50
"""Longer names are of cards and rows that only contain such a word."""
AFTER_ACT_MS: Final = 15_000
"""How long a success text is taken as the answer to an act (messages.ANSWER_MS)."""
FAULT_AFTER_CLICK_MS: Final = 5_000
"""An error within 5 s of an act is about the act (PostHog's error after action, capture 5)."""


class Outcome:
    """Reads the outcome of a scene once; the rules build on each other."""

    def __init__(self, scene: Scene, all_forms: list[Form], found: list[Signal]) -> None:
        self.scene = scene
        self.forms = all_forms
        self.found = found
        long = (call for call in scene.calls if call.duration > AFTER_ACT_MS // 2)
        self.waits = Times(sorted(long, key=lambda call: call.end), ends=True)
        self.raged = {signal.subject for signal in found if signal.kind == "rage_click"}
        self.checkout = self._checkout_began()
        self.sign_up = self._sign_up_began()
        self.conversions = list(self._conversions())
        self.tasks = list(self._tasks())
        self.last_good = max((signal.t_ms for signal in (*self.conversions, *self.tasks)), default=-1)

    def signals(self) -> Iterator[Signal]:
        yield from self.conversions
        yield from self.tasks
        given_up = self._checkout_given_up()
        if given_up is not None:
            yield given_up
        missed = self._goal_missed()
        if missed is not None:
            yield missed

    # -- beginnings

    def _checkout_began(self) -> tuple[int, str] | None:
        """The first act or page of a checkout, payment, booking or upgrade; (t, what)."""
        found = [
            (click.t, click.target.label)
            for click in self.scene.story.clicks
            if click.target.role in ("button", "link") and self._commits(click)
        ]
        for page in self.scene.story.pages:
            if words.checkout_page(path_of(page.url).replace("/", " ")) or any(
                map(words.checkout_page, page.text.headings[:1])
            ):
                typed = any(t.url == page.url and t.t >= page.t for t in self.scene.story.typings)
                clicked = any(c.url == page.url and c.t >= page.t and c.target.submit for c in self.scene.story.clicks)
                if typed or clicked or self._asks_card(page):
                    found.append((page.t, quoted(path_of(page.url))))
        return min(found) if found else None

    def _commits(self, click: Click) -> bool:
        name = click.target.name.strip('"')
        return (
            len(name) <= ACT_NAME_CHARS
            and not words.about_past(name)
            and (words.checkout_act(name) or words.upgrade_act(name))
        )

    def _asks_card(self, page: Page) -> bool:
        return words.asks_card(page.text.main)

    def _sign_up_began(self) -> int | None:
        for form in self.forms:
            page = self.scene.page_at(form.window, form.began)
            about = path_of(form.url).replace("/", " ") + " " + (" ".join(page.text.headings[:2]) if page else "")
            if words.sign_up(about):
                return form.began
        return None

    # -- good ends

    def _conversions(self) -> Iterator[Signal]:
        told = -(10**9)
        found = [
            *self._by_message(),
            *self._by_text(),
            *self._by_path(),
            *self._by_form(),
            *self._by_onboarding(),
        ]
        for t, _, _ in sorted(found, key=lambda item: item[0]):
            if t - told > SAME_CONVERSION_MS:
                # What the page says tells more than a path or a button, so the first kind of proof found speaks.
                at, text, how = next(item for item in found if abs(item[0] - t) <= SAME_CONVERSION_MS)
                yield Signal("conversion", at, at, f"conversion: {how}", subject=text)
            told = t

    def _by_message(self) -> Iterator[tuple[int, str, str]]:
        for message in self.scene.messages:
            if message.tone != "success" or not self._answers_act(message):
                continue
            in_sign_up = self.sign_up is not None and message.t > self.sign_up
            commerce = self.checkout is not None and message.t > self.checkout[0]
            if words.conversion(message.text) or (
                in_sign_up and words.account_ready(message.text) and self._onboarded(message.t)
            ):
                yield message.t, quote(message.text), f"{quote(message.text)} shown"
            elif commerce and message.on_page and words.account_ready(message.text):
                yield message.t, quote(message.text), f"{quote(message.text)} shown after checkout"

    def _by_path(self) -> Iterator[tuple[int, str, str]]:
        for page in self.scene.story.pages:
            path = path_of(page.url)
            begun = self.checkout is not None and page.t > self.checkout[0]
            if begun and words.done_path(path) and not self.scene.error_between(page.t - 500, page.t + 1_500):
                yield page.t, quoted(path), f"page {quoted(path)} reached after checkout"

    def _by_text(self) -> Iterator[tuple[int, str, str]]:
        """A page that follows an act and says in its text that an order, booking or payment went through."""
        for page in self.scene.story.pages:
            text = next((b.text for b in page.text.blocks[:8] if b.place != "control" and words.conversion(b.text)), "")
            begun = self.checkout is not None and page.t > self.checkout[0]
            if begun and text and not self.scene.error_between(page.t - 500, page.t + 1_500):
                yield page.t, quote(text), f"{quote(text)} shown"

    def _by_form(self) -> Iterator[tuple[int, str, str]]:
        """A form accepted whose submit is the last act of a checkout, booking or upgrade."""
        for form in self.forms:
            made = {t for t in form.attempts if form.accepted and t <= form.accepted_at}
            clicks = [click for click in self.scene.story.clicks if click.t in made]
            if clicks and words.final_act(clicks[-1].target.name.strip('"')):
                label = clicks[-1].target.label
                yield form.accepted_at, label, f"{label} accepted"

    def _by_onboarding(self) -> Iterator[tuple[int, str, str]]:
        """A sign-up accepted, then onboarding left by its own button for another page."""
        if self.sign_up is None or not any(f.accepted and f.began >= self.sign_up for f in self.forms):
            return
        steps = [p for p in self.scene.story.pages if p.t > self.sign_up and self._is_onboarding(p)]
        if not steps:
            return
        for page in self.scene.story.pages:
            click = self.scene.last_click_before(page.t, 10_000)
            leaves = page.t > steps[-1].t and not self._is_onboarding(page) and not words.sign_up(path_of(page.url))
            if leaves and click is not None and click.target.role == "button":
                yield (
                    page.t,
                    quoted(path_of(page.url)),
                    f"sign-up and onboarding finished, page {quoted(path_of(page.url))} reached",
                )
                return

    def _is_onboarding(self, page: Page) -> bool:
        about = path_of(page.url).replace("/", " ") + " " + " ".join(page.text.headings[:2])
        return words.onboarding(about) and not words.sign_up(path_of(page.url).replace("/", " "))

    def _onboarded(self, t: int) -> bool:
        return any(form.accepted and form.accepted_at <= t + 1_000 for form in self.forms)

    def _answers_act(self, message: Message) -> bool:
        """A success text answers something the person did, other than following a link."""
        click = self.scene.last_click_before(message.t, AFTER_ACT_MS)
        waited = self.waits.between(message.t - SAME_TASK_MS + 1, message.t + SAME_TASK_MS - 1)
        if click is None:
            return self.scene.typed_before(message.t, AFTER_ACT_MS) is not None or bool(waited)
        if not message.on_page and message.place in ("text", "heading"):
            return click.target.submit or click.by_key or click.target.field or self._commits(click)
        if not message.on_page:
            return (
                click.target.role in ("button", "checkbox", "select", "row")
                or click.target.field
                or self._commits(click)
            )
        return click.by_key or click.target.role == "button" or self._commits(click) or click.target.field

    def _tasks(self) -> Iterator[Signal]:
        """Other things achieved: a success message, a form accepted, or something found after searching in vain."""
        ended = {signal.t_ms for signal in self.conversions}
        told: list[int] = []
        for message in self.scene.messages:
            near = any(abs(message.t - t) < SAME_TASK_MS for t in (*ended, *told))
            if message.tone == "success" and not near and self._answers_act(message):
                told.append(message.t)
                yield Signal(
                    "task_completed", message.t, message.t, f"{quote(message.text)} shown", subject=quote(message.text)
                )
        for form in self.forms:
            near = any(abs(form.accepted_at - t) < SAME_TASK_MS for t in (*ended, *told))
            if form.accepted and not near and form.accepted_at:
                t, path = form.accepted_at, quoted(path_of(form.url))
                text = f"form on {path} accepted ({', '.join(form.names[:3])})"
                yield Signal("task_completed", t, t, text, subject=path, note="form")

        found = self._found()
        if found is not None:
            yield found

    def _found(self) -> Signal | None:
        """After an empty search another one gave something, and it was opened."""
        empties = [s.t_ms for s in self.found if s.kind == "empty_search"]
        typed = [t for t in self.scene.story.typings if t.target.search and empties and t.end > empties[0]]
        if not typed or empties[-1] > typed[-1].end:
            return None
        for click in self.scene.story.clicks:
            opens = click.target.role in ("row", "link") and click.t > typed[-1].end and not click.target.search
            if opens and self.scene.new_page(click.window, click.t, click.t + 4_000):
                t, name = click.t, click.target.label
                return Signal(
                    "task_completed", t, t, f"{name} opened after searching again", subject=name, note="found"
                )
        return None

    # -- bad ends

    def _checkout_given_up(self) -> Signal | None:
        """Checkout, payment or upgrade begun, and no conversion after."""
        if self.checkout is None or any(c.t_ms >= self.checkout[0] for c in self.conversions):
            return None
        t, what = self.checkout
        end = self.scene.story.duration
        return Signal(
            "checkout_given_up", t, end, f"checkout or upgrade begun at {what}, not completed by the end", subject=what
        )

    def _goal_missed(self) -> Signal | None:
        """Something was tried, failed, and was not made good by the end. ``note`` says for what kind of reason."""
        misses = [miss for miss in self._misses() if not self._made_good(miss)]
        if self.conversions and max(c.t_ms for c in self.conversions) >= max((m[0] for m in misses), default=0):
            return None
        if not misses:
            return None
        order = ("defect", "refused", "form", "checkout", "search", "lost")
        note = min((reason for _, reason, _ in misses), key=order.index)
        t, _, what = next(miss for miss in misses if miss[1] == note)
        return Signal(
            "goal_missed", t, self.scene.story.duration, f"not achieved by the end: {what}", subject=what, note=note
        )

    def _misses(self) -> Iterator[tuple[int, str, str]]:
        """(t, reason, what) of everything that failed."""
        for signal in self.found:
            match signal.kind:
                case "dead_click" if self._mattered(signal):
                    yield signal.end_ms, "defect", f"{signal.subject} did not react"
                case "javascript_error" if self._after_act(signal.t_ms):
                    yield signal.t_ms, "defect", f"script error {signal.subject}"
                case "failed_request" if self._after_act(signal.t_ms) or signal.note == "5xx":
                    reason = "refused" if signal.note == "4xx" else "defect"
                    yield signal.t_ms, reason, signal.text
                case "error_shown" if signal.note in ("denied", "server", "declined"):
                    yield signal.t_ms, "defect" if signal.note == "server" else "refused", signal.subject
                case "empty_search":
                    yield signal.t_ms, "search", signal.text
                case "lost_navigation":
                    yield signal.end_ms, "lost", signal.text
                case "abandoned_form":
                    yield signal.end_ms, "form", signal.text
                case _:
                    pass
        given_up = self._checkout_given_up()
        if given_up is not None and self._insisted(given_up.t_ms):
            yield given_up.t_ms, "checkout", given_up.text

    def _mattered(self, dead: Signal) -> bool:
        """A dead control keeps from a goal when it was insisted on, and more than looking was wanted of it."""
        insisted = dead.count > 1 and dead.note == "control" and not words.informs(dead.subject)
        return insisted or dead.subject in self.raged

    def _after_act(self, t: int) -> bool:
        return self.scene.last_click_before(t, FAULT_AFTER_CLICK_MS) is not None or (
            self.scene.typed_before(t, FAULT_AFTER_CLICK_MS) is not None
        )

    def _insisted(self, t: int) -> bool:
        """More than opening the page: something was typed or submitted there."""
        return any(typing.t >= t and not typing.target.search for typing in self.scene.story.typings)

    def _made_good(self, miss: tuple[int, str, str]) -> bool:
        """A later success; a form left unaccepted stays unaccepted."""
        t, reason, _ = miss
        if reason == "form":
            return False
        return self.last_good > t
