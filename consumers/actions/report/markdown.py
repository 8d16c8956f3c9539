"""Markdown that nobody is harmed by: what a model or a recorded page wrote, taken apart and written anew (engine 7.5).

The text is parsed (markdown-it-py) into a short list of blocks, and only those are written again, so that nothing comes
through that is not among them. Images become their alt text; a link stays only when it leads to a host of ours, of
others the label stays; bare addresses, auto-links, mail addresses and words that ring at everybody's (`@channel`)
become code spans; HTML and the mentions of chat programs (`<!channel>`) lose the sign that opens them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from consumers.actions.report.inline import Block, Span
from consumers.actions.report.parsing import HEADING, TAG, parsed, plain
from domain.plain_text import one_line, plain_text

MAX_CHARS: Final = 60_000
"""Of a text that is parsed. Reports have some thousand; the parser takes a second for as many hostile ones."""
MAX_BLOCKS: Final = 1_000
"""Paragraphs, headings and list items that are kept. Reports have some fifty."""

_SPECIAL: Final = re.compile(r"[\\`*~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w{1,32};)|\[(?!obs \d{1,6}\])|(?<=\])[(:\[]")
"""What Markdown would read as a mark, also after a citation, whose brackets stay as they are."""
_OPENING: Final = re.compile(r"^(?:[-+=>#|:]|\d{1,9}(?=[.)]))")
"""What makes something other than a paragraph of a line that begins with it."""
_NUMBER: Final = re.compile(r"\d{1,9}")


def safe(text: str, hosts: Collection[str] = (), highest: int = HEADING) -> str:
    """The same text as Markdown without anything that fetches, leads astray or rings.

    `hosts` (and what is below them) are those to which links may lead; headings above the level `highest` become such
    of that level, for a text that stands below a heading of ours. A text longer than MAX_CHARS is cut off there, and
    one of more than MAX_BLOCKS. Applying it again changes nothing. Takes time in proportion to the text, whatever is in
    it.
    """
    return written(blocks(text, hosts, highest))


def shortened(text: str, limit: int, hosts: Collection[str] = (), highest: int = HEADING) -> str:
    """`safe`, of at most `limit` characters: whole blocks of it, with three dots where the others were."""
    kept: list[Block] = []
    left = limit - len("\n\n...")
    for block in blocks(text, hosts, highest):
        left -= len(_line(block)) + 2
        if left < 0:
            return safe(f"{written(kept)}\n\n...", hosts)
        kept.append(block)
    return written(kept)


def blocks(text: str, hosts: Collection[str] = (), highest: int = HEADING) -> list[Block]:
    """The blocks of the safe form of a text, the first MAX_BLOCKS of them."""
    found = parsed(plain_text(text[:MAX_CHARS]), hosts, highest)[:MAX_BLOCKS]
    # Nearly always as a whole; one by one takes a parser's beginning for each.
    if parsed(written(found), hosts) == found:
        return found
    return [_stable(block, hosts) for block in found]


def escaped(text: str) -> str:
    """Plain text on one line, such as a name, so that it stands in Markdown as it is and is read as nothing else."""
    return _inner(plain(one_line(text).replace("[obs ", "(obs ")))


def coded(text: str) -> str:
    """Plain text on one line, such as an id, as code."""
    return _span(Span(TAG.sub("\u2039", one_line(text)), code=True))


def written(found: list[Block]) -> str:
    """The blocks as Markdown."""
    lines: list[str] = []
    before: Block | None = None
    for block in found:
        # One level below nothing would be code.
        below = before.depth + 1 if before and before.kind == "item" else 0
        here = replace(block, depth=min(block.depth, below)) if block.kind == "item" else block
        if before and not _goes_on(before, here):
            lines.append("")
        lines.append(_line(here))
        before = here
    return "\n".join(lines)


def _goes_on(before: Block, item: Block) -> bool:
    """Whether no empty line is needed between two list items: a number other than 1 does not begin a list otherwise."""
    if before.kind != "item" or item.kind != "item":
        return False
    return item.marker == "-" or (before.marker != "-" and item.depth <= before.depth)


def _line(block: Block) -> str:
    if block.kind == "code":
        inside = "".join(span.text for span in block.spans)
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", inside)), default=0))
        return f"{fence}\n{inside}\n{fence}"
    inner = _inner(block.spans)
    if block.kind == "heading":
        return f"{'#' * block.depth} {inner}"
    if block.kind == "quote":
        return f"> {inner}"
    if block.kind == "item":
        return f"{'    ' * block.depth}{block.marker} {inner}"
    return inner


def _inner(spans: tuple[Span, ...]) -> str:
    text = "".join(map(_span, spans))
    return _OPENING.sub(lambda m: f"{m[0]}\\" if _NUMBER.fullmatch(m[0]) else f"\\{m[0]}", text)


def _span(span: Span) -> str:
    if span.code:
        fence = "`" * (1 + max(map(len, re.findall("`+", span.text)), default=0))
        pad = " " if "`" in (span.text[:1], span.text[-1:]) else ""
        return f"{fence}{pad}{span.text}{pad}{fence}"
    text = _SPECIAL.sub(r"\\\g<0>", span.text)
    if span.link:
        text = f"[{text}]({span.link})"
    mark = "*" * (2 * span.strong + span.emphasis)
    return f"{mark}{text}{mark}"


def _stable(block: Block, hosts: Collection[str]) -> Block:
    """The block, less elaborate if it would not be read again as it is written."""
    unstyled = tuple(replace(span, strong=False, emphasis=False) for span in block.spans)
    for spans in (block.spans, unstyled, plain(block.text)):
        alone = replace(block, spans=spans, depth=0 if block.kind == "item" else block.depth)
        if parsed(written([alone]), hosts) == [alone]:
            return replace(block, spans=spans)
    return Block("code", (Span(block.text),))
