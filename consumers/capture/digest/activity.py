"""How long the visitor was active: the reference rule (capture 5), over the whole session, in a form that merges.

The rule: sort all events by time. A segment starts at the first event, when an active event follows an inactive
segment, or when the current segment is active and the event is more than 5000 ms after the last active event. Later
events extend the segment. Sum the active segments, at least 1 ms each.

So an active segment is a run of active events that are at most 5000 ms apart (a burst), extended by the last inactive
event within 5000 ms of its end. Events inside a burst change nothing, whatever arrives later. What remains, bursts and
the inactive moments between them, is a function of the set of events alone: any order of batches gives the same.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_MS = 5_000
MAX_QUIET = 100_000
MAX_BURSTS = 100_000
"""Inactive moments and bursts kept, earliest first: a day has 86,400 seconds, and 17,280 bursts at most. Beyond it the
figure may miss up to 5 s a burst, and later bursts."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Times in milliseconds since 1970. Made by `activity` and `merge` only.

    `bursts`: first and last active event of each, ascending, over GAP_MS apart; `quiet`: inactive moments outside them.
    """

    bursts: tuple[tuple[int, int], ...] = ()
    quiet: tuple[int, ...] = ()

    @property
    def first(self) -> int:
        """Of all moments; of activity that has any."""
        return min([first for first, _ in self.bursts[:1]] + [*self.quiet[:1]])

    @property
    def last(self) -> int:
        return max([last for _, last in self.bursts[-1:]] + [*self.quiet[-1:]])

    @property
    def milliseconds(self) -> int:
        total = 0
        for first, last in self.bursts:
            index = bisect_right(self.quiet, last + GAP_MS)
            end = max(last, self.quiet[index - 1]) if index else last
            total += max(1, end - first)
        return total

    def merge(self, *others: "Activity") -> "Activity":
        """Of several at once it is the same as one by one, and looked through once."""
        if not others:
            return self
        bursts, quiet = [*self.bursts], {*self.quiet}
        for other in others:
            bursts += other.bursts
            quiet.update(other.quiet)
        return _normal(bursts, quiet)

    def cut(self, moments: Sequence[int]) -> "list[Activity]":
        """In pieces that begin at the moments given, in ascending order and none of them inside a burst."""
        bounds = [0, *(bisect_left(self.bursts, (moment, 0)) for moment in moments), len(self.bursts)]
        quiets = [0, *(bisect_left(self.quiet, moment) for moment in moments), len(self.quiet)]
        return [
            Activity(self.bursts[a:b], self.quiet[c:d])
            for (a, b), (c, d) in zip(pairwise(bounds), pairwise(quiets), strict=True)
        ]


def activity(moments: Iterable[tuple[int, bool]]) -> Activity:
    """From (milliseconds, active) of each event, in any order."""
    active: list[int] = []
    quiet: list[int] = []
    for moment, is_active in moments:
        (active if is_active else quiet).append(moment)
    return activity_of(active, quiet)


def activity_of(active: Sequence[int], quiet: Sequence[int]) -> Activity:
    """The same from the times of the events that are active, and of those that are not."""
    bursts: list[tuple[int, int]] = []
    if active:
        ordered = sorted(active)
        first = last = ordered[0]
        for moment in ordered:
            if moment - last > GAP_MS:
                bursts.append((first, last))
                first = moment
            last = moment
        bursts.append((first, last))
    return _outside(bursts, set(quiet))


def _normal(bursts: list[tuple[int, int]], quiet: set[int]) -> Activity:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(bursts):
        if joined and first - joined[-1][1] <= GAP_MS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return _outside(joined, quiet)


def _outside(bursts: list[tuple[int, int]], quiet: set[int]) -> Activity:
    """With those of the inactive moments that are in no burst."""
    moments = sorted(quiet)
    left: list[int] = []
    begin = 0
    for first, last in bursts:
        if begin == len(moments):
            break
        left += moments[begin : bisect_left(moments, first, begin)]
        begin = bisect_right(moments, last, begin)
    left += moments[begin:]
    return Activity(tuple(bursts[:MAX_BURSTS]), tuple(left[:MAX_QUIET]))
