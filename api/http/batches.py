"""Work that several requests have at the same moment, done in one go: they share a thread, a commit, an answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from api.http.line import Full

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


@dataclass(slots=True, eq=False)
class _Call(Generic[I, O]):
    item: I
    since: float
    outcome: asyncio.Future[O]


class Batches(Generic[I, O]):
    """`work` gets the items of up to `size` calls, in a thread, and returns what came of each: a value or an exception.

    It may do so for the first ones only, at least one; the others are next then, and have waited as long as they have.
    At most `threads` batches are under way; an idle server begins at once, and a busy one with all who wait. `waiting`
    calls wait at most, and none is begun that has waited for more than `seconds`. Belongs to one event loop.
    """

    def __init__(
        self,
        work: Callable[[Sequence[I]], Sequence[O | Exception]],
        *,
        threads: int,
        size: int,
        waiting: int,
        seconds: float,
    ) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
        self._free = threads
        self._size = size
        self._most = waiting
        self._seconds = seconds
        self._waiting: deque[_Call[I, O]] = deque()

    async def run(self, item: I) -> O:
        """What came of the item. Raises the exception that did, Full while too many wait, what breaks the batch."""
        if len(self._waiting) >= self._most:
            raise Full
        loop = asyncio.get_running_loop()
        call = _Call(item, loop.time(), loop.create_future())
        self._waiting.append(call)
        self._begin(loop)
        return await call.outcome

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._free and self._waiting:
            calls = self._next(loop.time())
            if calls:
                self._free -= 1
                batch = loop.run_in_executor(self._pool, self._work, [call.item for call in calls])
                batch.add_done_callback(partial(self._end, loop, calls))

    def _next(self, now: float) -> list[_Call[I, O]]:
        """The calls of the next batch. Who has waited too long, or is gone, is in none."""
        calls: list[_Call[I, O]] = []
        while self._waiting and len(calls) < self._size:
            call = self._waiting.popleft()
            if call.outcome.done():
                continue
            if now - call.since > self._seconds:
                call.outcome.set_exception(Full())
            else:
                calls.append(call)
        return calls

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        calls: Sequence[_Call[I, O]],
        batch: asyncio.Future[Sequence[O | Exception]],
    ) -> None:
        self._free += 1
        broken = batch.exception()
        outcomes = [broken] * len(calls) if broken is not None else batch.result()
        self._waiting.extendleft(reversed(calls[len(outcomes) :]))
        for call, outcome in zip(calls, outcomes, strict=False):
            if call.outcome.done():
                continue  # the client has gone
            if isinstance(outcome, BaseException):
                call.outcome.set_exception(outcome)
            else:
                call.outcome.set_result(outcome)
        self._begin(loop)
