"""The page as the browser had it: one mirror per window, replaced at each full snapshot (capture 3, 4)."""

from collections.abc import Iterator
from typing import Any, Final

MAX_NODES: Final = 50_000
"""Nodes kept per window, as Mixpanel's analyser caps its tracker (capture 6). Nodes beyond it are not mirrored."""
MAX_CHILDREN_WALK: Final = 200_000
MAX_TEXT_CHARS: Final = 4_000

ELEMENT: Final = 2
TEXT: Final = 3
_TYPES: Final = (0, 1, 2, 3, 4, 5)


class Node:
    """A mirrored node. Children are a linked list, so that inserting before a sibling does not walk."""

    __slots__ = ("attributes", "first", "id", "last", "next", "parent", "previous", "tag", "text", "type")

    def __init__(self, node_id: int, node_type: int, tag: str, attributes: dict[str, Any], text: str) -> None:
        self.id = node_id
        self.type = node_type
        self.tag = tag
        self.attributes = attributes
        self.text = text
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
    """A window's page. Every method takes data of unknown shape and ignores what it cannot read."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.root: Node | None = None
        self.truncated = False

    def replace(self, snapshot: object) -> None:
        """Start again from the node tree of a full snapshot."""
        self.nodes = {}
        self.root = self._grow(snapshot)

    def node(self, node_id: object) -> Node | None:
        return self.nodes.get(node_id) if isinstance(node_id, int) else None

    def add(self, entries: list[Any]) -> list[Node]:
        """Apply the flattened ``adds`` of a mutation; returns the roots, nodes whose parent is not new itself.

        An entry may name a parent or a next sibling that comes later in the list, so entries that cannot be placed
        wait until a pass places none.
        """
        waiting = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("node"), dict)]
        fresh: set[int] = set()
        roots: list[Node] = []
        while waiting:
            later: list[Any] = []
            for entry in waiting:
                parent, before = self.node(entry.get("parentId")), entry.get("nextId")
                sibling = self.node(before)
                if parent is None or (isinstance(before, int) and sibling is None):
                    later.append(entry)
                    continue
                node = self._grow(entry["node"])
                if node is None:
                    continue
                self._place(node, parent, sibling)
                fresh.add(node.id)
                if parent.id not in fresh:
                    roots.append(node)
            if len(later) == len(waiting):
                return roots + self._append_rest(later)
            waiting = later
        return roots

    def remove(self, node_id: object) -> Node | None:
        """Take a node and all below it out of the page; returns it, still readable."""
        node = self.node(node_id)
        if node is None:
            return None
        self._detach(node)
        for below in walk(node):
            self.nodes.pop(below.id, None)
        return node

    def set_text(self, node_id: object, value: object) -> Node | None:
        node = self.node(node_id)
        if node is not None and isinstance(value, str):
            node.text = value[:MAX_TEXT_CHARS]
            return node
        return None

    def set_attributes(self, node_id: object, changes: object) -> Node | None:
        """Apply changed attributes: None removes one; ``style`` may come as an object of changed properties."""
        node = self.node(node_id)
        if node is None or not isinstance(changes, dict):
            return None
        for name, value in changes.items():
            if value is None:
                node.attributes.pop(name, None)
            elif isinstance(value, dict):
                kept = dict(_declarations(node.attributes.get(name, "")))
                for key, declared in value.items():
                    declared = declared[0] if isinstance(declared, list) and declared else declared
                    kept[str(key)] = declared if isinstance(declared, str) else ""
                node.attributes[name] = ";".join(f"{key}:{declared}" for key, declared in kept.items())
            else:
                node.attributes[name] = value
        return node

    def _append_rest(self, entries: list[Any]) -> list[Node]:
        """Entries whose next sibling never came go to the end of their parent; those without a parent are lost."""
        roots: list[Node] = []
        for entry in entries:
            parent = self.node(entry.get("parentId"))
            node = self._grow(entry["node"]) if parent is not None else None
            if node is not None and parent is not None:
                self._place(node, parent, None)
                roots.append(node)
        return roots

    def _grow(self, snapshot: object) -> Node | None:
        """Mirror a serialised node and its children without recursion; pages nest deeper than Python does."""
        top = self._make(snapshot)
        if top is None:
            return None
        stack: list[tuple[Node, Any]] = [(top, snapshot)]
        while stack:
            parent, data = stack.pop()
            children = data.get("childNodes")
            if not isinstance(children, list):
                continue
            for child_data in children:
                child = self._make(child_data)
                if child is not None:
                    self._place(child, parent, None)
                    if child.type != TEXT:
                        stack.append((child, child_data))
        return top

    def _make(self, data: object) -> Node | None:
        if not isinstance(data, dict):
            return None
        node_id, node_type = data.get("id"), data.get("type")
        if not isinstance(node_id, int) or isinstance(node_id, bool) or node_type not in _TYPES:
            return None
        if node_id in self.nodes:
            self.remove(node_id)
        elif len(self.nodes) >= MAX_NODES:
            self.truncated = True
            return None
        attributes, tag, text = data.get("attributes"), data.get("tagName"), data.get("textContent")
        node = Node(
            node_id,
            node_type,
            tag.lower() if isinstance(tag, str) else "",
            dict(attributes) if isinstance(attributes, dict) else {},
            text
            if isinstance(text, str) and data.get("isStyle")
            else text[:MAX_TEXT_CHARS]
            if isinstance(text, str)
            else "",
        )
        self.nodes[node_id] = node
        return node

    def _place(self, node: Node, parent: Node, before: Node | None) -> None:
        if any(above is node for above in parent.ancestors()):
            return
        self._detach(node)
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


def walk(node: Node) -> Iterator[Node]:
    """``node`` and all below it in document order, without recursion, at most ``MAX_CHILDREN_WALK`` nodes."""
    stack = [node]
    for _ in range(MAX_CHILDREN_WALK):
        if not stack:
            return
        current = stack.pop()
        yield current
        child = current.last
        while child is not None:
            stack.append(child)
            child = child.previous


def _declarations(style: object) -> Iterator[tuple[str, str]]:
    if isinstance(style, str):
        for part in style.split(";"):
            name, colon, value = part.partition(":")
            if colon:
                yield name.strip(), value.strip()
