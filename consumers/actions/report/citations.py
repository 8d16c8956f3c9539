"""Citations of observations: `[obs 3]`, by the numbers of a run (engine 7.4, trap 76)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MOST_ADJACENT: Final = 6
"""Citations after one another (engine 7.4): more of them are noise."""

_CITED: Final = re.compile(r"\[obs (\d{1,6})\]")


def citing(indexes: Sequence[int]) -> str:
    """The citations, the first six of them; how many more there are stands behind."""
    told = " ".join(f"[obs {index}]" for index in indexes[:MOST_ADJACENT])
    more = len(indexes) - MOST_ADJACENT
    return f"{told} and {more} more" if more > 0 else told


def cited(markdown: str) -> tuple[int, ...]:
    """The indexes that a text cites, in the order of their first citation."""
    return tuple(dict.fromkeys(int(number) for number in _CITED.findall(markdown)))
