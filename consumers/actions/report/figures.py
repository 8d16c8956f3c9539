"""Figures of a window: how many observations, and what they say, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HEAD_CHARS: Final = 60
"""Of a friction point, told as one of several: as much as fits a line."""
_KIND_CHARS: Final = 40
"""A friction point that begins with a name of its kind and a colon is counted under that name."""

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScannerFigures:
    """Of the observations of one scanner. An observation counts once for each of its tags and kinds of friction."""

    count: int = 0
    verdicts: Counts = field(default_factory=Counter[str])
    tags: Counts = field(default_factory=Counter[str])
    scores: tuple[float, ...] = ()
    """In no order."""
    friction: Counts = field(default_factory=Counter[str])
    smooth: int = 0
    """Summaries that tell of no friction."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a window, by scanner's name (empty: the one the action is bound to)."""

    count: int = 0
    scanners: Mapping[str, ScannerFigures] = field(default_factory=dict[str, ScannerFigures])


def figures(outputs: Iterable[tuple[str, Mapping[str, Any]]]) -> Figures:
    """Counted from `(scanner's name, model_output)` of succeeded observations.

    Freeform tags and friction are free text: where it was erased, or is not joined, they are not counted.
    """
    by_scanner: dict[str, list[Mapping[str, Any]]] = {}
    for scanner, output in outputs:
        by_scanner.setdefault(scanner, []).append(output)
    return Figures(
        count=sum(map(len, by_scanner.values())),
        scanners={scanner: _counted(found) for scanner, found in by_scanner.items()},
    )


def tags_of(output: Mapping[str, Any]) -> set[str]:
    """Of both kinds."""
    return {*(output.get("tags") or ()), *(output.get("tags_freeform") or ())}


def friction_of(output: Mapping[str, Any]) -> set[str]:
    """The kinds of friction that a summary tells of, each in few words."""
    return {_head(point) for point in output.get("friction_points") or ()}


def score_of(output: Mapping[str, Any]) -> float | None:
    score = output.get("score")
    return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _counted(outputs: list[Mapping[str, Any]]) -> ScannerFigures:
    scores = map(score_of, outputs)
    return ScannerFigures(
        count=len(outputs),
        verdicts=Counter(str(one["verdict"]) for one in outputs if one.get("verdict")),
        tags=Counter(tag for one in outputs for tag in tags_of(one)),
        scores=tuple(score for score in scores if score is not None),
        friction=Counter(kind for one in outputs for kind in friction_of(one)),
        smooth=sum(one.get("friction_points") == [] for one in outputs),
    )


def _head(point: str) -> str:
    kind, colon, _ = point.partition(": ")
    if colon and len(kind) <= _KIND_CHARS:
        return kind
    return point if len(point) <= HEAD_CHARS else point[: HEAD_CHARS - 3].rstrip() + "..."
