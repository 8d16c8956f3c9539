"""Safe Markdown for those who do not read Markdown: HTML and plain text for mail, mrkdwn for Slack (engine 7.5)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from html import escape
from itertools import groupby
from typing import Final

from consumers.actions.report.inline import Block, Span
from consumers.actions.report.markdown import blocks

BULLETS: Final = ("\N{BULLET}", "\N{WHITE BULLET}", "\N{BLACK SMALL SQUARE}", "\N{WHITE SMALL SQUARE}")
"""Of list items, by depth."""

_INDENT: Final = "    "
_STYLES: Final = re.compile(r"[*_~`]")


def to_html(text: str, hosts: Collection[str] = ()) -> str:
    """A fragment of HTML without attributes but the addresses of its links, which lead to `hosts` only."""
    parts: list[str] = []
    for items, group in groupby(blocks(text, hosts), key=lambda block: block.kind == "item"):
        found = list(group)
        parts += _html_list(found) if items else map(_html_block, found)
    return "\n".join(parts)


def to_text(text: str, hosts: Collection[str] = ()) -> str:
    """Plain text, a line for each list item, an empty line between everything else. Links show their address."""
    lines: list[str] = []
    before = None
    for block in blocks(text, hosts):
        if lines and not before == block.kind == "item":
            lines.append("")
        inner = "".join(f"{span.text} ({span.link})" if span.link else span.text for span in block.spans)
        lines += _told(block, inner)
        before = block.kind
    return "\n".join(lines)


def to_mrkdwn(text: str, hosts: Collection[str] = ()) -> list[str]:
    """One string of Slack's mrkdwn for each block: to be joined by line breaks, and cut between two of them only.

    `&`, `<` and `>` are escaped before the links are put in. A list item or a paragraph is never longer than its
    source and its escapes.
    """
    return [_mrkdwn(block) for block in blocks(text, hosts)]


def _told(block: Block, inner: str) -> Iterator[str]:
    if block.kind == "item":
        yield f"{_INDENT * block.depth}{block.marker} {inner}"
    elif block.kind == "heading":
        yield inner
        yield "-" * min(len(inner), 72)
    elif block.kind in ("quote", "code"):
        yield from (f"{'> ' if block.kind == 'quote' else _INDENT}{line}" for line in inner.split("\n"))
    else:
        yield inner


def _html_block(block: Block) -> str:
    inner = "".join(map(_html_span, block.spans))
    if block.kind == "code":
        return f"<pre>{escape(block.text)}</pre>"
    tag = {"heading": f"h{block.depth}", "quote": "blockquote"}.get(block.kind, "p")
    return f"<{tag}>{inner}</{tag}>"


def _html_list(items: list[Block]) -> list[str]:
    """Nested by depth. Numbers are text, as they may be any."""
    lines: list[str] = []
    depth = -1
    for item in items:
        below = min(item.depth, depth + 1)
        lines += ["<ul>"] if below > depth else ["</li>"] + ["</ul></li>"] * (depth - below)
        number = "" if item.marker == "-" else f"{item.marker} "
        lines.append(f"<li>{number}{''.join(map(_html_span, item.spans))}")
        depth = below
    return [*lines, "</li></ul>" * (depth + 1)]


def _html_span(span: Span) -> str:
    inner = escape(span.text)
    if span.code:
        return f"<code>{inner}</code>"
    inner = f"<em>{inner}</em>" if span.emphasis else inner
    inner = f"<strong>{inner}</strong>" if span.strong else inner
    return f'<a href="{escape(span.link)}">{inner}</a>' if span.link else inner


def _mrkdwn(block: Block) -> str:
    if block.kind == "code":
        return f"```\n{_slack(block.text.replace('`', chr(39)))}\n```"
    if block.kind == "heading":
        # Bold as a whole. Code stays code, since it may be what must not ring.
        bare = (replace(span, strong=False, emphasis=False) for span in block.spans)
        return f"*{''.join(map(_mrkdwn_span, bare)).replace('*', '')}*"
    inner = "".join(map(_mrkdwn_span, block.spans))
    if block.kind == "quote":
        return f"> {inner}"
    if block.kind == "item":
        marker = BULLETS[block.depth] if block.marker == "-" else block.marker
        return f"{_INDENT * block.depth}{marker} {inner}"
    return inner


def _mrkdwn_span(span: Span) -> str:
    # A backtick of the text would open code, or close ours.
    inner = _slack(span.text.replace("`", "'"))
    if span.code:
        return f"`{inner}`"
    if span.link:
        return f"<{_slack(span.link)}|{_plain(inner.replace('|', '/'))}>"
    # Slack reads a mark only between a blank and a letter.
    if (span.strong or span.emphasis) and span.text == span.text.strip():
        mark = "*" * span.strong + "_" * span.emphasis
        return f"{mark}{_plain(inner)}{mark[::-1]}"
    return inner


def _plain(text: str) -> str:
    return _STYLES.sub("", text)


def _slack(text: str) -> str:
    """The three signs that Slack reads as its own, as its documentation asks for."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
