"""Making an answer's free text inert: whoever shows it gets text, never a link, an image or a mark-up tag.

An answer may repeat what a recorded page says, and a page may be written to make a reader's program fetch an address
(anchors D.4). Nothing is left out: what looks like a link can still be read, as ``hxxps://shop[.]example/cart``.
"""

import re
from typing import Final

from domain.plain_text import one_line, plain_text

_TAG: Final = re.compile(r"<(?=[A-Za-z/!?@#])")
"""Opens an HTML tag, a comment, an auto-link, or a mention of a chat program (``<!channel>``)."""
_AUTHORITY: Final = r"[^\s:/?#\\\"'`<>()\[\]{}\u2039\u203a]*"
_HTTP: Final = re.compile(rf"http(s?)://({_AUTHORITY})", re.IGNORECASE)
_SCHEME: Final = re.compile(rf"(?<=[A-Za-z0-9+.-])(?<!hxxp)(?<!hxxps)://({_AUTHORITY})")
_SCRIPT: Final = re.compile(r"\b(javascript|vbscript|data|mailto|tel|file|blob):(?=[^\s:])", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?<=[\w+%-])@(?=[\w-]+\.[\w-])|@(?=(?:channel|everyone|here)\b)", re.IGNORECASE)
"""A mail address, or a mention that chat programs read in plain text and that rings at everybody's."""
_HOST: Final = re.compile(
    r"(?<![\w@-])(?:www\.[\w.-]+|[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.(?:xn--[\w-]{1,24}|[^\W\d_]{2,24})(?=[/?:\\]\S))",
    re.IGNORECASE,
)
"""A host that programs make a link of without a scheme: ``www.`` and whatever is followed by a path or a port."""
_DOT: Final = re.compile(r"(?<!\[)\.(?!\])")
_IMAGE: Final = re.compile(r"(?<!!)!++(?=\[)")
_TARGET: Final = re.compile(r"\](?=[(\[:])")
"""Between a Markdown label and its target, its reference or what it stands for: with a space there it is none."""
_BLANKS: Final = re.compile(r"[^\S\n]+")
_BREAKS: Final = re.compile(r" ?\n ?(?:\n ?)+")


def defang(text: str) -> str:
    """Free text of an answer, as it may be stored: ``plain_text`` with links, images, tags and addresses broken up.

    Paragraphs stay. Applying it again changes nothing. Takes time in proportion to the text, whatever is in it.
    """
    plain = _BREAKS.sub("\n\n", _BLANKS.sub(" ", plain_text(text))).strip()
    inert = _TAG.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", plain)
    inert = _HTTP.sub(lambda m: f"hxxp{m[1].lower()}://{_dots(m[2])}", inert)
    inert = _SCHEME.sub(lambda m: f"[:]//{_dots(m[1])}", inert)
    inert = _ADDRESS.sub("[@]", _SCRIPT.sub(r"\1[:]", inert))
    inert = _HOST.sub(lambda m: _dots(m[0]), inert)
    # Last, as the brackets above may themselves look like a label.
    return _TARGET.sub("] ", _IMAGE.sub("", inert))


def defang_line(text: str) -> str:
    """The same for what is one line: a title, a tag, a keyword."""
    return one_line(defang(text))


def _dots(host: str) -> str:
    return _DOT.sub("[.]", host)
