"""How texts that stand beside each other are masked as one: a mark between them, which no text holds."""

import re
from typing import Final

BETWEEN: Final = "\x1f"
"""Between two texts that are read as one. A control character, and those are gone from all plain text."""
HYPHENS: Final = "\u2010\u2012\u2013-"
"""Hyphen (also the unbreakable one, in NFKC), figure dash, en dash, and the one of keyboards, which must stand last."""
_GOES_ON: Final = "\x1e"
_PIECE: Final = re.compile(rf"{_GOES_ON}\[[a-z]+\]")


def joined(texts: list[str]) -> str:
    """The texts, which must be plain ones, as one."""
    return BETWEEN.join(texts)


def as_pieces(placeholder: str, found: str) -> str:
    """What stands for ``found``: the placeholder, and a mark in each further text that a piece of it is in."""
    return placeholder + (BETWEEN + _GOES_ON + placeholder) * found.count(BETWEEN)


def parted(text: str, *, each: bool) -> list[str]:
    """The texts again. ``each``: the placeholder shows in every text that held a piece, not only in the first."""
    return (text.replace(_GOES_ON, "") if each else _PIECE.sub("", text)).split(BETWEEN)
