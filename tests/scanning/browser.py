"""A pretend browser: HTML in, the rrweb events of a recorder out. For tests of evidence on sites nobody has seen."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

VOID = {"input", "br", "img", "hr", "meta", "link"}
START = 1_800_000_000_000


class _Parser(HTMLParser):
    def __init__(self, ids: Iterator[int]) -> None:
        super().__init__()
        self.ids = ids
        self.top: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []

    def _add(self, node: dict[str, Any]) -> dict[str, Any]:
        (self.open[-1]["childNodes"] if self.open else self.top).append(node)
        return node

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        node = {"type": 2, "tagName": tag, "attributes": attributes, "childNodes": [], "id": next(self.ids)}
        self._add(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1]["tagName"] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            style = bool(self.open) and self.open[-1]["tagName"] == "style"
            self._add({"type": 3, "textContent": data, "id": next(self.ids), **({"isStyle": True} if style else {})})


class Browser:
    """Time is in seconds from the start. Elements are named by their id attribute."""

    def __init__(self, window: str = "w1", *, console: bool = True, network: bool = True) -> None:
        self.window = window
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.now = 0.0
        self.by_id: dict[str, int] = {}
        self.parents: dict[int, int] = {}
        self.next_id = 1
        plugins = ["rrweb/console@1"] * console + ["rrweb/network@1"] * network
        self.emit(5, {"tag": "$session_options", "payload": {"activePlugins": plugins}})

    def _ids(self) -> Iterator[int]:
        while True:
            self.next_id += 1
            yield self.next_id

    def _index(self, node: dict[str, Any], parent: int) -> None:
        self.parents[node["id"]] = parent
        name = node.get("attributes", {}).get("id")
        if name:
            self.by_id[name] = node["id"]
        for child in node.get("childNodes", []):
            self._index(child, node["id"])

    def _parse(self, html: str) -> list[dict[str, Any]]:
        parser = _Parser(self._ids())
        parser.feed(html)
        parser.close()
        return parser.top

    def emit(self, kind: int, data: dict[str, Any], at: float | None = None) -> None:
        stamp = START + round((self.now if at is None else at) * 1000)
        self.events.append((self.window, {"type": kind, "data": data, "timestamp": stamp}))

    def wait(self, seconds: float, *, moving: bool = False) -> "Browser":
        end = self.now + seconds
        while moving and self.now + 0.5 < end:
            self.now += 0.5
            self.emit(3, {"source": 1, "positions": []})
        self.now = end
        return self

    def load(self, url: str, body: str, title: str = "Page", head: str = "") -> "Browser":
        """A page load: load events, Meta and a full snapshot."""
        for kind in (0, 1):
            self.emit(kind, {})
        self.emit(4, {"href": url, "width": 1280, "height": 800})
        self.next_id, self.by_id = 1, {}
        html = f"<html><head><title>{title}</title>{head}</head><body>{body}</body></html>"
        tree = {"type": 0, "childNodes": self._parse(html), "id": 1}
        self._index(tree, 0)
        self.emit(2, {"node": tree, "initialOffset": {"top": 0, "left": 0}})
        return self

    def go(self, url: str) -> "Browser":
        """In-page navigation as the recorder notes it."""
        self.emit(5, {"tag": "$pageview", "payload": {"href": url}})
        return self

    def fill(self, name: str, html: str) -> "Browser":
        """Replace what is inside an element."""
        parent = self.by_id[name]
        gone = [{"parentId": parent, "id": child} for child, above in self.parents.items() if above == parent]
        for entry in gone:
            self.parents.pop(entry["id"])
        adds: list[dict[str, Any]] = []
        for node in self._parse(html):
            self._index(node, parent)
            adds += self._flat(node, parent)
        self.emit(3, {"source": 0, "texts": [], "attributes": [], "removes": gone, "adds": adds})
        return self

    def _flat(self, node: dict[str, Any], parent: int) -> list[dict[str, Any]]:
        children = node.get("childNodes", [])
        bare = {**node, "childNodes": []} if "childNodes" in node else node
        found = [{"parentId": parent, "nextId": None, "node": bare}]
        for child in children:
            found += self._flat(child, node["id"])
        return found

    def attribute(self, name: str, **changes: str | None) -> "Browser":
        entry = {"id": self.by_id[name], "attributes": changes}
        self.emit(3, {"source": 0, "texts": [], "attributes": [entry], "removes": [], "adds": []})
        return self

    def click(self, name: str, times: int = 1, every: float = 0.25) -> "Browser":
        node = self.by_id[name]
        for n in range(times):
            if n:
                self.now += every
            self.emit(3, {"source": 2, "type": 5, "id": node})
            self.emit(3, {"source": 2, "type": 2, "id": node, "x": 40 + node, "y": 300, "pointerType": 0})
        self.now += 0.01
        return self

    def type(self, name: str, text: str, every: float = 0.08) -> "Browser":
        """Click into a field and type, masked as the recorder masks."""
        self.click(name)
        for size in range(1, len(text) + 1):
            self.now += every
            self.emit(3, {"source": 5, "text": "*" * size, "isChecked": False, "id": self.by_id[name]})
        return self

    def enter(self, button: str) -> "Browser":
        self.emit(3, {"source": 2, "type": 2, "id": self.by_id[button], "x": 0, "y": 0})
        return self

    def scripted(self, name: str, text: str) -> "Browser":
        self.emit(3, {"source": 5, "text": "*" * len(text), "isChecked": False, "id": self.by_id[name]})
        return self

    def request(self, method: str, url: str, status: int | None, took: float = 0.1) -> "Browser":
        """A call that began now; the event comes when it ended, while the clock of the test stays."""
        entry: dict[str, Any] = {
            "name": url,
            "entryType": "resource",
            "initiatorType": "fetch",
            "method": method,
            "duration": took * 1000,
            "responseStatus": status or 0,
            "timestamp": START + round(self.now * 1000),
        }
        if status is not None:
            entry["status"] = status
        self.emit(6, {"plugin": "rrweb/network@1", "payload": {"requests": [entry]}}, at=self.now + took)
        return self

    def console(self, level: str, text: str) -> "Browser":
        payload = {"level": level, "trace": [], "payload": [f'"{text}"']}
        self.emit(6, {"plugin": "rrweb/console@1", "payload": payload})
        return self

    def leave(self, seconds: float = 4) -> list[tuple[str, dict[str, Any]]]:
        self.wait(seconds)
        self.emit(3, {"source": 1, "positions": []})
        return self.events
