"""Markdown, taken apart into blocks of which none can do harm. `markdown.safe` writes them again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Final
from urllib.parse import quote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from consumers.actions.report.inline import Block, Span
from domain.plain_text import plain_text

HEADING: Final = 1
LOWEST: Final = 4
"""Levels of headings; higher and lower ones become these."""
MAX_DEPTH: Final = 3
"""Of list items below others."""
MAX_NUMBER: Final = 99
"""Of a numbered item: what stands below a longer number would have to stand further in."""

TAG: Final = re.compile(r"<(?=[A-Za-z/!?@#])")
"""As in `domain.scanner_types.defang`: HTML, an auto-link, a mention of a chat program."""
_BARE: Final = re.compile(
    r"""
      [A-Za-z][A-Za-z0-9+.-]{1,20}+://[^\s`]++                       # any scheme
    | (?<![\w@.-])www\.[^\s`]++
    | \b(?:mailto|javascript|data|tel|vbscript):[^\s`]++
    | (?<![\w@.-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[^\W\d_]{2,24}[/:][^\s`]++   # a host with a path or a port
    | (?<![\w.+%-])[\w.+%-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}
    | @(?:channel|everyone|here|all)(?![^\W_])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_AFTER: Final = ".,;:!?)'\"]}*_~<>\u2019\u201d"
"""What ends a sentence after an address rather than the address."""
_UNSAFE: Final = re.compile(r"[\\\s`<>\x00-\x1f\x7f]")
_PLAIN_HOST: Final = re.compile(r"[0-9a-z.:-]+")
"""What programs agree on: of `%2f` or a full-width stop in a name each makes another."""
_CITATION: Final = re.compile(r"obs \d{1,6}")
_BLANKS: Final = re.compile(r"\s+")


def parsed(text: str, hosts: Collection[str], highest: int = HEADING) -> list[Block]:
    """The blocks of a Markdown text; those without anything to read are left out, headings above `highest` lowered."""
    return [block for block in _Reader(hosts, highest).blocks(_parser().parse(text)) if block.text.strip()]


def plain(text: str) -> tuple[Span, ...]:
    """Text without any Markdown in it, with bare addresses as code."""
    return _tidy([Span(text)])


def ours(address: str, hosts: Collection[str]) -> str:
    """The address as it may stand in a link, or nothing: http or https, to one of the hosts or below, no user."""
    if _UNSAFE.search(address):
        return ""
    try:
        parts = urlsplit(address)
        host, user, _ = parts.hostname or "", "@" in parts.netloc, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or user or not _PLAIN_HOST.fullmatch(host):
        return ""
    mine = any(host == one.lower() or host.endswith(f".{one.lower()}") for one in hosts)
    return quote(address, safe=":/?#@!$&+,;=%~-._") if mine else ""


@cache
def _parser() -> MarkdownIt:
    """CommonMark and tables, without HTML and without references, which lead away from what one reads."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    parser.enable("table").disable(["reference", "html_block", "html_inline"])
    # Every address is read as one, and judged afterwards.
    parser.validateLink = _any  # pyright: ignore[reportAttributeAccessIssue] - it names its argument
    parser.normalizeLink = parser.normalizeLinkText = _as_it_is  # pyright: ignore[reportAttributeAccessIssue]
    return parser


def _any(_: str) -> bool:
    return True


def _as_it_is(address: str) -> str:
    return address


class _Reader:
    """Of one text."""

    def __init__(self, hosts: Collection[str], highest: int) -> None:
        self._hosts = hosts
        self._highest = highest
        self._markers: list[str] = []
        self._quoted = 0
        self._level = 0
        self._row: list[Span] | None = None

    def blocks(self, tokens: list[Token]) -> Iterator[Block]:
        for token in tokens:
            self._open_or_close(token)
            if token.type == "inline" and self._row is None:
                yield self._block(_tidy(self._spans(token)))
            elif token.type == "inline" and self._row is not None:
                self._row += [Span(" · ")] * bool(self._row) + self._spans(token)
            elif token.type == "tr_close":
                yield Block("item", _tidy(self._row or []), 0, "-")
                self._row = None
            elif token.type in ("fence", "code_block"):
                yield Block("code", (Span(_inert(token.content.strip("\n"))),))

    def _open_or_close(self, token: Token) -> None:
        if token.type == "list_item_open":
            number = token.info if token.markup in (".", ")") else ""
            self._markers.append(f"{number}." if number.isdigit() and int(number) <= MAX_NUMBER else "-")
        elif token.type == "list_item_close":
            self._markers.pop()
        elif token.type in ("blockquote_open", "blockquote_close"):
            self._quoted += token.nesting
        elif token.type == "heading_open":
            self._level = min(max(self._highest, int(token.tag[1:])), LOWEST)
        elif token.type == "heading_close":
            self._level = 0
        elif token.type == "tr_open":
            self._row = []

    def _block(self, spans: tuple[Span, ...]) -> Block:
        if self._markers:
            return Block("item", spans, min(len(self._markers) - 1, MAX_DEPTH), self._markers[-1])
        if self._quoted:
            return Block("quote", spans)
        return Block("heading", spans, self._level) if self._level else Block("paragraph", spans)

    def _spans(self, token: Token) -> list[Span]:
        found: list[Span] = []
        style = Span("")
        auto = linked = False
        for child in token.children or ():
            if child.type in ("strong_open", "strong_close"):
                style = replace(style, strong=child.nesting > 0)
            elif child.type in ("em_open", "em_close"):
                style = replace(style, emphasis=child.nesting > 0)
            elif child.type == "link_open":
                auto, linked = child.info == "auto", True
                style = replace(style, link="" if auto else ours(str(child.attrs.get("href", "")), self._hosts))
            elif child.type == "link_close":
                style, auto = replace(style, link=""), False
                linked = False
            else:
                found += self._read(child, style, auto=auto, linked=linked)
        return found

    def _read(self, child: Token, style: Span, *, auto: bool, linked: bool) -> list[Span]:
        if child.type in ("softbreak", "hardbreak"):
            return [replace(style, text=" ")]
        if child.type == "code_inline" or auto:
            return [Span(_inert(child.content), code=True)]
        if linked and not style.link and _CITATION.fullmatch(child.content):
            return [replace(style, text=f"[{child.content}]")]
        return [replace(style, text=child.content)]


def _inert(text: str) -> str:
    return TAG.sub("\u2039", plain_text(text))


def _bare(text: str, style: Span) -> Iterator[Span]:
    """The text with bare addresses as code."""
    place = 0
    for match in _BARE.finditer(text):
        address = match.group().rstrip(_AFTER)
        yield replace(style, text=text[place : match.start()])
        yield Span(address, code=True)
        place = match.start() + len(address)
    yield replace(style, text=text[place:])


def _tidy(spans: list[Span]) -> tuple[Span, ...]:
    """Spans of one style as one, bare addresses as code, blanks as one, none at the ends or at the ends of code."""
    # Joined before tags and addresses are looked for: half of one may have been the label of a link.
    coded = [part for span in _joined(spans) for part in ([span] if span.code else _bare(_inert(span.text), span))]
    parts = [replace(span, text=span.text.strip()) if span.code else span for span in coded]
    found = [span for span in _joined(parts) if span.text]
    while found and not found[0].code and not found[0].text.lstrip():
        found.pop(0)
    while found and not found[-1].code and not found[-1].text.rstrip():
        found.pop()
    if found and not found[0].code:
        found[0] = replace(found[0], text=found[0].text.lstrip())
    if found and not found[-1].code:
        found[-1] = replace(found[-1], text=found[-1].text.rstrip())
    return tuple(found)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of one style as one; a blank between codes, whose marks would run into each other."""
    found: list[Span] = []
    texts: list[str] = []
    for span in spans:
        if not span.text:
            continue
        if found and not span.code and replace(found[-1], text="") == replace(span, text=""):
            texts[-1] += span.text
            continue
        if found and span.code and found[-1].code:
            found.append(Span(" "))
            texts.append(" ")
        found.append(span)
        texts.append(span.text)
    return [replace(span, text=_BLANKS.sub(" ", text)) for span, text in zip(found, texts, strict=True)]
