"""A report as Slack's blocks, within the vendor's limits and without cutting a link (engine 7.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from consumers.actions.report.rendering import BULLETS, to_mrkdwn
from consumers.delivery.port import Message
from consumers.delivery.wording import hosts_of, title_of, url_of
from domain.plain_text import one_line

MOST_BLOCKS = 49
"""The vendor takes 50; engine 7.5 keeps one free."""
SECTION_LENGTH = 3_000
MOST_LENGTH = 38_000
"""Characters of a whole report; what is over is left to the link (engine 7.5)."""
HEADER_LENGTH = 150
SUMMARY_LENGTH = 3_000

_ITEM = re.compile(rf"\s*(?:[{''.join(BULLETS)}]|\d{{1,9}}[.)]) ")
_FENCE = "```"
_UNIT = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|[^\s<&]+|\s|[<&]")
"""What is never cut: a link, an escaped sign. A word is cut only when it is longer than a section."""


def escaped(text: str) -> str:
    """A plain text as Slack shows it: its three signs escaped, so that none begins a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def summary_of(message: Message) -> str:
    """The text of notifications, and of readers that show no blocks."""
    return next(cut(escaped(title_of(message)), SUMMARY_LENGTH))


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """Header, the report in sections, and the link to the run."""
    url = url_of(message)
    sections, whole = packed(to_mrkdwn(message.markdown, hosts_of(message)))
    found: list[dict[str, Any]] = [{"type": "header", "text": _plain(message)}]
    found += [_section(text) for text in sections]
    if url is not None:
        label = "Open the report" if whole else "The report goes on"
        found.append({"type": "context", "elements": [_mrkdwn(f"<{escaped(url)}|{label}>")]})
    return found


def packed(paragraphs: Sequence[str]) -> tuple[list[str], bool]:
    """Texts of at most SECTION_LENGTH that a report fits into, and whether all of it does.

    `paragraphs` are mrkdwn in which every `<` begins a link. They share a section while there is room; one that is too
    long is cut at a line break, then at a space.
    """
    sections: list[str] = []
    left = MOST_LENGTH
    for paragraph in paragraphs:
        for part in _parts(paragraph.strip("\n")):
            left -= len(part)
            joined = _joined(sections[-1], part) if sections else part
            if left < 0:
                return sections, False
            if sections and len(joined) <= SECTION_LENGTH:
                sections[-1] = joined
            elif len(sections) < MOST_BLOCKS - 2:
                sections.append(part)
            else:
                return sections, False
    return sections, True


def _parts(paragraph: str) -> Iterator[str]:
    """A paragraph in parts that fit into a section; code that is cut is code in each of them."""
    if len(paragraph) <= SECTION_LENGTH or not (paragraph.startswith(_FENCE) and paragraph.endswith(_FENCE)):
        return cut(paragraph, SECTION_LENGTH)
    inside = paragraph[len(_FENCE) : -len(_FENCE)].strip("\n")
    return (f"{_FENCE}\n{part}\n{_FENCE}" for part in cut(inside, SECTION_LENGTH - 2 * len(f"{_FENCE}\n")))


def _joined(above: str, part: str) -> str:
    """Items of a list stand below each other, everything else has an empty line before it."""
    items = _ITEM.match(part) and _ITEM.match(above.rpartition("\n")[2])
    return f"{above}\n{part}" if items else f"{above}\n\n{part}"


def cut(text: str, limit: int) -> Iterator[str]:
    """Parts of at most `limit` characters, cut at line breaks where that is possible; none is blank.

    Linear in the text, whatever is in it.
    """
    part = ""
    for line in text.split("\n"):
        if len(part) + 1 + len(line) <= limit:
            part = f"{part}\n{line}" if part else line
            continue
        if part.strip():
            yield part
        *full, part = _cut_line(line, limit) if len(line) > limit else (line,)
        yield from full
    if part.strip():
        yield part


def _cut_line(line: str, limit: int) -> list[str]:
    parts: list[list[str]] = [[]]
    length = 0
    for found in _UNIT.finditer(line):
        for unit in _units(found[0], limit):
            if length + len(unit) > limit:
                parts.append([])
                length = 0
            parts[-1].append(unit)
            length += len(unit)
    return ["".join(part) for part in parts]


def _units(unit: str, limit: int) -> Iterator[str]:
    """A link that is too long for any section loses its address, which nobody could follow."""
    if len(unit) > limit and unit.startswith("<"):
        unit = unit[1:-1].partition("|")[2]
    yield from (unit[start : start + limit] for start in range(0, len(unit), limit))


def _plain(message: Message) -> dict[str, Any]:
    return {"type": "plain_text", "text": one_line(title_of(message))[:HEADER_LENGTH], "emoji": False}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """`verbatim`: bare addresses, `@names` and `#channels` stay text."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}
