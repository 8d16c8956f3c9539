"""A call of a model that is given up when nobody waits for its answer any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from consumers.scanning.providers.port import Used

Result = TypeVar("Result")

LOOK_SECONDS = 0.2
"""How often it is asked whether the call is still wanted."""

_unwanted: ContextVar[Callable[[], bool]] = ContextVar("unwanted", default=lambda: False)


class GivenUp(Exception):
    """The call was cancelled: its lease is lost, or the process stops. `used` is what it took until then."""

    def __init__(self) -> None:
        super().__init__()
        self.used = Used()


@contextmanager
def until(unwanted: Callable[[], bool]) -> Generator[None]:
    """Calls within are cancelled when this says so. It is asked often, and in another thread's stead: no waiting."""
    before = _unwanted.set(unwanted)
    try:
        yield
    finally:
        _unwanted.reset(before)


def run(call: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """The call's result, in an event loop of its own. Raises GivenUp; TimeoutError after so long; what it raises."""
    return asyncio.run(_watched(call, seconds, _unwanted.get()))


async def _watched(call: Coroutine[Any, Any, Result], seconds: float, unwanted: Callable[[], bool]) -> Result:
    task = asyncio.ensure_future(call)
    try:
        async with asyncio.timeout(seconds):
            while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
                if unwanted():
                    raise GivenUp
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return task.result()
