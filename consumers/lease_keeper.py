"""Holding the lease of a job while it is worked on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread, Timer
from types import TracebackType
from typing import Self

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

STOP_SECONDS = 0.25


class LeaseKeeper:
    """Renews a lease every third of its time, in a thread that does not depend on the work. A context manager.

    ``renew`` says whether the lease is held for `seconds` from now. ``lost`` is set when it says no, or when none has
    succeeded for the whole lease; it is never cleared. Work that sees it stops without reporting.
    """

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        renew: Callable[[psycopg.Connection[TupleRow]], bool],
        *,
        name: str,
        seconds: float,
        log: logging.Logger,
    ) -> None:
        self.lost = Event()
        self._pool = pool
        self._renew = renew
        self._name = name
        self._seconds = seconds
        self._log = log
        self._over = Event()
        self._thread = Thread(target=self._keep, name=f"lease {name}", daemon=True)
        self._deadline = self._timer()

    def __enter__(self) -> Self:
        self._deadline.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(STOP_SECONDS)  # one that hangs in a renewal can do no harm: the token is about to go
        self._deadline.cancel()

    def _timer(self) -> Timer:
        """Runs apart, so that a renewal which hangs cannot hide that the time is over."""
        timer = Timer(self._seconds, self.lost.set)
        timer.daemon = True
        return timer

    def _keep(self) -> None:
        pause = self._seconds / 3
        while not self._over.wait(pause) and not self.lost.is_set():
            fresh = self._timer()  # made before the renewal: the lease lasts at least as long
            fresh.start()
            held = self._held()
            if held:
                self._deadline.cancel()
                self._deadline = fresh
                pause = self._seconds / 3
                continue
            fresh.cancel()
            if held is False:
                self._log.warning("lost the lease of %s", self._name)
                self.lost.set()
            pause = self._seconds / 12  # the database is away: hurry, there is time left

    def _held(self) -> bool | None:
        """None when the database did not answer."""
        try:
            with self._pool.connection(timeout=self._seconds / 6) as conn:
                return self._renew(conn)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._log.warning("could not renew the lease of %s: %s", self._name, error)
            return None
