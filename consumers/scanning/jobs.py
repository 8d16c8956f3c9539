"""Scan jobs and their leases: slow work stands in a table, and whoever holds its lease may do it.

All times are the database's. A lease is proved by its token; losing it is noticed by the worker (``LeaseKeeper``), by
this table (the token no longer fits), and by the observation's stream, which refuses another lease's ending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool

from consumers import lease_keeper
from consumers.lease_keeper import STOP_SECONDS

log = logging.getLogger("replay_vision.scanning")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]

CHANNEL = "scanning_job"
LEASE_SECONDS = 60
"""How long a worker may be silent before its job goes to another (architecture 5, "Run and try")."""
WAIT_SECONDS = 1.0
CONSIDERED = 400
"""Jobs looked at for a fair choice: more than two scanners' in-flight caps, so that one cannot hide the rest."""

_COLUMNS = """job.observation_id, job.run, job.environment_id, job.organization_id, job.scanner_id, job.session_id,
    job.trigger, job.correlation_id, job.try_number, job.expiries, job.lease_token, job.lease_expires_at"""

_ENQUEUE = """
INSERT INTO scanning.job
    (observation_id, run, environment_id, organization_id, scanner_id, session_id, trigger, correlation_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (observation_id, run) DO NOTHING
"""

# The state is asked twice: what was considered may have been leased since, and the lock shows the row as it is now.
_LEASE = f"""
WITH considered AS MATERIALIZED (
    SELECT observation_id, run, scanner_id, priority, available_at FROM scanning.job
    WHERE state = 'queued' AND available_at <= clock_timestamp() ORDER BY priority, available_at LIMIT %s
), busy AS MATERIALIZED (
    SELECT scanner_id, count(*) AS leases FROM scanning.job WHERE state = 'leased' GROUP BY scanner_id
), chosen AS MATERIALIZED (
    SELECT j.observation_id, j.run
    FROM scanning.job j JOIN considered c USING (observation_id, run) LEFT JOIN busy b ON b.scanner_id = c.scanner_id
    WHERE j.state = 'queued'
    ORDER BY c.priority, coalesce(b.leases, 0), c.available_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
)
UPDATE scanning.job SET state = 'leased', try_number = try_number + 1, lease_token = gen_random_uuid(),
    lease_expires_at = clock_timestamp() + make_interval(secs => %s), leased_by = %s
FROM chosen WHERE job.observation_id = chosen.observation_id AND job.run = chosen.run
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of this module

_HELD = "observation_id = %s AND run = %s AND lease_token = %s"

_RENEW = f"""
UPDATE scanning.job SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE {_HELD} AND lease_expires_at > clock_timestamp()
"""  # noqa: S608 - constants of this module

_QUEUE_AGAIN = """
UPDATE scanning.job SET state = 'queued', available_at = {when}, lease_token = NULL, lease_expires_at = NULL,
    leased_by = NULL
WHERE {which}
"""
_RETRY_AT = _QUEUE_AGAIN.format(when="%s", which=_HELD)
_GIVE_BACK = _QUEUE_AGAIN.format(when="%s, try_number = try_number - 1", which=_HELD)
_REQUEUE = _QUEUE_AGAIN.format(
    when="clock_timestamp(), expiries = expiries + 1", which=f"{_HELD} AND lease_expires_at <= clock_timestamp()"
)

_FINISH = f"""
UPDATE scanning.job SET state = 'done', done_at = clock_timestamp(), lease_token = NULL, lease_expires_at = NULL,
    leased_by = NULL
WHERE {_HELD}
"""  # noqa: S608 - constants of this module

_EXPIRED = f"""
SELECT {_COLUMNS} FROM scanning.job WHERE state = 'leased' AND lease_expires_at <= clock_timestamp()
ORDER BY lease_expires_at LIMIT %s
"""  # noqa: S608 - constants of this module

_CLEAR = """
DELETE FROM scanning.job WHERE (observation_id, run) IN (
    SELECT observation_id, run FROM scanning.job WHERE state = 'done' AND done_at < clock_timestamp() - %s
    ORDER BY done_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""

_DUE = "SELECT EXISTS (SELECT FROM scanning.job WHERE state = 'queued' AND available_at <= clock_timestamp())"

_WAITING = """
SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'leased'),
    coalesce(extract(epoch FROM clock_timestamp() - min(available_at) FILTER (WHERE state = 'queued')), 0)::float8
FROM scanning.job WHERE state IN ('queued', 'leased')
"""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A run of an observation that somebody has to do. ``trigger``: ``on_demand`` goes before all others."""

    observation_id: UUID
    run: int
    environment_id: int
    organization_id: UUID
    scanner_id: UUID
    session_id: str
    trigger: str
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Job(NewJob):
    """A job that is, or was, leased."""

    try_number: int
    """1 for the first lease of the run; a lease that was given back unused has not been one."""
    expiries: int
    """Earlier leases of the run that ran out."""
    lease_token: UUID
    lease_expires_at: datetime
    """By the database's clock, as of the lease; renewing does not change this value."""


class Waiting(NamedTuple):
    queued: int
    leased: int
    oldest_seconds: float
    """How long the longest queued job has been due; 0 or less when none is."""


def enqueue(conn: psycopg.Connection, job: NewJob) -> bool:
    """Adds the job in the caller's transaction, and wakes the workers when it commits.

    False, with nothing changed, when there is a job for that (observation, run), whatever its state.
    """
    values = (job.observation_id, job.run, job.environment_id, job.organization_id)
    values += (job.scanner_id, job.session_id, job.trigger, job.correlation_id)
    added = conn.execute(_ENQUEUE, values).rowcount == 1
    if added:
        _ring(conn)
    return added


def lease(conn: psycopg.Connection, worker: str, *, seconds: float = LEASE_SECONDS) -> Job | None:
    """Takes a due job, None if there is none. ``worker`` is a name for people.

    Jobs on demand go first; then those of the scanner with the fewest leases at the moment; then the longest due.
    """
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(_LEASE, (CONSIDERED, seconds, worker)).fetchone()


def renew(conn: psycopg.Connection, job: Job, *, seconds: float = LEASE_SECONDS) -> bool:
    """Holds the job for so long from now. False when the lease ran out or the job is no longer this lease's."""
    return conn.execute(_RENEW, (seconds, *_proof(job))).rowcount == 1


def retry_at(conn: psycopg.Connection, job: Job, when: datetime) -> bool:
    """Gives the job back, to be leased again from that time on. False, unchanged, when it is no longer this lease's."""
    changed = conn.execute(_RETRY_AT, (when, *_proof(job))).rowcount == 1
    if changed:
        _ring(conn)
    return changed


def give_back(conn: psycopg.Connection, job: Job, when: datetime) -> bool:
    """As `retry_at`, for a lease under which nothing was recorded of the observation: it does not count as a try."""
    changed = conn.execute(_GIVE_BACK, (when, *_proof(job))).rowcount == 1
    if changed:
        _ring(conn)
    return changed


def finish(conn: psycopg.Connection, job: Job) -> bool:
    """Ends the job. False, unchanged, when it is no longer this lease's."""
    return conn.execute(_FINISH, _proof(job)).rowcount == 1


def expired(conn: psycopg.Connection, limit: int) -> list[Job]:
    """Jobs whose lease ran out, the longest ago first. They stay as they are until requeued or finished."""
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(_EXPIRED, (limit,)).fetchall()


def requeue(conn: psycopg.Connection, job: Job) -> bool:
    """Makes an expired job due again. False when somebody did already, or its worker ended it after all."""
    changed = conn.execute(_REQUEUE, _proof(job)).rowcount == 1
    if changed:
        _ring(conn)
    return changed


def clear(conn: psycopg.Connection, *, older_than: timedelta, limit: int = 1_000) -> int:
    """Drops up to so many jobs that were done that long ago. Keep them for days: they refuse repeated requests."""
    return conn.execute(_CLEAR, (older_than, limit)).rowcount


def waiting(conn: psycopg.Connection) -> Waiting:
    """For metrics."""
    row = conn.execute(_WAITING).fetchone()
    return Waiting(*row) if row else Waiting(0, 0, 0.0)


def wait_for_work(pool: Pool, stop: Event, *, seconds: float = WAIT_SECONDS) -> None:
    """Returns when a job may be due, after so many seconds at the latest, and soon after the stop.

    Uses a connection of the pool all the while, so a pool needs one for each waiting worker.
    """
    with pool.connection() as conn:
        conn.execute(f"LISTEN {CHANNEL}")
        try:
            if conn.execute(_DUE).fetchone() == (True,):
                return
            until = time.monotonic() + seconds
            while not stop.is_set() and (left := until - time.monotonic()) > 0:
                if list(conn.notifies(timeout=min(left, STOP_SECONDS), stop_after=1)):
                    return
        finally:
            if not conn.closed:
                conn.execute(f"UNLISTEN {CHANNEL}")


class LeaseKeeper(lease_keeper.LeaseKeeper):
    """Holds the job's lease while it is worked on; see consumers/lease_keeper.py."""

    def __init__(self, pool: Pool, job: Job, *, seconds: float = LEASE_SECONDS) -> None:
        name = f"{job.observation_id} run {job.run}"
        super().__init__(pool, lambda conn: renew(conn, job, seconds=seconds), name=name, seconds=seconds, log=log)


def _proof(job: Job) -> Sequence[object]:
    return job.observation_id, job.run, job.lease_token


def _ring(conn: psycopg.Connection) -> None:
    conn.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
