"""Text as a reader sees it: without the characters that only a machine reads (anchors D.4, architecture 10).

Tag characters, variation selectors, zero-width, bidirectional and other invisible characters can hold words that no
person sees; compatibility forms can hide a word from a comparison. Every text that enters the evidence or a prompt, and
every free text of an answer before it is stored, passes through here.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_GONE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Control, format (zero-width, bidirectional, tags), surrogate, private use, unassigned."""

_FILLERS: Final = (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)
_BLANK: Final = frozenset({*_FILLERS, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)})
"""Fillers and variation selectors: marks and letters by category, which show as nothing."""

_UNSEEN: Final = re.compile(f"[{''.join(map(chr, sorted(_BLANK)))}]")

_MARK: Final = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_FLOOD: Final = re.compile(f"({_MARK}{{4}}){_MARK}+")
"""No language puts more than four such marks on a letter; more of them paint over the lines above and below."""

_BREAKS: Final = str.maketrans({"\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n", "\t": " "})


def plain_text(text: str) -> str:
    """``text`` in NFKC without invisible and control characters; line breaks become newlines and stay.

    Of combining marks on one letter the first four stay. Applying it again changes nothing.
    """
    broken = text.replace("\r\n", "\n").replace("\r", "\n").translate(_BREAKS)
    return broken if _ascii_as_seen(broken) else _normal(broken)


def one_line(text: str) -> str:
    """``plain_text`` with every run of white space as one space, none at the ends."""
    return " ".join((text if _ascii_as_seen(text) else plain_text(text)).split())


def _ascii_as_seen(text: str) -> bool:
    return text.isascii() and (text.isprintable() or text.replace("\n", " ").isprintable())


def _normal(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    if not normal.replace("\n", " ").isprintable() or _UNSEEN.search(normal):
        # Again after the removal: what stood on both sides of a removed character may now combine.
        normal = unicodedata.normalize("NFKC", "".join(filter(_seen, normal)))
    return _FLOOD.sub(r"\1", normal)


@lru_cache(maxsize=4096)
def _seen(character: str) -> bool:
    if character == "\n":
        return True
    return unicodedata.category(character) not in _GONE and ord(character) not in _BLANK
