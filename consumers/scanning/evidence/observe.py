"""Reading a recording once, event by event, into the story of what happened."""

from dataclasses import replace
from typing import Any, Final

from consumers.scanning.evidence import console, network
from consumers.scanning.evidence.arrival import Arrived, Item
from consumers.scanning.evidence.happenings import Click, Mark, Story, Typing, moments
from consumers.scanning.evidence.masking import clean, clean_url
from consumers.scanning.evidence.mirror import Node
from consumers.scanning.evidence.naming import describe
from consumers.scanning.evidence.reading import text_of
from consumers.scanning.evidence.window import LOAD_MS, MAX_TENTATIVE, SETTLE_MS, Window

MAX_CLICKS: Final = 3_000
MAX_TYPINGS: Final = 3_000
MAX_MARKS: Final = 6_000
MAX_SCROLLS: Final = 20_000
MAX_GROUPS: Final = 20_000
"""What is kept of one session; rules compare acts with each other, so their number is bounded. An hour of busy work is
about 1,000 clicks."""
MAX_MIRRORED: Final = 20
MAX_NODES_IN_ALL: Final = 100_000
MAX_CHARS_IN_ALL: Final = 30_000_000
"""Windows whose page is mirrored at one time, and how much of all pages together. Beyond it the windows whose page has
not changed for the longest time lose their mirrors until their next full snapshot: closed tabs, as a rule."""
SAME_CLICK_MS: Final = 50
"""A label and its field both report one click."""
BY_HAND_EVENTS: Final = 3
"""A script fills a field with one event; so many of them are somebody typing."""
RESTORE_MS: Final = 500
"""Scrolling right after a load is the browser's own."""
LARGEST: Final = 10**9
SCROLL_EVERY_MS: Final = 2_000
"""At most one scroll line in this time (capture 6, timeline recipe)."""
TYPING_GAP_MS: Final = 5_000
"""A pause in one field that makes two inputs of it: as long as a quiet stretch (timeline.GAP_MS)."""

TAP_MS: Final = 700
TAP_PX: Final = 10
"""A tap is a touch in one place that is shorter than a long press (500 ms and more, by the phone)."""
TAP_CLICK_MS: Final = 500
"""The browser's click follows a tap within 300 ms."""
WRITTEN_CHARS: Final = 2_000
"""Of an editable text, to tell writing from erasing."""

_CLICK, _FOCUS, _BLUR, _TOUCH_START, _TOUCH_END = 2, 5, 6, 7, 9
_QUIET_TAGS: Final = frozenset(
    {"$remote_config_received", "$session_options", "$posthog_config", "$recording_started", "$session_id_change"}
)
_HREF_TAGS: Final = frozenset({"$pageview", "$url_changed"})


def observe(arrived: Arrived) -> Story:
    """The story of a recording, which is read once. Events that make no sense are left out; nothing raises.

    Memory is bounded whatever the recording's length: 16 bytes an event (of at most MAX_EVENTS), the acts and texts
    that the limits here and in window.py allow, and the mirrors.
    """
    return _Observer(arrived).story


class _Observer:
    def __init__(self, arrived: Arrived) -> None:
        self.story = Story()
        self.windows: dict[int, Window] = {}
        self.mirrored: dict[int, Window] = {}
        self.scrolled: dict[int, int] = {}
        for item in arrived:
            self.story.started_at_ms = arrived.started_at_ms
            self._read(item)
        for window in self.windows.values():
            self._tap_alone(window)
            window.settle()
        self._finish(arrived)

    def _read(self, item: Item) -> None:
        window = self.windows.get(item.window)
        if window is None:
            window = self.windows[item.window] = Window(item.window, self.story)
        if window.tap is not None and item.t - window.tap.t > TAP_CLICK_MS:
            self._tap_alone(window)
        if window.draft is not None and item.t - window.draft.t > SETTLE_MS:
            window.settle()
        match item.type:
            case 3:
                self._incremental(item, window)
            case 0 | 1:
                window.loaded_at = item.t
            case 2:
                window.snapshot(item.t, item.data.get("node"))
                self._make_room(window)
            case 4:
                self._meta(item, window)
            case 5:
                self._custom(item, window)
            case 6:
                self._plugin(item)
            case _:
                pass

    def _make_room(self, window: Window) -> None:
        """The page of this window has grown."""
        self.mirrored.pop(window.index, None)
        self.mirrored[window.index] = window  # the latest comes last
        while len(self.mirrored) > 1 and (
            len(self.mirrored) > MAX_MIRRORED
            or sum(len(one.mirror.nodes) for one in self.mirrored.values()) > MAX_NODES_IN_ALL
            or sum(one.mirror.chars for one in self.mirrored.values()) > MAX_CHARS_IN_ALL
        ):
            self.mirrored.pop(next(iter(self.mirrored))).forget()

    def _meta(self, item: Item, window: Window) -> None:
        url = clean_url(item.data.get("href"))
        if url != window.url:
            window.open(item.t, url, "opened")
        elif item.t - window.loaded_at <= LOAD_MS:
            window.open(item.t, url, "reloaded")

    def _custom(self, item: Item, window: Window) -> None:
        tag, payload = item.data.get("tag"), item.data.get("payload")
        if not isinstance(tag, str):
            return
        if tag in _HREF_TAGS and isinstance(payload, dict):
            url = clean_url(payload.get("href"))
            if url and url != window.url:
                window.open(item.t, url, "moved")
        elif tag == "$session_options" and isinstance(payload, dict):
            plugins = payload.get("activePlugins")
            for name in plugins if isinstance(plugins, list) else []:
                if name == console.PLUGIN:
                    self.story.console_windows.add(item.window)
                elif name in network.PLUGINS:
                    self.story.network_windows.add(item.window)
        elif tag in _QUIET_TAGS or tag in _HREF_TAGS:
            return
        elif self.story.keeps("notes of the recorder", self.story.marks, MAX_MARKS):
            self.story.marks.append(Mark(item.t, item.window, "custom", clean(tag.lstrip("$"), 60)))

    def _plugin(self, item: Item) -> None:
        plugin, payload = item.data.get("plugin"), item.data.get("payload")
        if plugin == console.PLUGIN:
            self.story.console_windows.add(item.window)
            line = console.logged(payload, item.t, item.window)
            if line is not None and self.story.keeps("console lines", self.story.logged, console.MAX_LINES):
                self.story.logged.append(line)
        elif plugin in network.PLUGINS:
            self.story.network_windows.add(item.window)
            for request in network.requests(payload, item.t, item.window, self.story.started_at_ms):
                room = network.MAX_REQUESTS + request.failed * network.MAX_FAILED
                if self.story.keeps("requests", self.story.requests, room):
                    self.story.requests.append(request)

    def _incremental(self, item: Item, window: Window) -> None:
        match item.data.get("source"):
            case 1 | 6 | 12:
                self.story.activity.append(item.t)
            case 0:
                written = window.mutate(item.t, item.data)
                if written is not None:
                    self._wrote(item, window, written, text_of(written, WRITTEN_CHARS, self.story.room), by_hand=True)
                self._make_room(window)
            case 2:
                self._interaction(item, window)
            case 3:
                self._scroll(item, window)
            case 5:
                self._input(item, window)
            case 7 | 8 | 9 | 13 | 15:  # media, style rules, canvas: reactions that are no mutation (capture 4)
                self.story.changes.setdefault(item.window, moments()).append(item.t)
            case _:
                pass

    def _interaction(self, item: Item, window: Window) -> None:
        kind, node = item.data.get("type"), window.mirror.node(item.data.get("id"))
        if kind == _TOUCH_START and node is not None:
            window.touch = (item.t, node.id, _number(item.data.get("x")), _number(item.data.get("y")))
        elif kind == _TOUCH_END and node is not None:
            self._tapped(item, window, node)
        if kind in (_FOCUS, _BLUR):
            if kind == _FOCUS and node is not None and len(self.story.marks) < MAX_MARKS:
                window.reached.add(node.id)
                self.story.marks.append(Mark(item.t, item.window, "focus", str(node.id)))
            return
        self.story.activity.append(item.t)
        if kind != _CLICK:
            return
        window.tap = None
        if node is None:
            self.story.unnamed_clicks += 1
            return
        if not self.story.keeps("clicks", self.story.clicks, MAX_CLICKS):
            return
        click = self._click(item, window, node)
        last_t, last_node = window.last_click
        if item.t - last_t <= SAME_CLICK_MS and last_node == click.target.node:
            return
        self._clicked(window, click)

    def _click(self, item: Item, window: Window, node: Node) -> Click:
        window.settle()
        target = describe(node, window.pointers)
        window.acted_at = item.t
        window.reached.update((node.id, target.node))
        x, y = _number(item.data.get("x")), _number(item.data.get("y"))
        return Click(item.t, item.window, x, y, target, window.url, window.message_in_view(), x == 0 and y == 0)

    def _clicked(self, window: Window, click: Click) -> None:
        window.last_click = (click.t, click.target.node)
        if not click.target.field:
            window.typing = None
        self.story.clicks.append(click)

    def _tapped(self, item: Item, window: Window, node: Node) -> None:
        """A short touch that stays in place: a click, also where the page keeps the browser from making one of it."""
        touch, window.touch = window.touch, None
        if touch is None or touch[1] != node.id or item.t - touch[0] > TAP_MS:
            return
        x, y = _number(item.data.get("x")), _number(item.data.get("y"))
        if abs(x - touch[2]) <= TAP_PX and abs(y - touch[3]) <= TAP_PX:
            self._tap_alone(window)
            window.tap = self._click(item, window, node)

    def _tap_alone(self, window: Window) -> None:
        """No click came of the last tap."""
        tap, window.tap = window.tap, None
        if tap is not None and self.story.keeps("clicks", self.story.clicks, MAX_CLICKS):
            self._clicked(window, replace(tap, by_key=False))

    def _input(self, item: Item, window: Window) -> None:
        node = window.mirror.node(item.data.get("id"))
        text, checked = item.data.get("text"), item.data.get("isChecked")
        if node is None or not isinstance(text, str):
            return
        if not self.story.keeps("inputs", self.story.typings, MAX_TYPINGS):
            return
        if not text and window.typing is None and node.id in window.fields:
            if len(self.story.cleared_groups) < MAX_GROUPS:
                self.story.cleared_groups[window.fields[node.id]] = item.t  # a script empties the field of a sent form
            return
        self._wrote(item, window, node, text, by_hand=node.id in window.reached, checked=checked)

    def _wrote(
        self, item: Item, window: Window, node: Node, text: str, *, by_hand: bool, checked: object = None
    ) -> None:
        """One event of input; those into one field that follow each other are one typing."""
        typing = window.typing
        if typing is None or typing.target.node != node.id or item.t - typing.end > TYPING_GAP_MS:
            typing = window.tentative.get(node.id) if not by_hand else None
            if typing is None:
                typing = Typing(item.t, item.t, item.window, describe(node, window.pointers), window.url, 0, 0)
                if not by_hand:
                    if len(window.tentative) >= MAX_TENTATIVE:
                        window.tentative.clear()
                    window.tentative[node.id] = typing
        typing.events += 1
        typing.end = item.t
        typing.erased += len(text) < typing.length
        typing.length = len(text)
        typing.checked = bool(checked) if typing.target.role == "checkbox" else None
        if by_hand or typing.events >= BY_HAND_EVENTS:
            self._typed(item, window, typing)

    def _typed(self, item: Item, window: Window, typing: Typing) -> None:
        """Typing by hand: it follows a click or focus on the field, or comes as several events."""
        self.story.activity.append(item.t)
        window.acted_at = item.t
        window.tentative.pop(typing.target.node, None)
        window.fields[typing.target.node] = (item.window, typing.url, typing.target.group)
        if window.typing is not typing:
            window.settle()
            window.typing = typing
            self.story.typings.append(typing)

    def _scroll(self, item: Item, window: Window) -> None:
        window.scrolled_at = item.t
        self.story.scrolled.setdefault(item.window, moments()).append(item.t)
        if item.t - window.loaded_at > RESTORE_MS and window.draft is None:
            self.story.activity.append(item.t)
            since = item.t - self.scrolled.get(item.window, -SCROLL_EVERY_MS)
            if since >= SCROLL_EVERY_MS and len(self.story.scrolls) < MAX_SCROLLS:
                self.scrolled[item.window] = item.t
                y = _number(item.data.get("y"))
                self.story.scrolls.append(Mark(item.t, item.window, "scroll", f"scrolled to {y:.0f}px"))

    def _finish(self, arrived: Arrived) -> None:
        story = self.story
        story.duration, story.windows = arrived.duration, arrived.windows
        story.skipped, story.events = arrived.skipped, arrived.events
        story.clicks.sort(key=lambda click: click.t)
        story.pages.sort(key=lambda page: page.t)
        story.typings.sort(key=lambda typing: typing.t)
        story.requests.sort(key=lambda request: (request.t, request.url))


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
        return float(value)
    return 0.0
