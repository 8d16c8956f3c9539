"""A line of its own for one kind of request: what it waits for keeps nobody else waiting, and fills no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, Semaphore, move_on_after, to_thread

T = TypeVar("T")

SMALL_BYTES = 256 * 1024
"""Bodies up to here have an eighth of the room to themselves: a few large ones that are sent slowly, or never to their
end, keep no others away."""


class Full(Exception):
    """Not now: too much waits already, or this has waited for too long."""


class Line:
    """At most `threads` requests are worked on at a time; `waiting` more wait for that, each for `seconds` at most.

    Belongs to one event loop. `bytes_in_hand` bounds the bodies of all that arrive, wait or are worked on, together;
    what is longer than SMALL_BYTES leaves an eighth of it free.
    """

    def __init__(self, threads: int, *, waiting: int, seconds: float, bytes_in_hand: int) -> None:
        self.threads = threads
        self._turns = Semaphore(threads)
        # Not the framework's: whoever has a turn has a thread.
        self._limiter = CapacityLimiter(threads)
        self._most = threads + waiting
        self._here = 0
        self._seconds = seconds
        self._room = bytes_in_hand
        self._kept = bytes_in_hand // 8

    def body(self) -> Room:
        """Gives a function that claims room for so many bytes more, and raises Full when there is none.

        The room is free again after the block. Raises Full at once while the line is full.
        """
        self._check()
        return Room(self)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, in a thread. Raises Full when it cannot be begun, and what `work` raises."""
        self._check()
        self._here += 1
        try:
            turn = False
            with move_on_after(self._seconds):
                await self._turns.acquire()
                turn = True
            if not turn:
                raise Full
            try:
                return await to_thread.run_sync(work, limiter=self._limiter)
            finally:
                self._turns.release()
        finally:
            self._here -= 1

    def _claim(self, size: int, before: int) -> None:
        """Room for `size` bytes more of a body that has room for `before`."""
        if size > self._room - (self._kept if before + size > SMALL_BYTES else 0):
            raise Full
        self._room -= size

    def _give_back(self, size: int) -> None:
        self._room += size

    def _check(self) -> None:
        if self._here >= self._most:
            raise Full


class Room:
    """Of one body in a line, while the block lasts."""

    __slots__ = ("_line", "_mine")

    def __init__(self, line: Line) -> None:
        self._line = line
        self._mine = 0

    def __enter__(self) -> Callable[[int], None]:
        return self.claim

    def __exit__(self, *_: object) -> None:
        self._line._give_back(self._mine)  # noqa: SLF001 - two halves of one thing

    def claim(self, size: int) -> None:
        """Raises Full when there is no room for so many bytes more."""
        self._line._claim(size, self._mine)  # noqa: SLF001
        self._mine += size
