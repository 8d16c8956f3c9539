"""One browser window while its events are read: its page, where the person is, and what just changed."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from consumers.scanning.evidence.happenings import Click, Page, Shown, Story, Typing, moments
from consumers.scanning.evidence.mirror import ELEMENT, TEXT, Mirror, Node
from consumers.scanning.evidence.naming import Pointers
from consumers.scanning.evidence.neighbours import masked_beside
from consumers.scanning.evidence.page_text import PageText, read_page
from consumers.scanning.evidence.reading import (
    LAYERS,
    UNSEEN,
    Block,
    blocks_of,
    editable,
    encloses,
    errorish,
    hidden,
    owner_of,
    place_of,
    run_of,
    text_of,
    tokens,
    under,
    visible,
)
from consumers.scanning.evidence.vocabulary import error_tone

MAX_SHOWN: Final = 5_000
MAX_PAGES: Final = 2_000
MAX_FORMS: Final = 20_000
MAX_BY_ITSELF: Final = 50_000
MAX_ENCLOSING: Final = 100
MAX_TENTATIVE: Final = 5_000
"""Nodes remembered since the last full snapshot for changing by themselves, and fields for an input that may be a
script's: past it they are forgotten, at worst one reaction or one typing goes missing."""
LOAD_MS: Final = 3_000
"""A full snapshot so soon after a load event belongs to the load."""
SAME_VIEW_MS: Final = 500
"""A new heading and the new URL that goes with it come within this time, in either order."""
SETTLE_MS: Final = 1_000
"""A page is read once this long after it came up, or when the person acts."""
ACT_MS: Final = 1_500
"""A change later than this after the last action counts as the page's own doing."""
AMBIENT_CHANGES: Final = 3
"""So many changes of one element by itself make it a clock or a carousel, which answers no click."""
SCROLLED_MS: Final = 500
"""Rows that come so soon after a scroll are of a list that is drawn as far as it is looked at."""
_MESSAGES: Final = ("error", "alert", "status")
MAX_SHOWN_PER_CHANGE: Final = 4
"""Texts of one change, those in places of messages first: a change that brings more is a new part of the page. Ours."""
MAX_TAKEN_BACK: Final = 20
"""Texts told last among which pieces are looked for that a new text completes."""
_OPENING: Final = frozenset({"show", "shown", "visible", "open", "active", "is-visible", "is-open", "is-active", "in"})


class Window:
    """State of one window. Writes pages and shown texts into the story."""

    def __init__(self, index: int, story: Story) -> None:
        self.index = index
        self.story = story
        self.mirror = Mirror()
        self.pointers = Pointers()
        self.url = ""
        self.loaded_at = -1_000_000
        self.acted_at = -1_000_000
        self.draft: Page | None = None
        self.last_text = PageText()
        self.reached: set[int] = set()
        self.fields: dict[int, tuple[int, str, int]] = {}
        self.error_nodes: set[int] = set()
        self.typing: Typing | None = None
        self.enclosing: list[Node] = []
        self.writable = False
        self.scrolled_at = -1_000_000
        self.touch: tuple[int, int, float, float] | None = None
        self.tap: Click | None = None
        self.tentative: dict[int, Typing] = {}
        self.by_itself: dict[int, int] = {}
        self.last_click: tuple[int, int] = (-1_000_000, 0)

    # -- pages

    def open(self, t: int, url: str, how: str) -> None:
        """A page or view came up; its text is read when it has settled."""
        if self.draft is not None and how in ("moved", "view") and t - self.draft.t <= SAME_VIEW_MS:
            if how == "moved":
                kept = self.draft.how if self.draft.how in ("opened", "reloaded") else how
                self.draft = Page(self.draft.t, self.index, url, kept, self.draft.text)
                self.url = url
            return
        self.settle()
        self.url = url or self.url
        self.draft = Page(t, self.index, self.url, how, PageText())

    def settle(self) -> None:
        """Read the page that came up, if one waits."""
        draft, self.draft = self.draft, None
        if draft is None:
            return
        text = read_page(self.mirror, self.story.room)
        if draft.how == "view" and text.headings == self.last_text.headings:
            return
        self.last_text = text
        self.story.enclosed |= any(encloses(node) for node in self.enclosing)
        self.enclosing.clear()
        if not self.story.keeps("pages", self.story.pages, MAX_PAGES):
            return
        self.error_nodes.update(block.node for block in text.messages if block.place in ("error", "alert"))
        self.story.pages.append(Page(draft.t, self.index, draft.url, draft.how, text))

    def snapshot(self, t: int, node: object) -> None:
        """A full snapshot: a new page, or the recorder's regular one of the same page (capture 3)."""
        for gone in list(self.fields):
            self._field_gone(t, gone)
        same_page = self.draft is None and t - self.loaded_at > LOAD_MS
        self.mirror.replace(node)
        if self.mirror.root is not None:
            self.story.page_windows.add(self.index)
        self.reached.clear()
        self.error_nodes.clear()
        self.by_itself.clear()
        self.pointers = Pointers()
        self.enclosing.clear()
        self._read_noted()
        if same_page:
            text = read_page(self.mirror, self.story.room)
            if text.headings != self.last_text.headings or text.title != self.last_text.title:
                self.open(t, self.url, "view")
        else:
            self.story.changes.setdefault(self.index, moments()).append(t)

    def forget(self) -> None:
        """The page is no longer mirrored; the next full snapshot begins anew."""
        self.settle()
        self.mirror = Mirror()
        self.pointers = Pointers()

    def _read_noted(self) -> None:
        for node in self.mirror.noted:
            if node.tag in ("iframe", "frame", "canvas") and len(self.enclosing) < MAX_ENCLOSING:
                self.enclosing.append(node)
            self.writable |= editable(node)
            if node.tag == "style":
                for child in node.children():
                    self.pointers.read(child.text)
            css = node.attributes.get("_cssText")
            if isinstance(css, str):
                self.pointers.read(css)
        self.mirror.noted.clear()

    # -- changes

    def mutate(self, t: int, data: dict[str, Any]) -> Node | None:
        """Apply one mutation and note what it made visible; returns the editable text that the person wrote into."""
        own_doing = t - self.acted_at > ACT_MS and self.draft is None
        touched: list[Node] = []
        before = len(self.mirror.nodes)
        gone: set[str] = set()
        removed = [self._remove(entry, gone) for entry in _list(data, "removes")]
        if len(self.mirror.nodes) < before:
            for field_id in [f for f in self.fields if self.mirror.node(f) is None]:
                self._field_gone(t, field_id)
        touched += [node for node in removed if node is not None]
        roots = self.mirror.add(_list(data, "adds"))
        self._read_noted()
        texts = [self.mirror.set_text(_get(e, "id"), _get(e, "value")) for e in _list(data, "texts")]
        changed_texts = [node for node in texts if node is not None]
        revealed = [node for e in _list(data, "attributes") if (node := self._reveal(e)) is not None]
        touched += [node.parent or node for node in (*roots, *changed_texts)]
        touched += [n for e in _list(data, "attributes") if (n := self.mirror.node(_get(e, "id"))) is not None]
        written = self._written([*roots, *changed_texts]) if self.writable else None
        if not self._answers(touched, own_doing=own_doing):
            return written
        self.story.changes.setdefault(self.index, moments()).append(t)
        if written is not None:
            return written
        clicked = t - self.last_click[0] <= ACT_MS
        blocks = self._blocks([*roots, *changed_texts, *revealed], gone, _MESSAGES if clicked else ())
        if t - self.scrolled_at <= SCROLLED_MS and t - self.acted_at > SCROLLED_MS:
            blocks = [block for block in blocks if block.place in _MESSAGES]
        if any(b.place == "heading" and self._main_heading(b) for b in blocks) and removed and self.draft is None:
            self.open(t, self.url, "view")
        self._show(t, blocks)
        return None

    def _written(self, nodes: list[Node]) -> Node | None:
        """The editable text that holds the first of the nodes in one, if the person went into it before."""
        known: dict[Node, bool] = {}
        inside = next((node for node in nodes if under(node, self._is_reached, known)), None)
        return next(filter(self._is_reached, inside.ancestors())) if inside is not None else None

    def _is_reached(self, node: Node) -> bool:
        return node.id in self.reached and editable(node)

    def _remove(self, entry: object, gone: set[str]) -> Node | None:
        node = self.mirror.node(_get(entry, "id"))
        if node is None:
            return None
        parent = node.parent
        self.mirror.remove(node.id, gone)
        return parent

    def _field_gone(self, t: int, node_id: int) -> None:
        group = self.fields.pop(node_id)
        if len(self.story.removed_groups) < MAX_FORMS:
            self.story.removed_groups[group] = t

    def _reveal(self, entry: object) -> Node | None:
        """Apply an attribute change; the element if it hid its text before and shows it now."""
        node = self.mirror.node(_get(entry, "id"))
        changes = _get(entry, "attributes")
        if node is None or not isinstance(changes, dict):
            return None
        before, classes = hidden(node), set(node.attribute("class").split())
        self.mirror.set_attributes(node.id, changes)
        added = set(node.attribute("class").split()) - classes
        marked = any(map(errorish, added)) and bool(error_tone(text_of(node, room=self.story.room)))
        layer = node.attribute("role") == "dialog" or not LAYERS.isdisjoint(tokens(node))
        unfolded = node.tag == "details" and changes.get("open") is not None
        opened = unfolded or (not _OPENING.isdisjoint(added) and (layer or place_of(node) in (*_MESSAGES, "notice")))
        shows = before and not hidden(node)
        may = (shows or opened or marked) and self.story.room.take(node.depth)
        return node if may and visible(node) else None

    def _answers(self, touched: list[Node], *, own_doing: bool) -> bool:
        """Whether any touched element is one that does not keep changing by itself."""
        answered = False
        known: dict[Node, bool] = {}
        for node in touched:
            if node.tag in UNSEEN or under(node, _is_head, known):
                continue
            if own_doing:
                if len(self.by_itself) >= MAX_BY_ITSELF:
                    self.by_itself.clear()
                self.by_itself[node.id] = self.by_itself.get(node.id, 0) + 1
            answered |= self.by_itself.get(node.id, 0) < AMBIENT_CHANGES
        return answered

    def _blocks(self, nodes: list[Node], gone: set[str], again: Collection[str]) -> list[Block]:
        """Visible text of what came or changed, one block per element that holds text.

        What a script takes away and puts back in one go, as it does when it renders anew, is not new (``gone``), unless
        it is a message that may answer a click (``again``).
        """
        found: dict[int, Block] = {}
        known: dict[Node, bool] = {}
        runs: dict[int, str] = {}
        for node in {id(node): node for node in nodes}.values():
            if not visible(node, known):
                continue
            if node.type == TEXT:
                above = node.parent or node
                owner = owner_of(above)
                if owner.type == ELEMENT:
                    if owner.id not in runs:  # thousands of texts may be in one element
                        runs[owner.id] = run_of(owner, self.story.room)
                    found[owner.id] = Block(runs[owner.id], place_of(above), owner.id)
            else:
                for block in blocks_of(node, 24, self.story.room, gone, again):
                    found[block.node] = block
        return [block for block in found.values() if block.text]

    def _main_heading(self, block: Block) -> bool:
        node = self.mirror.node(block.node)
        is_top = node is not None and any(above.tag in ("h1", "h2") for above in node.ancestors())
        return is_top and block.text not in self.last_text.headings

    def _show(self, t: int, blocks: list[Block]) -> None:
        rank = {"error": 0, "alert": 1, "status": 2, "notice": 3, "heading": 4, "text": 5, "control": 6, "cell": 7}
        fresh = self.draft is not None
        for block in sorted(blocks, key=lambda b: rank[b.place])[:MAX_SHOWN_PER_CHANGE]:
            if not self.story.keeps("texts", self.story.shown, MAX_SHOWN):
                return
            text = self._masked(block)
            self.story.shown.append(Shown(t, self.index, text, block.place, block.node, self.url, fresh))
            if block.place in _MESSAGES:
                self.error_nodes.add(block.node)

    def _masked(self, block: Block) -> str:
        """What a block says, without a piece of personal data that goes on beside it; told pieces are taken back."""
        node = self.mirror.node(block.node)
        pieces = masked_beside(node, block.text, inside=True) if node is not None else {}
        if pieces:
            shown, pages = self.story.shown, self.story.pages
            for at in range(max(0, len(shown) - MAX_TAKEN_BACK), len(shown)):
                if shown[at].window == self.index and shown[at].node in pieces:
                    shown[at] = shown[at]._replace(text=pieces[shown[at].node])
            last = next((at for at in reversed(range(len(pages))) if pages[at].window == self.index), None)
            if last is not None:
                pages[last] = replace(pages[last], text=pages[last].text.without(pieces))
        return pieces.get(block.node, block.text)

    def message_in_view(self) -> bool:
        """Whether a message shown earlier still stands on the page."""
        known: dict[Node, bool] = {}
        for node_id in list(self.error_nodes):
            node = self.mirror.node(node_id)
            if node is None:
                self.error_nodes.discard(node_id)
            elif visible(node, known) and text_of(node, room=self.story.room):
                return True
        return False


def _is_head(node: Node) -> bool:
    return node.tag == "head"


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _get(entry: object, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None
