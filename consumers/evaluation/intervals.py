"""Statistics of the report: shares with Wilson intervals, bootstrap intervals over sessions, percentiles, agreement."""

import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

Z: Final = 1.959963984540054
"""Standard normal quantile of a two-sided interval of 95 %."""
RESAMPLES: Final = 1_000
SEED: Final = 20_260_101
"""Fixed, so that the same trials give the same report."""

Item = TypeVar("Item")


class Interval(NamedTuple):
    low: float
    high: float


def wilson(successes: float, cases: float) -> Interval | None:
    """Wilson's score interval (95 %) of a share; None without cases.

    Both may be fractions: an answer of which K runs were made counts K times 1/K.
    """
    if cases <= 0:
        return None
    share = successes / cases
    middle = (share + Z * Z / (2 * cases)) / (1 + Z * Z / cases)
    half = Z * math.sqrt(share * (1 - share) / cases + Z * Z / (4 * cases * cases)) / (1 + Z * Z / cases)
    # Rounding must not leave the share outside where it is 0 or 1.
    return Interval(min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def bootstrap(clusters: Sequence[Item], figure: Callable[[Sequence[Item]], float | None]) -> Interval | None:
    """Percentile interval (95 %) of ``figure`` over resampled ``clusters``; None where it is undefined throughout.

    Clusters are sessions: answers about one session stand and fall together, so they are drawn together.
    """
    chance = random.Random(SEED)  # noqa: S311 - a resampling, not a secret
    drawn = (figure(chance.choices(clusters, k=len(clusters))) for _ in range(RESAMPLES)) if clusters else ()
    found = [value for value in drawn if value is not None]
    return Interval(percentile(found, 2.5), percentile(found, 97.5)) if found else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the neighbours in order. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def agreement(answers: Sequence[Hashable]) -> float | None:
    """The share of pairs of runs that gave the same answer, 0 to 1; None for fewer than two runs."""
    runs = len(answers)
    if runs < 2:  # noqa: PLR2004 - a pair
        return None
    same = sum(count * (count - 1) for count in Counter(answers).values())
    return same / (runs * (runs - 1))
