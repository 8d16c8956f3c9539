"""The page as the browser had it: one mirror per window, replaced at each full snapshot (capture 3, 4)."""

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

MAX_NODES: Final = 50_000
"""Nodes kept per window, as Mixpanel's analyser caps its tracker (capture 6). Nodes beyond it are not mirrored."""
MAX_DEPTH: Final = 1_000
"""Levels of a page, about twice what a browser's parser nests (512): scripts may nest deeper. What lies below is not
mirrored, so that looking at everything above a node costs little, whatever a page holds."""
MAX_CHILDREN_WALK: Final = 200_000
"""Nodes that one walk goes through: more than a mirrored page has, so that only a broken tree meets it. Ours."""
MAX_GONE: Final = 2_000
"""Texts remembered of what one mutation removed."""
MAX_TEXT_CHARS: Final = 4_000
MAX_STYLE_CHARS: Final = 500_000
"""Of one text, and of one style sheet, which is read for the rules that show a pointer. Ours."""
MAX_CHARS: Final = 20_000_000
"""Characters of texts and attributes longer than SHORT_CHARS, in one page; what goes beyond is cut to SHORT_CHARS."""
SHORT_CHARS: Final = 200
"""What always stays of a text, whatever else the page holds: enough to know an element by. Ours."""
MAX_ATTRIBUTES: Final = 200
"""Of one element."""

MAX_READ: Final = 50_000_000
"""Nodes looked at for their text in one recording, half a minute's work. An hour of busy pages takes a fiftieth. What
changes after that is still seen to change, without its words."""

ELEMENT: Final = 2
TEXT: Final = 3
_TYPES: Final = (0, 1, 2, 3, 4, 5)
_TAG: Final = re.compile(r"[A-Za-z][A-Za-z0-9:._-]{0,60}")
_NOTED: Final = frozenset({"style", "iframe", "frame", "canvas"})
_LANDMARKS: Final = frozenset({"title", "body", "main"})
_NONE: Final[dict[str, Any]] = {}
"""The attributes of all nodes without any: most nodes are text."""


class Room:
    """How many nodes may still be looked at for their text: changes are many, and so is what lies below each."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_READ) -> None:
        self.left = left

    def take(self, nodes: int) -> bool:
        """False when there is no more."""
        self.left -= nodes
        return self.left >= 0


class Node:
    """A mirrored node. Children are a linked list, so that inserting before a sibling does not walk.

    ``words``, ``place`` and ``hides`` are what reading.py makes of the attributes, until those change.
    """

    __slots__ = (
        "attributes",
        "depth",
        "first",
        "hides",
        "id",
        "last",
        "next",
        "parent",
        "place",
        "previous",
        "tag",
        "text",
        "type",
        "words",
    )

    def __init__(self, node_id: int, node_type: int, tag: str, attributes: dict[str, Any], text: str) -> None:
        self.id = node_id
        self.depth = 0
        self.type = node_type
        self.tag = tag
        self.attributes = attributes
        self.text = text
        self.words: tuple[str, ...] | None = None
        self.place: str | None = None
        self.hides: bool | None = None
        self.parent: Node | None = None
        self.previous: Node | None = None
        self.next: Node | None = None
        self.first: Node | None = None
        self.last: Node | None = None

    def children(self) -> Iterator["Node"]:
        child = self.first
        while child is not None:
            yield child
            child = child.next

    def attribute(self, name: str) -> str:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else ""

    def ancestors(self) -> Iterator["Node"]:
        """The node itself and its parents, nearest first."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class Mirror:
    """A window's page. Every method takes data of unknown shape and ignores what it cannot read.

    ``noted`` are style sheets, frames, canvases and editable texts that were mirrored since its reader last emptied it.
    """

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.root: Node | None = None
        self.noted: list[Node] = []
        self._landmarks: dict[int, Node] = {}
        self.chars = 0
        self.truncated = False

    def replace(self, snapshot: object) -> None:
        """Start again from the node tree of a full snapshot."""
        self.nodes = {}
        self.noted = []
        self._landmarks = {}
        self.chars = 0
        self.root = self._grow(snapshot)

    def node(self, node_id: object) -> Node | None:
        return self.nodes.get(node_id) if isinstance(node_id, int) else None

    def landmarks(self) -> Iterator[Node]:
        """Titles, bodies and main parts in document order; other nodes may be among them."""
        found = list(self._landmarks.values())
        tags = {node.tag if node.tag in _LANDMARKS else "main" for node in found}
        if self.root is not None and len(tags) < len(found):
            return walk(self.root)
        return iter(found)

    def add(self, entries: list[Any]) -> list[Node]:
        """Apply the flattened ``adds`` of a mutation; returns the roots, nodes whose parent is not new itself.

        An entry may name a parent or a next sibling that comes later in the list, so it waits for that one. Entries
        whose sibling never comes go to the end of their parent; those without a parent are lost.
        """
        ready = deque(entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("node"), dict))
        waiting: dict[int, list[Any]] = {}
        fresh: set[int] = set()
        roots: list[Node] = []
        while ready or waiting:
            if not ready:
                ready.extend(
                    {**entry, "nextId": None} for late in waiting.values() for entry in late if self._has_parent(entry)
                )
                waiting.clear()
                continue
            entry = ready.popleft()
            missing = self._missing(entry.get("parentId"), entry.get("nextId"))
            if missing is not None:
                waiting.setdefault(missing, []).append(entry)
                continue
            node = self._add_one(entry)
            if node is not None:
                fresh.add(node.id)
                if node.parent is not None and node.parent.id not in fresh:
                    roots.append(node)
                if waiting:
                    ready.extendleft(reversed(waiting.pop(node.id, [])))
        return roots

    def _has_parent(self, entry: Any) -> bool:
        return self.node(entry.get("parentId")) is not None

    def _missing(self, parent: object, following: object) -> int | None:
        """The id of a parent or next sibling that is not there (yet)."""
        if isinstance(parent, int) and parent not in self.nodes:
            return parent
        return following if isinstance(following, int) and following not in self.nodes else None

    def _add_one(self, entry: Any) -> Node | None:
        parent = self.node(entry.get("parentId"))
        if parent is None:
            return None
        data = entry["node"]
        make = self._grow if data.get("childNodes") else self._make
        node = make(data, parent.depth + 1)
        if node is None or parent.id not in self.nodes:
            return None  # a node that replaces one above its own parent takes the parent with it
        before = self.node(entry.get("nextId"))
        if before is None and parent.last is not None:
            node.parent, node.previous, parent.last.next, parent.last = parent, parent.last, node, node
        else:
            self._place(node, parent, before)
        return node

    def remove(self, node_id: object, texts: set[str] | None = None) -> Node | None:
        """Take a node and all below it out of the page; returns it, still readable. ``texts`` gets what it said."""
        node = self.node(node_id)
        if node is None:
            return None
        self._detach(node)
        for below in walk(node):
            self.nodes.pop(below.id, None)
            if self._landmarks:
                self._landmarks.pop(below.id, None)
            self.chars -= _long(below.text) + sum(map(_long, below.attributes.values()))
            if texts is not None and below.type == TEXT and len(texts) < MAX_GONE:
                texts.add(below.text)
        return node

    def set_text(self, node_id: object, value: object) -> Node | None:
        node = self.node(node_id)
        if node is not None and isinstance(value, str):
            self.chars -= _long(node.text)
            node.text = self._kept(value, MAX_TEXT_CHARS)
            return node
        return None

    def set_attributes(self, node_id: object, changes: object) -> Node | None:
        """Apply changed attributes: None removes one; ``style`` may come as an object of changed properties."""
        node = self.node(node_id)
        if node is None or not isinstance(changes, dict):
            return None
        node.words = node.place = node.hides = None
        if node.attributes is _NONE:
            node.attributes = {}
        if changes.get("role") == "main":
            self._landmarks[node.id] = node
        for name, value in changes.items():
            before = node.attributes.pop(name, None)
            self.chars -= _long(before)
            if isinstance(value, dict):
                kept = dict(_declarations(before or ""))
                kept |= {str(key): _declared(declared) for key, declared in value.items()}
                self._set(node.attributes, name, ";".join(f"{key}:{declared}" for key, declared in kept.items()))
            elif value is not None:
                self._set(node.attributes, name, value)
        return node

    def _set(self, attributes: dict[str, Any], name: str, value: object) -> None:
        if len(attributes) >= MAX_ATTRIBUTES:
            self.truncated = True
        elif isinstance(value, str):
            attributes[name] = self._kept(value, MAX_STYLE_CHARS)
        elif isinstance(value, int | float):
            attributes[name] = value

    def _kept(self, text: object, limit: int) -> str:
        """As much of a text as there is room for."""
        if not isinstance(text, str):
            return ""
        kept = text[:limit]
        if len(kept) > SHORT_CHARS:
            if self.chars + len(kept) > MAX_CHARS:
                self.truncated = True
                return kept[:SHORT_CHARS]
            self.chars += len(kept)
        return kept

    def _grow(self, snapshot: object, depth: int = 0) -> Node | None:
        """Mirror a serialised node and its children without recursion; pages nest deeper than Python does."""
        top = self._make(snapshot, depth)
        if top is None or not isinstance(snapshot, dict) or not snapshot.get("childNodes"):
            return top
        stack: list[tuple[Node, Any]] = [(top, snapshot["childNodes"])]
        while stack:
            parent, children = stack.pop()
            if not isinstance(children, list):
                continue
            depth = parent.depth + 1
            for child_data in children:
                child = self._make(child_data, depth)
                if child is None:
                    continue
                child.parent, child.previous = parent, parent.last
                if parent.last is None:
                    parent.first = child
                else:
                    parent.last.next = child
                parent.last = child
                if child.type != TEXT and child_data.get("childNodes"):
                    stack.append((child, child_data["childNodes"]))
        return top

    def _make(self, data: object, depth: int) -> Node | None:
        if not isinstance(data, dict):
            return None
        read: Any = data.get  # each node of a recording comes by here: what is written out below saves calls
        node_id, node_type = read("id"), read("type")
        if type(node_id) is not int or node_type not in _TYPES:
            return None
        if node_id in self.nodes:
            self.remove(node_id)
        elif len(self.nodes) >= MAX_NODES:
            self.truncated = True
            return None
        if depth > MAX_DEPTH:
            self.truncated = True
            return None
        attributes, tag, text = read("attributes"), read("tagName"), read("textContent")
        kept = self._kept_of(attributes) if attributes else _NONE
        if text is None or type(text) is not str or len(text) > SHORT_CHARS:
            text = self._kept(text, MAX_STYLE_CHARS if read("isStyle") else MAX_TEXT_CHARS)
        tag = _tag(tag) if type(tag) is str and tag else ""
        node = self.nodes[node_id] = Node(node_id, node_type, tag, kept, text)
        node.depth = depth
        if tag in _NOTED or "_cssText" in kept or "contenteditable" in kept:
            self.noted.append(node)
        if tag in _LANDMARKS or ("role" in kept and kept["role"] == "main"):
            self._landmarks[node_id] = node
        return node

    def _kept_of(self, attributes: object) -> dict[str, Any]:
        if not isinstance(attributes, dict):
            return {}
        if len(attributes) <= MAX_ATTRIBUTES:
            for value in attributes.values():
                if type(value) is not str or len(value) > SHORT_CHARS:
                    break
            else:
                return attributes.copy()
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            self._set(kept, name, value)
        return kept

    def _place(self, node: Node, parent: Node, before: Node | None) -> None:
        node.parent = parent
        if before is None or before.parent is not parent:
            node.previous, node.next = parent.last, None
        else:
            node.previous, node.next = before.previous, before
        if node.previous is None:
            parent.first = node
        else:
            node.previous.next = node
        if node.next is None:
            parent.last = node
        else:
            node.next.previous = node

    def _detach(self, node: Node) -> None:
        parent = node.parent
        if parent is None:
            return
        if node.previous is None:
            parent.first = node.next
        else:
            node.previous.next = node.next
        if node.next is None:
            parent.last = node.previous
        else:
            node.next.previous = node.previous
        node.parent = node.previous = node.next = None


@lru_cache(maxsize=512)
def _tag(name: str) -> str:
    """A tag's name in lower case; one that no element has is no text of ours either."""
    return name.lower() if _TAG.fullmatch(name) else "unknown"


def _declared(value: object) -> str:
    """A changed style property: its value, or ``[value, priority]``; false where it was removed."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) else ""


def _long(text: object) -> int:
    """What a text counts for in ``Mirror.chars``."""
    return len(text) if isinstance(text, str) and len(text) > SHORT_CHARS else 0


def walk(node: Node) -> Iterator[Node]:
    """``node`` and all below it in document order, without recursion, at most ``MAX_CHILDREN_WALK`` nodes."""
    stack = [node]
    for _ in range(MAX_CHILDREN_WALK):
        if not stack:
            return
        current = stack.pop()
        if current.next is not None and current is not node:
            stack.append(current.next)
        yield current
        if current.first is not None:
            stack.append(current.first)


def _declarations(style: object) -> Iterator[tuple[str, str]]:
    if isinstance(style, str):
        for part in style.split(";"):
            name, colon, value = part.partition(":")
            if colon:
                yield name.strip(), value.strip()
