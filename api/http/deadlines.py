"""A time limit for many short pieces of work, of which nearly all are done in time."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadlines:
    """Ends blocks that take longer than `seconds`, with one timer for all that are under way.

    As `asyncio.timeout`, which makes and drops a timer each time: for a common post that is a tenth of what it costs to
    serve (ADR 19). All blocks may take equally long, so the one that began first is the first that is late. Belongs to
    one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun: dict[Block, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def block(self) -> Block:
        """To be entered with `with`, once, in a task. Raises TimeoutError when what is inside is cut short."""
        return Block(self)

    def _begin(self, block: Block) -> float:
        """Until when the block may take."""
        self._begun[block] = None
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._look, loop)
        return until

    def _end(self, block: Block) -> None:
        self._begun.pop(block, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what is late, and comes again for the next."""
        self._timer = None
        now = loop.time()
        while self._begun:
            first = next(iter(self._begun))
            if first.until > now:
                self._timer = loop.call_at(first.until, self._look, loop)
                return
            del self._begun[first]
            first.cut_short()


class Block:
    """What may not take too long."""

    __slots__ = ("_before", "_deadlines", "_late", "_task", "until")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            message = "a deadline needs a task that can be ended"
            raise RuntimeError(message)
        self._task = task
        self._before = task.cancelling()
        self.until = self._deadlines._begin(self)  # noqa: SLF001 - two halves of one thing

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines._end(self)  # noqa: SLF001
        # Somebody else may have ended the task as well: then it stays ended, as with asyncio.timeout.
        if self._late and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut_short(self) -> None:
        """Ends what the task waits for, now."""
        self._late = True
        self._task.cancel()
