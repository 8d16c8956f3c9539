"""At a tick: finds the actions that are due, and claims a run of each (engine 7.2; independent of any scanner)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns
from commands.context import Context
from consumers.actions.counts import DROPPED, count
from consumers.actions.outages import OUTAGES
from domain.errors import Conflict, NotFound
from domain.event import Actor
from domain.tenant import Tenant

log = logging.getLogger("replay_vision.actions")

GROUP = "due"
TICK = "actions"

PAGE = 500
"""Actions looked at in one go, those longest due first (engine 7.6 B)."""

CLAIM_SECONDS = 60.0
"""Longest one round; what is still due then has its turn at once."""

_DUE = """
SELECT a.environment_id, a.organization_id, a.id, a.next_run_at AS due, a.schedule_version,
       coalesce(a.last_due_at >= a.next_run_at, false) AS has_run
FROM read_actions.action a
WHERE a.deleted_at IS NULL AND a.enabled AND a.next_run_at <= %(now)s
      AND (a.next_run_at, a.id) > (%(due)s, %(id)s)
ORDER BY a.next_run_at, a.id LIMIT %(page)s
"""


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Due:
    """`has_run`: the time that it is due has had its run already."""

    environment_id: int
    organization_id: UUID
    id: UUID
    due: datetime
    schedule_version: int
    has_run: bool


class DueActions:
    """Safe to run anywhere, any number at once: a run is known by its action and its time, and can be claimed once."""

    def __init__(
        self, pool: ConnectionPool[psycopg.Connection[TupleRow]], runs: ActionRuns, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._runs = runs
        self._clock = clock

    def run(self) -> float | None:
        """Claims what is due now. Returns 0 when there was not time for all of it, else None.

        One action that cannot be claimed stops no other (engine 10, trap 38), nor do many hide those behind them.
        """
        now, deadline = self._clock(), time.monotonic() + CLAIM_SECONDS
        page = self._page(now, None)
        while page:
            for one in page:
                self._try(one, now)
            if time.monotonic() >= deadline:
                return 0.0
            page = self._page(now, page[-1]) if len(page) == PAGE else []
        return None

    def _page(self, now: datetime, last: _Due | None) -> list[_Due]:
        after = {"due": last.due if last else _LONG_AGO, "id": last.id if last else UUID(int=0)}
        with self._pool.connection() as connection, connection.cursor(row_factory=class_row(_Due)) as cursor:
            return cursor.execute(_DUE, {"now": now, "page": PAGE, **after}).fetchall()

    def _try(self, one: _Due, now: datetime) -> None:
        try:
            self._claim(one, now)
        except (NotFound, Conflict):
            pass  # deleted or changed since: it is looked at again, if it is there
        except OUTAGES:
            raise
        except Exception:
            log.exception("an action could not be claimed; the others go on", extra={"action": str(one.id)})

    def _claim(self, one: _Due, now: datetime) -> None:
        context = Context(
            actor=Actor(type="system", role="actions"),
            now=now,
            correlation_id=uuid4(),
            tenant=Tenant(one.environment_id, one.organization_id),
        )
        if one.has_run:
            self._runs.pass_over(context, one.id, one.due, one.schedule_version)
            return
        claimed = self._runs.claim_due(context, one.id, one.due, one.schedule_version)
        if claimed is not None and claimed.missed:
            with self._pool.connection() as connection:
                count(connection, DROPPED, claimed.missed)
