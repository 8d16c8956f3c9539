"""Work that a tick starts, done in a thread of its own and never inside the transport's transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event

import psycopg

from consumers.transports.port import Record

log = logging.getLogger("replay_vision.ticks")

Work = Callable[[], float | None]
"""Does what is due. Returns seconds after which it wants to run again before the next tick, or None."""


class OnTick:
    """Runs work when its tick came; many ticks that arrive meanwhile lead to one more run.

    A failing run is logged and the next tick tries again, so the work must be safe to repeat.
    """

    def __init__(self, tick: str, work: Work) -> None:
        self._tick = tick.encode()
        self._work = work
        self._due = Event()

    def handle(self, _connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Transport handler of the topic `ticks`. A tick that is lost with the process is followed by another."""
        if any(record.key == self._tick for record in records):
            self._due.set()

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; looks at it twice a second."""
        again: float | None = None
        while not stop.is_set():
            if self._due.wait(0.5) or (again is not None and time.monotonic() >= again):
                self._due.clear()
                wish = self._once()
                again = None if wish is None else time.monotonic() + wish

    def _once(self) -> float | None:
        try:
            return self._work()
        except Exception:
            log.exception("the work of a tick failed", extra={"tick": self._tick.decode()})
            return None
