"""Many callers at once, each on a connection of its own, all let go at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from domain.errors import VisionError

R = TypeVar("R")

RACERS = 200
JOIN_SECONDS = 120


def race(attempts: Sequence[Callable[[], R]]) -> list[R | VisionError]:
    """Runs every attempt in a thread of its own. Returns what each returned, or the refusal it met, in order.

    Any other exception, and a thread that does not come back, fails the test.
    """
    results: list[R | VisionError | None] = [None] * len(attempts)
    broken: list[BaseException] = []
    barrier = threading.Barrier(len(attempts))

    def run(number: int) -> None:
        try:
            barrier.wait(JOIN_SECONDS)
            try:
                results[number] = attempts[number]()
            except VisionError as refusal:
                results[number] = refusal
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again in the test's own thread
            broken.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(attempts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "an attempt never came back"
    if broken:
        raise broken[0]
    return results  # type: ignore[return-value] - every place is filled, or the test has failed above


def outcomes(results: Sequence[object]) -> dict[str, int]:
    """How often each class was returned or refused with."""
    counted: dict[str, int] = {}
    for result in results:
        name = type(result).__name__
        counted[name] = counted.get(name, 0) + 1
    return counted
