"""Text of strangers as plain text: what a reader sees, without characters that hide, reorder or break lines.

One function for every text that enters the evidence and for what a model is asked (architecture 10; anchors D.4: strip
tag, variation-selector and zero-width characters at every boundary).
"""

import re
import unicodedata
from typing import Final

_UNSEEN: Final = re.compile(
    "["
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # soft hyphen, joiners, fillers and blanks
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"  # zero-width, bidi, marks of order
    "\ufe00-\ufe0f\U000e0000-\U000e0fff"  # variation selectors and tags
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001345f"  # format controls of single scripts
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\U000f0000-\U0010ffff"  # lone surrogates, icon fonts, no characters
    "]+"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROL_IN_LINES: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]+")
_LINE_ENDS: Final = re.compile("\r\n|[\r\u0085\u2028\u2029]")
_MARKS: Final = re.compile(
    "([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
"""No language puts more than four marks on one letter; more of them paint over the lines around."""


def plain(text: str) -> str:
    """One line: NFKC, nothing unseen, white space and control characters as single spaces, none at the ends.

    Doing it again changes nothing.
    """
    seen = text if text.isascii() else _seen(text)
    if not seen.isprintable():
        seen = _CONTROL.sub(" ", seen)
    return " ".join(seen.split())


def plain_lines(text: str) -> str:
    """The same for a text of several lines: line ends stay, as line feeds, and so do spaces within lines."""
    lines = _LINE_ENDS.sub("\n", text)
    return _CONTROL_IN_LINES.sub(" ", lines if lines.isascii() else _seen(lines))


def _seen(text: str) -> str:
    """Unseen characters go first, so that what they kept apart is composed; NFKC never brings any."""
    return _MARKS.sub(r"\1", unicodedata.normalize("NFKC", _UNSEEN.sub("", text)))
