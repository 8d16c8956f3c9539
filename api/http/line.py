"""A line of its own for one kind of request: what it waits for keeps nobody else waiting, and fills no memory."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
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

    @contextmanager
    def body(self) -> Generator[Callable[[int], None]]:
        """Gives a function that claims room for so many bytes more, and raises Full when there is none.

        The room is free again after the block. Raises Full at once while the line is full.
        """
        self._check()
        mine = 0

        def claim(size: int) -> None:
            nonlocal mine
            if size > self._room - (self._kept if mine + size > SMALL_BYTES else 0):
                raise Full
            self._room -= size
            mine += size

        try:
            yield claim
        finally:
            self._room += mine

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

    def _check(self) -> None:
        if self._here >= self._most:
            raise Full
