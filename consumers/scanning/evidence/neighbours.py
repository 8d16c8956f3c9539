"""What stands beside an element on its page: what is said of one element alone may be a piece of what goes on there."""

import re
from collections.abc import Callable
from typing import Final

from consumers.scanning.evidence.masking import clean, mask_beside
from consumers.scanning.evidence.mirror import TEXT, Node
from consumers.scanning.evidence.reading import BLOCK_CHARS, owner_of, unread

NEAR: Final = 8
"""Texts looked at on either side: the longest account number has nine groups (ISO 13616)."""
STEPS: Final = 80
"""Nodes gone through on either side, so that every click and every new text may ask. Ours."""
DEEP: Final = 120
"""Levels of a page, more than sites have: below them nothing is looked at, as a step may climb them all. Ours."""
_PIECE: Final = re.compile(r"\d|@|^[.+_-]|[+_-]$|\bat[\])}>]")
_GOES_ON: Final = re.compile(r"\s*[@.+_\uff20\[({<-]")
"""What a piece of something holds, and how the rest of an address begins after a text without any of it."""
_AMOUNT: Final = re.compile(r"\D*\d{1,3}(?:[.,:]\d{2,3})+\D*")
"""A price or a time, which is no piece of a number."""
CHARS: Final = 200
"""Of each of them, what lies towards the element: where something would go on."""


def masked_beside(node: Node, text: str, *, inside: bool) -> dict[int, str]:
    """Texts that hold a piece of personal data which goes on in another one, masked, by the id of their element.

    ``text`` is what ``node`` says. ``inside``: other elements in it may go on as well, its own text being only what no
    block in it holds; otherwise it is all that is in it.
    """
    if node.depth > DEEP:
        return {}
    ahead = (node.first or _beyond(node)) if inside else _beyond(node)
    if (not _PIECE.search(text) or _AMOUNT.fullmatch(text)) and not (
        _GOES_ON.match(_nearest(node, ahead, _next))
        or _nearest(node, _previous(node), _previous).rstrip().endswith("@")
    ):
        return {}
    before = [(one, said[-CHARS:]) for one, said in _runs(node, _previous(node), _previous)]
    after = [(one, said[:CHARS]) for one, said in _runs(node, ahead, _next)]
    beside = [*reversed(before), (node, text), *after]
    told = [said for _, said in beside]
    masked = mask_beside(told, each=True)
    return {one.id: clean(new, BLOCK_CHARS) for (one, said), new in zip(beside, masked, strict=True) if new != said}


def _nearest(node: Node, at: Node | None, step: Callable[[Node], Node | None]) -> str:
    """The text nearest to the element, from ``at`` on."""
    for _ in range(STEPS):
        if at is None:
            break
        if at.type == TEXT and at.text and not at.text.isspace() and owner_of(at.parent or at) is not node:
            return at.text
        at = step(at)
    return ""


def _runs(node: Node, at: Node | None, step: Callable[[Node], Node | None]) -> list[tuple[Node, str]]:
    """Elements other than ``node`` with what each says, from ``at`` on, the nearest first."""
    runs: list[tuple[Node, str]] = []
    for _ in range(STEPS):
        if at is None:
            break
        owner = owner_of(at.parent or at) if at.type == TEXT and at.text and not at.text.isspace() else node
        if owner is not node:
            if runs and runs[-1][0] is owner:
                parts = (runs[-1][1], at.text) if step is _next else (at.text, runs[-1][1])
                runs[-1] = (owner, " ".join(parts))
            elif len(runs) == NEAR:
                break
            else:
                runs.append((owner, at.text))
        at = step(at)
    return runs


def _next(node: Node) -> Node | None:
    """The node after it on the page, in it or beyond."""
    return node.first if _opens(node) else _beyond(node)


def _beyond(node: Node) -> Node | None:
    """The node after all that is in it, within the same body."""
    above: Node | None = node
    while above is not None and above.next is None:
        above = above.parent if above.tag != "body" else None
    return above.next if above is not None else None


def _previous(node: Node) -> Node | None:
    """The nearest node before it that has nothing in it to read."""
    above: Node | None = node
    while above is not None and above.previous is None:
        above = above.parent if above.tag != "body" else None
    found = above.previous if above is not None else None
    while found is not None and _opens(found):
        found = found.last
    return found


def _opens(node: Node) -> bool:
    return node.first is not None and node.depth < DEEP and not unread(node)
