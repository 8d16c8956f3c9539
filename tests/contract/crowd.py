"""A crowd of callers who ask at the same moment, and an eye on what the rest of the world sees meanwhile."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.contract.site import ENVELOPE
from tests.store.racing import race

CROWD = 20
IN_A_ROW = int(os.environ.get("REPLAY_VISION_TEST_IN_A_ROW", "60"))
"""Writes, one after another, that have to be in the very next read; 200 is a longer run."""
STALE = "replay-vision-stale"
LOOKS = 5
"""At least, before a watched rush is over."""


def at_once(count: int, ask: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """Answers of calls that start together; none of them is a defect of the server."""
    answers = race([lambda number=number: ask(number) for number in range(count)])
    answered = [answer for answer in answers if isinstance(answer, httpx.Response)]
    assert len(answered) == count
    for answer in answered:
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) == ENVELOPE
    return answered


def statuses(answers: Sequence[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


class Watch:
    """Looks again and again, in a thread of its own, while a rush goes on."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self.seen: list[Any] = []
        self._look = look
        self._broken: list[BaseException] = []
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def wants_more(self) -> bool:
        return len(self.seen) < LOOKS and not self._broken

    def open(self) -> None:
        self._thread.start()

    def begin(self) -> None:
        """Called from within the rush: no look before it counts."""
        self._begun.set()

    def close(self) -> None:
        self._over.set()
        self._begun.set()
        self._thread.join()

    def finish(self) -> None:
        """A last look. Raises what broke one of the others; too few of those would prove nothing."""
        if self._broken:
            raise self._broken[0]
        assert len(self.seen) >= LOOKS
        self.seen.append(self._look())

    def _watch(self) -> None:
        self._begun.wait()
        try:
            while not self._over.is_set():
                self.seen.append(self._look())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again in the test's own thread
            self._broken.append(error)


def watched_rush(
    ask: Callable[[int], httpx.Response], look: Callable[[], Any]
) -> tuple[list[httpx.Response], list[Any]]:
    """The answers of a crowd whose callers ask on until all of it was looked at often enough, and what was seen."""
    watch = Watch(look)
    answers: list[httpx.Response] = []

    def insist(number: int) -> httpx.Response:
        watch.begin()
        while True:
            answer = ask(number)
            if not watch.wants_more:
                return answer
            answers.append(answer)

    watch.open()
    try:
        answers += at_once(CROWD, insist)
    finally:
        watch.close()
    watch.finish()
    return answers, watch.seen
