"""Calls of a model that are given up."""

from __future__ import annotations

import asyncio
import time
from threading import Event, Timer

import pytest

from consumers.scanning.providers.calls import GivenUp, run, until


async def answer(seconds: float, gone: Event | None = None) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if gone is not None:
            gone.set()
        raise
    return "an answer"


async def broken() -> str:
    raise KeyError("broken")


def test_results_and_errors_come_as_they_are() -> None:
    assert run(answer(0), 5) == "an answer"
    assert run(answer(0.3), 5) == "an answer", "longer than it is asked whether it is still wanted"
    with pytest.raises(KeyError, match="broken"):
        run(broken(), 5)


def test_what_takes_too_long_is_cancelled() -> None:
    gone = Event()
    with pytest.raises(TimeoutError):
        run(answer(60, gone), 0.1)
    assert gone.is_set()


def test_what_nobody_wants_is_cancelled() -> None:
    gone, unwanted = Event(), Event()
    Timer(0.1, unwanted.set).start()
    began = time.monotonic()
    with until(unwanted.is_set), pytest.raises(GivenUp):
        run(answer(60, gone), 90)
    assert gone.is_set()
    assert time.monotonic() - began < 5
    assert run(answer(0.3), 5) == "an answer", "of another call nothing was said"


def test_an_answer_that_is_there_counts() -> None:
    with until(lambda: True):
        assert run(answer(0), 5) == "an answer"
