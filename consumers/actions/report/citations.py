"""Citations of observations: `[obs 3]`, by the numbers of a run (engine 7.4, trap 76)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from consumers.actions.report.claims import negative

MOST_ADJACENT: Final = 6
"""Citations after one another (engine 7.4): more of them are noise."""

MOST_IN_A_RANGE: Final = 50
"""Numbers that `[obs 3-9]` may stand for: a wider one cites nothing in particular."""

_CITED: Final = re.compile(r"\[obs (\d{1,6})\]")
_ONE: Final = r"(?:obs(?:ervation)?s?\.?[\s#]*+)?+\d{1,6}+"
_WRITTEN: Final = re.compile(
    rf"[\[(]\s*+obs(?:ervation)?s?\.?[\s#]*+\d{{1,6}}+(?:\s*+(?:,|;|&|-|\u2013|\band\b|\bto\b)\s*+{_ONE})*+\s*+[\])]",
    re.IGNORECASE,
)
"""What models write for a citation: `[obs 3]`, `[obs 3, 5]`, `[Obs 3, obs 5]`, `(observations 3-5)`."""
_RUN: Final = re.compile(rf"\s*+{_WRITTEN.pattern}(?:[\s,;]*+{_WRITTEN.pattern})*+", re.IGNORECASE)
_TARGET: Final = re.compile(rf"({_WRITTEN.pattern})\([^()\s]*+\)", re.IGNORECASE)
_RANGE: Final = re.compile(r"(\d{1,6})(?:\s*(?:-|\u2013|\bto\b)[\sobservation.#]*(\d{1,6}))?", re.IGNORECASE)
_WORD: Final = re.compile(r"obs(?:ervation)?s?\.?", re.IGNORECASE)
_NEAR: Final = 600
"""Characters before and after a citation among which its sentence is looked for."""
_ENDS: Final = re.compile(r"[.!?](?=\s)")


def citing(indexes: Sequence[int]) -> str:
    """The citations, the first six of them; how many more there are stands behind."""
    told = _told(indexes)
    more = len(indexes) - MOST_ADJACENT
    return f"{told} and {more} more" if more > 0 else told


def cited(markdown: str) -> tuple[int, ...]:
    """The indexes that a text cites, in the order of their first citation."""
    return tuple(dict.fromkeys(int(number) for number in _CITED.findall(markdown)))


def unmarked(text: str) -> str:
    """Text of an observation without what a reader would take for a citation."""
    return _WRITTEN.sub(lambda written: f"({_WORD.sub('no.', written[0][1:-1])})", text)


def checked(text: str, known: Collection[int], clean: Collection[int] = ()) -> str:
    """A model's text with its citations in the one form, those among them that hold.

    Removed are those of numbers that are not `known`, repetitions and what exceeds six after one another, and those of
    `clean` observations, in which by their own words nothing went wrong, in sentences that tell of trouble.
    """
    return "\n".join(_line(line, known, clean) for line in text.split("\n"))


def _line(line: str, known: Collection[int], clean: Collection[int]) -> str:
    line = _TARGET.sub(r"\1", line)
    told: list[str] = []
    place = 0
    for run in _RUN.finditer(line):
        between = line[place : run.start()]
        indexes = [index for index in dict.fromkeys(_numbers(run[0])) if index in known]
        if clean and negative(_sentence(between[-_NEAR:], line[run.end() : run.end() + _NEAR])):
            indexes = [index for index in indexes if index not in clean]
        told.append(between)
        if indexes:
            blank = " " if between and not between[-1].isspace() else ""
            told.append(f"{blank}{_told(indexes)}")
        place = run.end()
    return "".join([*told, line[place:]])


def _sentence(before: str, after: str) -> str:
    """The sentence in which a citation stands: it ends there when a full stop stands before the citation."""
    head = _ENDS.split(before.rstrip(" .!?"))[-1]
    if before.rstrip().endswith((".", "!", "?")):
        return head
    end = _ENDS.search(after)
    return head + " " + _WRITTEN.sub("", after[: end.start()] if end else after)


def _numbers(run: str) -> list[int]:
    found: list[int] = []
    for first, last in _RANGE.findall(run):
        low, high = int(first), int(last or first)
        found += range(low, high + 1) if low <= high < low + MOST_IN_A_RANGE else [low, high]
    return found


def _told(indexes: Sequence[int]) -> str:
    return " ".join(f"[obs {index}]" for index in indexes[:MOST_ADJACENT])
