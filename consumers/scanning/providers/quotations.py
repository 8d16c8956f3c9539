"""What an answer puts in quotation marks must stand in the evidence (architecture 8).

A quotation is what stands between a pair of double quotation marks of any script, or between single ones that open
after a non-letter and close before one (so that an apostrophe is none), on one line, with at least one letter or digit.
Whole words must occur. An ellipsis inside stands for left-out text: the parts around it must occur in their order, in
one line of the evidence. Punctuation before the closing mark may be the writer's own. Compared are plain texts in lower
case, with one kind of quotation mark, dash, bracket and space. What the operator wrote (prompt, tags, label) may be
quoted too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

from consumers.scanning.evidence import Evidence
from domain.plain_text import one_line, plain_text

_FORMS: Final = (
    r'"([^"\n]*)"',
    "\u201c([^\u201c\u201d\n]*)[\u201c\u201d]",
    "\u201e([^\u201c\u201d\u201e\n]*)[\u201c\u201d]",
    "\u00ab([^\u00ab\u00bb\n]*)\u00bb",
    "\u00bb([^\u00ab\u00bb\n]*)\u00ab",
    "\u2039([^\u2039\u203a\n]*)\u203a",
    "\u203a([^\u2039\u203a\n]*)\u2039",
    "\u300c([^\u300c\u300d\n]*)\u300d",
    "\u300e([^\u300e\u300f\n]*)\u300f",
    "(?<![\\w'])[\u2018\u201a]([^\u2018\u2019\n]{2,})[\u2018\u2019](?!\\w)",
    r"(?<![\w'])'([^'\n]{2,})'(?![\w'])",
)
_QUOTED: Final = re.compile("|".join(_FORMS))
_ELLIPSIS: Final = re.compile(r"\(?\.{3,}\)?")
_ESCAPED: Final = re.compile(r"\\([\"'\\])")
_ONE_KIND: Final = str.maketrans(
    dict.fromkeys('"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033`\u00b4', "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | {"<": "'", ">": "'", "[": "(", "]": ")"}
)
_WRITERS_OWN: Final = " .,;:!?\\"
"""Around a part of a quotation; the backslash is of an escaped mark inside it."""


def quotations(text: str) -> list[str]:
    """Every quotation of an answer's text, in order of reading, as ``plain_text`` between its marks."""
    found = (next(filter(None, match.groups()), "") for match in _QUOTED.finditer(plain_text(text)))
    return [quoted for quoted in found if any(map(str.isalnum, quoted))]


class Sources:
    """What may be quoted: the evidence, and the operator's own words."""

    def __init__(self, config: Mapping[str, Any], evidence: Evidence) -> None:
        self._config = config
        self._evidence = evidence

    def missing(self, text: str) -> list[int]:
        """Which quotations of ``text`` stand nowhere, counted from 1."""
        return [place for place, quoted in enumerate(quotations(text), 1) if not self._hold(quoted)]

    def _hold(self, quoted: str) -> bool:
        parts = [part.strip(_WRITERS_OWN) for part in _ELLIPSIS.split(_comparable(quoted))]
        wanted = [part for part in parts if any(map(str.isalnum, part))]
        return any(_in_order(wanted, line) for line in self._lines)

    @cached_property
    def _lines(self) -> list[str]:
        evidence = self._evidence
        told = [*evidence.text.split("\n"), *(line.text for line in evidence.lines)]
        told += [text for signal in evidence.signals for text in (signal.text, signal.subject)]
        return [_comparable(text) for text in (*told, *_strings(self._config))]


def _strings(value: object) -> Iterator[str]:
    """Every text in a config, keys apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in cast(Mapping[str, object], value).values():
            yield from _strings(one)
    elif isinstance(value, Sequence):
        for one in cast(Sequence[object], value):
            yield from _strings(one)


def _comparable(text: str) -> str:
    return one_line(_ESCAPED.sub(r"\1", plain_text(text)).translate(_ONE_KIND).casefold())


def _in_order(parts: Sequence[str], line: str) -> bool:
    at = 0
    for part in parts:
        found = line.find(part, at)
        while found >= 0 and not _whole(line, found, found + len(part)):
            found = line.find(part, found + 1)
        if found < 0:
            return False
        at = found + len(part)
    return bool(parts)


def _whole(line: str, start: int, end: int) -> bool:
    """Whether no word is cut at either end; in scripts without upper case, which may have no spaces, all are whole."""
    before = start > 0 and _in_word(line[start - 1]) and _in_word(line[start])
    after = end < len(line) and _in_word(line[end - 1]) and _in_word(line[end])
    return not before and not after


def _in_word(character: str) -> bool:
    return character.isdigit() or character.upper() != character
