"""Reading a mirrored page: what is visible, what it says, and where it says it."""

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from consumers.scanning.evidence.masking import MASKED, clean, looks_like_name, mask_beside
from consumers.scanning.evidence.mirror import ELEMENT, TEXT, Node, Room

UNSEEN: Final = frozenset({"script", "style", "template", "noscript", "head", "meta", "link", "svg", "canvas"})
_LIVE: Final = frozenset({"role", "aria-live"})
_UNREAD: Final = UNSEEN | {"select"}
INLINE: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
    ]
)
CELLS: Final = frozenset({"td", "th", "tr", "li", "dd", "dt"})
"""Where lists and tables hold their data: what stands there is content, not a message."""
HEADINGS: Final = frozenset({"h1", "h2", "h3"})
FIELDS: Final = frozenset({"input", "textarea", "select"})

PLACE_LEVELS: Final = 5
BLOCK_CHARS: Final = 160
MAX_BLOCKS: Final = 80
"""How far above a text its place is looked for, and what is told of a page: a sentence or two of each text, about as
many texts as stand on a screen or two. Ours."""
MAX_HIDING_CHARS: Final = 10_000
"""Of an attribute that may hide its element: each change of one reads it twice."""

MAX_NAME_CHARS: Final = 2_000
"""Of class, id and data-testid together: what is read of them to find out what an element is for."""

_NAMED_BY: Final = ("class", "id", "data-testid")
_HIDDEN_CLASSES: Final = frozenset({"hidden", "hide", "d-none", "is-hidden", "invisible", "sr-only", "visually-hidden"})
_HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:!|;|$))", re.IGNORECASE
)
_TOKENS = re.compile(r"[A-Za-z][a-z]*")
_ERRORISH = re.compile(r"^(?:\w*err|\w*error|errors|errmsg|invalid|danger|fail|failed|failure|bad|negative|critical)$")
_ALERTISH = frozenset({"alert", "warning", "warn", "flash", "notice", "message", "msg", "feedback", "hint", "banner"})
LAYERS: Final = frozenset({"modal", "dialog", "drawer", "popup", "popover", "lightbox", "overlay", "sheet"})
_STATUSISH = frozenset({"toast", "snackbar", "notification", "status", "success", "confirmation"})


class Block(NamedTuple):
    """A visible run of text.

    ``place`` is heading, error, alert, status, notice, control, cell or text; ``node`` its element's id.
    """

    text: str
    place: str
    node: int


def hidden(node: Node) -> bool:
    """Whether the element itself hides what is below it, as far as attributes tell; style sheets are not applied."""
    above = node.parent
    if above is not None and above.tag == "details" and node.tag != "summary" and "open" not in above.attributes:
        return True  # not kept: it is the attribute of another element
    if node.hides is None:
        node.hides = node.tag == "dialog" and "open" not in node.attributes
        if node.attributes and not node.hides:
            node.hides = _hidden_by(node, node.attributes)
    return node.hides


def _hidden_by(node: Node, attributes: dict[str, Any]) -> bool:
    if "hidden" in attributes and attributes["hidden"] is not False:
        return True
    if node.attribute("aria-hidden") == "true" or (node.tag == "input" and node.attribute("type") == "hidden"):
        return True
    classes = attributes.get("class")
    if isinstance(classes, str) and not _HIDDEN_CLASSES.isdisjoint(classes[:MAX_HIDING_CHARS].split()):
        return True
    style = attributes.get("style")
    return isinstance(style, str) and bool(_HIDING.search(style, 0, MAX_HIDING_CHARS))


def editable(node: Node) -> bool:
    """Whether a person writes into the element's own text."""
    return node.attributes.get("contenteditable") in ("", "true", "plaintext-only")


def encloses(node: Node) -> bool:
    """Whether an element that a person sees shows what no recording holds: a canvas, or a frame of another site."""
    sized = not any(node.attribute(side) in ("0", "1") for side in ("width", "height"))
    return sized and (node.tag == "canvas" or node.first is None) and not under(node, _hides_frame)


def _hides_frame(node: Node) -> bool:
    return node.tag != "canvas" and _hides(node)


def visible(node: Node, known: dict[Node, bool] | None = None) -> bool:
    """Whether neither the node nor anything above it hides it; ``known`` as for ``under``."""
    return not under(node, _hides, known)


def under(node: Node, holds: Callable[[Node], bool], known: dict[Node, bool] | None = None) -> bool:
    """Whether something holds for the node or anything above it.

    ``known`` is what the same question found before, while the page stays as it is: with it, asking for many nodes
    looks at each node once, however deep they lie.
    """
    if known is None:
        return any(holds(above) for above in node.ancestors())
    below: list[Node] = []
    found = False
    for above in node.ancestors():
        if above in known:
            found = known[above]
            break
        below.append(above)
    for each in reversed(below):
        found = found or holds(each)
        known[each] = found
    return found


def _hides(node: Node) -> bool:
    return node.tag in UNSEEN or hidden(node)


def tokens(node: Node) -> tuple[str, ...]:
    """Lower-case words of the element's class, id and data-testid."""
    if node.words is None:
        attributes = node.attributes
        raw = " ".join(node.attribute(name) for name in _NAMED_BY if name in attributes) if attributes else ""
        node.words = _words(raw[:MAX_NAME_CHARS]) if raw else ()
    return node.words


@lru_cache(maxsize=2_048)
def _words(raw: str) -> tuple[str, ...]:
    """Elements of a page, and pages of a site, share their classes."""
    return tuple(word.lower() for word in _TOKENS.findall(raw))


def errorish(word: str) -> bool:
    """A class that marks something as wrong."""
    return any(_ERRORISH.match(part.lower()) for part in _TOKENS.findall(word))


def place_of(node: Node) -> str:
    """Where a text stands: its element and up to four above it decide, the nearest first."""
    cell = False
    for above in islice(node.ancestors(), PLACE_LEVELS):
        place = above.place
        if place is None:
            place = above.place = _own_place(above) if above.type == ELEMENT else ""
        if place:
            return place
        cell |= above.tag in CELLS
    return "cell" if cell else "text"


def _own_place(node: Node) -> str:
    role, live, words = node.attribute("role"), node.attribute("aria-live"), tokens(node)
    if node.tag in HEADINGS or role == "heading":
        return "heading"
    if node.tag in ("button", "option", "select") or role == "button":
        return "control"
    named = _place_named(words) if words else ""
    if named != "error" and (role in ("alert", "alertdialog") or live == "assertive"):
        return "alert"
    return "status" if named != "error" and (role == "status" or live == "polite") else named


@lru_cache(maxsize=2_048)
def _place_named(words: tuple[str, ...]) -> str:
    """The place that the words of an element's class and ids name."""
    if any(map(_ERRORISH.match, words)):
        return "error"
    if not _STATUSISH.isdisjoint(words):
        return "status"
    return "" if _ALERTISH.isdisjoint(words) else "notice"


def text_of(node: Node, limit: int = BLOCK_CHARS, room: Room | None = None) -> str:
    """The visible text below ``node`` as one run, as far as there is room for reading."""
    pieces: list[Node] = []
    size = 0
    for piece in _visible_texts(node, room):
        pieces.append(piece)
        size += len(piece.text)
        if size > limit * 4:
            break
    if len(pieces) > 1 and any("@" in piece.text for piece in pieces):
        runs = groupby(pieces, lambda piece: owner_of(piece.parent or piece, node))
        return clean(" ".join(_run_of([piece.text for piece in run], limit * 4) for _, run in runs), limit)
    return _run_of([piece.text for piece in pieces], limit)


def blocks_of(
    node: Node,
    limit: int = MAX_BLOCKS,
    room: Room | None = None,
    gone: Collection[str] = (),
    again: Collection[str] = (),
) -> list[Block]:
    """Visible text below ``node``, one block per block-level element, in document order, as far as there is room.

    Blocks that say nothing but what is in ``gone`` are left out, unless they stand at one of the places ``again``.
    """
    found: list[Block] = []
    runs = _runs(node, limit, room)
    whole = [" ".join(parts) for _, parts in runs]
    beside = mask_beside(whole)
    for (owner, parts), read, masked in zip(runs, whole, beside, strict=True):
        pieces = parts if masked == read else [masked]
        text = clean(pieces[0], BLOCK_CHARS) if len(pieces) == 1 else _run_of(pieces, BLOCK_CHARS)
        place = place_of(owner)
        if text and not (gone and place not in again and all(part in gone for part in parts)):
            found.append(Block(text, place, owner.id))
    return without_names(found)


def run_of(node: Node, room: Room | None = None) -> str:
    """The visible text of ``node`` itself and of inline elements in it, without the blocks and controls in it."""
    parts: list[str] = []
    stack = [node]
    while stack and (room is None or room.take(1)):
        inner = stack.pop()
        if inner.type == TEXT:
            if inner.text and not inner.text.isspace():
                parts.append(inner.text)
        elif inner is node or (inner.tag in INLINE and not _LIVE & inner.attributes.keys() and not hidden(inner)):
            child = inner.last
            while child is not None:
                stack.append(child)
                child = child.previous
    return _run_of(parts, BLOCK_CHARS)


def _run_of(parts: list[str], limit: int) -> str:
    """Texts of one run with a space between them, as elements are mostly set apart by their style.

    Where an address is masked in them, they stand as closely as on the page: one whose middle is marked, as the hit of
    a search is, would not be known for one.
    """
    if len(parts) > 1 and any("@" in part for part in parts) and "[email]" in (close := clean("".join(parts), limit)):
        return close
    return clean(" ".join(parts), limit)


def _runs(top: Node, limit: int, room: Room | None) -> list[tuple[Node, list[str]]]:
    """Visible texts below ``top`` by the element they belong to (``owner_of``), in the order of their first one."""
    grouped: dict[int, tuple[Node, list[str]]] = {}
    stack = [(top, owner_of(top.parent or top, top) if top.type == TEXT else top)]
    while stack and (room is None or room.take(1)):
        node, owner = stack.pop()
        if node.type == TEXT:
            if not node.text or node.text.isspace():
                continue
            if owner.id in grouped:
                grouped[owner.id][1].append(node.text)
            else:
                grouped[owner.id] = (owner, [node.text])
                if len(grouped) > limit:
                    break
            continue
        if node.type == ELEMENT and (node.tag in _UNREAD or (hidden(node) if node.hides is None else node.hides)):
            continue
        inline = node.tag in INLINE and node is not top
        if not inline or "role" in node.attributes or "aria-live" in node.attributes:
            owner = node
        child = node.last
        while child is not None:
            stack.append((child, owner))
            child = child.previous
    return list(grouped.values())[:limit]


def without_names(blocks: list[Block]) -> list[Block]:
    """Mask a block that is only a person's name when it stands beside masked personal data."""
    if not any("[" in block.text and MASKED.search(block.text) for block in blocks):
        return blocks
    kept: list[Block] = []
    for at, block in enumerate(blocks):
        beside = blocks[max(0, at - 2) : at] + blocks[at + 1 : at + 3]
        private = (
            block.place != "control"
            and looks_like_name(block.text)
            and any("[" in b.text and MASKED.search(b.text) for b in beside)
        )
        kept.append(Block("[name]", block.place, block.node) if private else block)
    return kept


def owner_of(node: Node, top: Node | None = None) -> Node:
    """The element a run of text belongs to: inline elements belong to their parent unless they are a live region."""
    while node.tag in INLINE and node.parent is not None and node is not top:
        if "role" in node.attributes or "aria-live" in node.attributes:
            break
        node = node.parent
    return node


def _visible_texts(top: Node, room: Room | None) -> Iterator[Node]:
    stack = [top]
    while stack and (room is None or room.take(1)):
        node = stack.pop()
        if node.next is not None and node is not top:
            stack.append(node.next)
        if node.type == TEXT:
            if node.text and not node.text.isspace():
                yield node
            continue
        if not unread(node) and node.first is not None:
            stack.append(node.first)


def unread(node: Node) -> bool:
    """Whether what is in an element is no text of the page, by what the element itself is."""
    return node.type == ELEMENT and (node.tag in _UNREAD or (hidden(node) if node.hides is None else node.hides))
