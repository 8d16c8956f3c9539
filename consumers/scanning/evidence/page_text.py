"""What a page says as a whole: its title, headings, messages, and the beginning of its main text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from consumers.scanning.evidence.masking import clean, cut, mask_beside
from consumers.scanning.evidence.mirror import Mirror, Node, Room
from consumers.scanning.evidence.reading import BLOCK_CHARS, MAX_BLOCKS, Block, blocks_of, under, visible

CHROME: Final = frozenset({"nav", "header", "footer", "aside"})
MAIN_CHARS: Final = 400
"""Of the main part: a paragraph. Ours."""
_BETWEEN: Final = " | "


@dataclass(frozen=True, slots=True)
class PageText:
    """What a page says: title, headings, messages (error, alert, status blocks) and the beginning of the main text."""

    title: str = ""
    headings: tuple[str, ...] = ()
    messages: tuple[Block, ...] = ()
    blocks: tuple[Block, ...] = ()
    main: str = ""

    def without(self, pieces: Mapping[int, str]) -> "PageText":
        """The same with other texts for the blocks of these nodes."""
        old = {b.text: pieces[b.node] for b in (*self.messages, *self.blocks) if b.node in pieces}
        if not old:
            return self
        return PageText(
            title=self.title,
            headings=tuple(old.get(text, text) for text in self.headings),
            messages=tuple(b._replace(text=old.get(b.text, b.text)) for b in self.messages),
            blocks=tuple(b._replace(text=old.get(b.text, b.text)) for b in self.blocks),
            main=_BETWEEN.join(old.get(text, text) for text in self.main.split(_BETWEEN)),
        )


def read_page(mirror: Mirror, room: Room | None = None) -> PageText:
    """Title, headings, messages and main text of the whole page; navigation, header and footer are left out.

    Nothing when there is no room for reading any more.
    """
    if mirror.root is None or not (room is None or room.take(len(mirror.nodes))):
        return PageText()
    title, body, main = "", None, None
    known: dict[Node, bool] = {}
    for node in mirror.landmarks():
        if node.tag == "title" and not title:
            title = clean(" ".join(child.text for child in node.children()), BLOCK_CHARS)
        elif node.tag == "body" and body is None:
            body = node
        elif main is None and (node.tag == "main" or node.attribute("role") == "main") and visible(node, known):
            main = node
            if title and body is not None:
                break
    top = body or mirror.root
    # Messages are looked for in the whole body: toasts and banners stand outside of the main part.
    everything = blocks_of(top, MAX_BLOCKS * 3)
    if main is None:
        inside = [b for b in everything if not _in_chrome(mirror, b.node)]
    elif len(everything) < MAX_BLOCKS * 3:
        within: dict[Node, bool] = {}
        inside = [b for b in everything if under(mirror.nodes[b.node], lambda above: above is main, within)]
    else:
        inside = blocks_of(main)
    return PageText(
        title=title,
        headings=tuple(dict.fromkeys(b.text for b in inside if b.place == "heading"))[:4],
        messages=tuple(b for b in everything if b.place in ("error", "alert", "status", "notice"))[:8],
        blocks=tuple(inside[:MAX_BLOCKS]),
        main=_main(inside),
    )


def _main(blocks: list[Block]) -> str:
    """Texts of the main part; where one between two of them is left out, they stand beside each other only here."""
    texts: list[str] = []
    left_out = meet = False
    for block in blocks:
        if block.place not in ("text", "cell", "notice"):
            left_out = True
            continue
        meet |= left_out and bool(texts) and _meet(texts[-1], block.text)
        texts.append(block.text)
        left_out = False
    return cut(_BETWEEN.join(filter(None, mask_beside(texts) if meet else texts)), MAIN_CHARS)


def _meet(one: str, other: str) -> bool:
    """Whether a number or an address may go on from one text to the other."""
    return one[-1] == "@" or other[0] in "@.+(" or (one[-1] in "0123456789-)" and other[0] in "0123456789-")


def _in_chrome(mirror: Mirror, node_id: int) -> bool:
    node = mirror.node(node_id)
    return node is not None and any(above.tag in CHROME for above in node.ancestors())
