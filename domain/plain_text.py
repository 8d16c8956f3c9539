"""Text as a reader sees it: without the characters that only a machine reads (anchors D.4, architecture 10).

Tag characters, variation selectors, zero-width, bidirectional and other invisible characters can hold words that no
person sees; compatibility forms can hide a word from a comparison. Every text that goes into a prompt, and every free
text of an answer before it is stored, passes through here.
"""

import unicodedata
from functools import lru_cache
from typing import Final

_GONE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Control, format (zero-width, bidirectional, tags), surrogate, private use, unassigned."""

_FILLERS: Final = (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)
_BLANK: Final = frozenset({*_FILLERS, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)})
"""Fillers and variation selectors: marks and letters by category, which show as nothing."""

_BREAKS: Final = str.maketrans({"\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n", "\t": " "})


def plain_text(text: str) -> str:
    """``text`` in NFKC without invisible and control characters; line breaks become newlines and stay.

    Applying it again changes nothing.
    """
    broken = text.replace("\r\n", "\n").replace("\r", "\n").translate(_BREAKS)
    if broken.isascii():
        return "".join(filter(_seen, broken)) if not broken.replace("\n", " ").isprintable() else broken
    # Again after the removal: what stood on both sides of a removed character may now combine.
    seen = "".join(filter(_seen, unicodedata.normalize("NFKC", broken)))
    return unicodedata.normalize("NFKC", seen)


def one_line(text: str) -> str:
    """``plain_text`` with every run of white space as one space, none at the ends."""
    return " ".join(plain_text(text).split())


@lru_cache(maxsize=4096)
def _seen(character: str) -> bool:
    if character == "\n":
        return True
    return unicodedata.category(character) not in _GONE and ord(character) not in _BLANK
