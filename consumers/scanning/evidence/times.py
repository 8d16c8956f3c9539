"""Happenings by their times: what lies between two moments, without looking at all of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    @property
    def t(self) -> int: ...


class InWindow(Timed, Protocol):
    @property
    def window(self) -> int: ...


Happening = TypeVar("Happening", bound=Timed)
Placed = TypeVar("Placed", bound=InWindow)


class Times(Generic[Happening]):
    """Happenings in order of ``t``, or of ``end`` with ``ends``."""

    def __init__(self, items: Sequence[Happening], *, ends: bool = False) -> None:
        self.items = items
        self._times: list[int] = [getattr(item, "end" if ends else "t") for item in items]

    def between(self, after: int, until: int) -> Sequence[Happening]:
        """Those in [after, until]."""
        start = bisect_left(self._times, after)
        return self.items[start : bisect_right(self._times, until, start)] if until >= after else ()

    def after(self, t: int) -> Iterator[Happening]:
        """Those later than ``t``."""
        return islice(self.items, bisect_right(self._times, t), None)

    def first(self, t: int) -> Happening | None:
        """The first one later than ``t``."""
        at = bisect_right(self._times, t)
        return self.items[at] if at < len(self.items) else None

    def last(self, t: int) -> Happening | None:
        """The last one up to ``t``."""
        at = bisect_right(self._times, t)
        return self.items[at - 1] if at else None


class Windows(Generic[Placed]):
    """The happenings of each window."""

    def __init__(self, items: Iterable[Placed]) -> None:
        found: dict[int, list[Placed]] = {}
        for item in items:
            found.setdefault(item.window, []).append(item)
        self._of = {window: Times(those) for window, those in found.items()}
        self._none: Times[Placed] = Times([])

    def of(self, window: int) -> Times[Placed]:
        return self._of.get(window, self._none)

    def all(self) -> Iterable[Times[Placed]]:
        return self._of.values()
