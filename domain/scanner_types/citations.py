"""Citations of moments in an answer's prose: ``(t 12)``, ``(t 12, 34)``, ``(t 12, t 34)`` (engine 4.4).

Spans such as ``(t 12-15)`` and ``(t 12 to 15)``, which models write although nobody asks them to, cite both ends.
"""

import re
from typing import Final, Literal, TypedDict

TOLERANCE_S: Final = 1
"""A citation may lie this far beyond the recording: its end is rounded to seconds (engine 4.4)."""

# Possessive throughout: answers may repeat what a page says, and no text may keep the engine busy with its spaces.
_TIME = r"\d{1,7}+(?:\.\d{1,3})?+\s*+s?+"
_AND = r"\s*+(?:,(?:\s*+and\b)?+|;|[-\u2013\u2014]|to\b|and\b)\s*+(?:t\s*+)?+"
_CITATION = re.compile(rf"\s?\(\s*+t\s*+{_TIME}(?:{_AND}{_TIME})*+\s*+\)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MEANT = re.compile(r"\(\s*+t\s*+(?:[-+=:~]\s*+)?+\d[^()]{0,80}+\)", re.IGNORECASE)
"""What can only be meant as a citation, readable or not: ``(t 12)``, ``(t=12)``, ``(t -3)``, ``(t 1:05)``."""


class TextSegment(TypedDict):
    kind: Literal["text"]
    value: str


class ChipSegment(TypedDict):
    kind: Literal["chip"]
    timestamp_ms: int


Segment = TextSegment | ChipSegment


def cited_seconds(prose: str) -> list[float]:
    """Every second cited in ``prose``, in reading order."""
    return [float(n) for match in _CITATION.finditer(prose) for n in _NUMBER.findall(match.group())]


def unreadable(prose: str) -> int:
    """How many citations are not in the form that is asked for, so that nobody knows which second they mean."""
    return sum(_CITATION.fullmatch(match.group()) is None for match in _MEANT.finditer(prose))


def outside(prose: str, duration_ms: int) -> list[float]:
    """The cited seconds that lie more than one second beyond a recording of ``duration_ms``."""
    return [second for second in cited_seconds(prose) if not _inside(second, duration_ms)]


def cut(prose: str, duration_ms: int) -> tuple[str, list[Segment]]:
    """Cut ``prose`` at its citations.

    Returns the prose with its citations in the one form ``(t 12, 34)``, and the same prose as text and chip
    segments with offsets in ms (contract 4.2). Times beyond the recording are left out of both.
    """
    plain: list[str] = []
    segments: list[Segment] = []
    position = 0

    def text(value: str) -> None:
        plain.append(value)
        if value and segments and segments[-1]["kind"] == "text":
            segments[-1]["value"] += value
        elif value:
            segments.append({"kind": "text", "value": value})

    for match in _CITATION.finditer(prose):
        text(prose[position : match.start()])
        position = match.end()
        seconds = [s for s in map(float, _NUMBER.findall(match.group())) if _inside(s, duration_ms)]
        if seconds:
            plain.append((" " if match.group()[0].isspace() else "") + citation(*seconds))
            segments.extend(
                {"kind": "chip", "timestamp_ms": min(round(second * 1000), duration_ms)} for second in seconds
            )
    text(prose[position:])
    return "".join(plain), segments


def uncited(prose: str) -> str:
    """The prose without its citations."""
    return _CITATION.sub("", prose)


def citation(*seconds: float) -> str:
    """``(t 12)`` or ``(t 12, 34)``."""
    return f"(t {', '.join(f'{second:g}' for second in seconds)})"


def _inside(second: float, duration_ms: int) -> bool:
    return second * 1000 <= duration_ms + TOLERANCE_S * 1000
