"""Deletes what is kept for a time only, when that is over. Any number may run: none waits for another's rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Event
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

SECONDS = 60.0
"""How long something may outlive its time, as long as there is not more of it than can be deleted."""

log = logging.getLogger("replay_vision.expiry")

Forget = Callable[[psycopg.Connection[Any], datetime], int]
"""Deletes a bounded number of rows that are over at a time; returns how many, 0 when there are no more."""


class Expiry:
    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[Any]],
        expired: Mapping[str, Forget],
        clock: Callable[[], datetime],
        seconds: float = SECONDS,
    ) -> None:
        self._pool = pool
        self._expired = expired
        self._clock = clock
        self._seconds = seconds

    def run(self, stop: Event) -> None:
        """Works until `stop` is set; an outage of the database is waited out."""
        while not stop.wait(self._seconds):
            for what, forget in self._expired.items():
                try:
                    self.clear(forget, stop)
                except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
                    log.warning("%s stay for now: %s", what, error)

    def clear(self, forget: Forget, stop: Event) -> None:
        """Everything that is over now, a bounded number in each transaction."""
        now = self._clock()
        while not stop.is_set():
            with self._pool.connection() as connection:
                if not forget(connection, now):
                    return
