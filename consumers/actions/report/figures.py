"""Figures of a window: how many observations, and what they say, counted. Figures are pure and can be added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ScannerFigures:
    """Of the observations of one scanner. `scores` are in no order."""

    count: int = 0
    verdicts: Mapping[str, int] = field(default_factory=Counter[str])
    tags: Mapping[str, int] = field(default_factory=Counter[str])
    scores: tuple[float, ...] = ()
    outcomes: Mapping[str, int] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a window, by scanner's name (empty: the one the action is bound to)."""

    count: int = 0
    scanners: Mapping[str, ScannerFigures] = field(default_factory=dict[str, ScannerFigures])


def figures(outputs: Iterable[tuple[str, Mapping[str, Any]]]) -> Figures:
    """Counted from `(scanner's name, model_output)` of succeeded observations, free text joined or not.

    Freeform tags are free text: without it only those of the vocabulary are counted.
    """
    by_scanner: dict[str, list[Mapping[str, Any]]] = {}
    for scanner, output in outputs:
        by_scanner.setdefault(scanner, []).append(output)
    return Figures(
        count=sum(map(len, by_scanner.values())),
        scanners={scanner: _counted(found) for scanner, found in by_scanner.items()},
    )


def _counted(outputs: list[Mapping[str, Any]]) -> ScannerFigures:
    return ScannerFigures(
        count=len(outputs),
        verdicts=Counter(str(one["verdict"]) for one in outputs if one.get("verdict")),
        tags=Counter(tag for one in outputs for tag in {*one.get("tags", ()), *one.get("tags_freeform", ())}),
        scores=tuple(float(one["score"]) for one in outputs if _number(one.get("score"))),
        outcomes=Counter(str(one["outcome"]) for one in outputs if one.get("outcome")),
    )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
