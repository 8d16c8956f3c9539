"""Which page text an answer may repeat: none that could speak to, or act on, whoever reads the answer."""

import re
from typing import Final

from consumers.scanning.evidence.vocabulary import instructs

NAME_CHARS: Final = 48
NAME_WORDS: Final = 8
"""A name of a page or a control is short; a longer text is one that somebody wrote to be read."""

_ACTS: Final = re.compile(
    r"\(\s*t\s*-?\d|\]\s?[(\[]|\]:|!\[|://|\bwww\.|<[a-z/!?@#]|@(?:channel|everyone|here)\b|\b(?:javascript|data):|\{\s*[\"']|^=",
    re.IGNORECASE,
)
"""What looks like a citation of ours, a link, an image, a tag, a ping, an answer or a formula."""
_CODE: Final = re.compile(r"[\w-]*(?:\d[A-Z]+\d|[A-Z]\d+[A-Z])[\w-]*")
"""A voucher, an order number, a mark: letters and digits by turns, unlike the code of an error. It names one person's
thing, and tells an operator nothing."""


def repeatable(text: str) -> bool:
    """Whether a text of the page may stand in an answer."""
    return not instructs(text) and not _ACTS.search(text)


def without_codes(text: str) -> str:
    """A text with an ellipsis for each such code."""
    return _CODE.sub("…", text)


def as_name(text: str) -> str:
    """A page's or a control's name as an answer may give it; "" for none."""
    fits = len(text) <= NAME_CHARS and len(text.split()) <= NAME_WORDS
    return text if fits and repeatable(text) and not _CODE.search(text) else ""
