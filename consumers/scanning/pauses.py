"""How long a failed try waits before the next, and how many there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

MAX_TRIES = 4
"""Transient failures after which a run has failed (engine 1.3, step 6). Tries whose worker died are counted apart, by
the reaper; those that a worker gave back when it was stopped are not counted."""

PAUSES = (15.0, 60.0, 60.0)
"""Seconds before the second, third and fourth try (engine 1.3, step 6): they span the minute of a vendor's quota."""

LONGEST = timedelta(minutes=15)
"""However long a vendor asks to wait: a run in flight holds one of the scanner's places."""

JITTER = 0.2
"""The share by which a pause of ours may be shorter or longer, and one that a vendor asks for longer: what failed
together shall not return together."""


def pause(failures: int, asked: float | None, chance: Callable[[], float]) -> timedelta:
    """Before the try that follows so many failures (1 or more).

    `asked` is the wait in seconds that the vendor asked for, which then is the least, up to LONGEST; None, or no number
    above 0, when it named none. `chance` gives a number in [0, 1).
    """
    if asked is not None and asked > 0:
        return timedelta(seconds=min(asked, LONGEST.total_seconds()) * (1 + JITTER * chance()))
    ours = PAUSES[min(failures, len(PAUSES)) - 1]
    return timedelta(seconds=ours * (1 + JITTER * (2 * chance() - 1)))
