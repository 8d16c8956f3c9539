"""A line that stands for an answer of any type."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from domain.plain_text import one_line
from domain.scanner_types.citations import uncited
from domain.scanner_types.summarizer import TITLE_MAX_CHARS

_END: Final = re.compile(r'"|[.!?](?=\s)')


def title(output: Mapping[str, object]) -> str:
    """A summary's own title, else the first sentence of the reasoning without its moments.

    Shortened to as many characters as a title may have; empty where the text was erased.
    """
    told = output.get("title") or next(sentences(uncited(str(output.get("reasoning") or ""))), "")
    line = one_line(str(told)).replace('\\"', '"')
    return line if len(line) <= TITLE_MAX_CHARS else f"{line[: TITLE_MAX_CHARS - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def sentences(prose: str) -> Iterator[str]:
    """Cut at ends of sentences, but for those within quotation marks."""
    start, quoted = 0, False
    for match in _END.finditer(prose):
        if match.group() == '"':
            quoted = not quoted
        elif not quoted:
            yield prose[start : match.end()].strip()
            start = match.end()
    rest = prose[start:].strip()
    if rest:
        yield rest
