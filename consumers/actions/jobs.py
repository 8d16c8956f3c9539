"""Jobs of actions and their leases: runs to be done, and rounds of deliveries, in a table (see schema/0064_jobs.sql).

The pattern is that of scan jobs (consumers/scanning/jobs.py): all times are the database's, and a lease is proved by
its token. Losing it is noticed by the worker (``LeaseKeeper``), by this table, and by the run's stream.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Literal, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg_pool import ConnectionPool

from consumers.lease_keeper import LeaseKeeper

log = logging.getLogger("replay_vision.actions")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]
Kind = Literal["run", "delivery"]

LEASE_SECONDS = 60
"""How long a worker may be silent before its job goes to another (architecture 5, "Run and try")."""
WAIT_SECONDS = 1.0
CONSIDERED = 400
"""Jobs looked at for a fair choice, so that one environment cannot hide the rest."""

_COLUMNS = """job.run_id, job.kind, job.delivery_id, job.round, job.environment_id, job.organization_id,
    job.position, job.correlation_id, job.try_number, job.failures, job.expiries, job.lease_token"""

_ENQUEUE = """
INSERT INTO actions.job
    (run_id, kind, delivery_id, round, environment_id, organization_id, position, correlation_id, state)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (run_id, delivery_id, round) DO NOTHING
"""

_DELIVER = (
    "UPDATE actions.job SET state = 'queued', available_at = clock_timestamp() WHERE run_id = %s AND state = 'waiting'"
)
_DROP = "DELETE FROM actions.job WHERE run_id = %s AND state = 'waiting'"

# The state is asked twice: what was considered may have been leased since, and the lock shows the row as it is now.
_LEASE = f"""
WITH considered AS MATERIALIZED (
    SELECT run_id, delivery_id, round, environment_id, available_at FROM actions.job
    WHERE kind = %(kind)s AND state = 'queued' AND available_at <= clock_timestamp()
    ORDER BY available_at LIMIT %(considered)s
), busy AS MATERIALIZED (
    SELECT environment_id, count(*) AS leases FROM actions.job
    WHERE kind = %(kind)s AND state = 'leased' GROUP BY environment_id
), chosen AS MATERIALIZED (
    SELECT j.run_id, j.delivery_id, j.round
    FROM actions.job j JOIN considered c USING (run_id, delivery_id, round)
    LEFT JOIN busy b ON b.environment_id = c.environment_id
    WHERE j.state = 'queued'
    ORDER BY coalesce(b.leases, 0), c.available_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED
)
UPDATE actions.job SET state = 'leased', try_number = try_number + 1, lease_token = gen_random_uuid(),
    lease_expires_at = clock_timestamp() + make_interval(secs => %(seconds)s), leased_by = %(worker)s
FROM chosen WHERE job.run_id = chosen.run_id AND job.delivery_id = chosen.delivery_id AND job.round = chosen.round
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants of this module

_HELD = "run_id = %s AND delivery_id = %s AND round = %s AND lease_token = %s"

_RENEW = f"""
UPDATE actions.job SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE {_HELD} AND lease_expires_at > clock_timestamp()
"""  # noqa: S608 - constants of this module

_QUEUE_AGAIN = """
UPDATE actions.job SET state = 'queued', available_at = {when}, lease_token = NULL, lease_expires_at = NULL,
    leased_by = NULL
WHERE {which}
"""
_AFTER = "clock_timestamp() + make_interval(secs => %s)"
_RETRY = _QUEUE_AGAIN.format(when=f"{_AFTER}, failures = failures + %s", which=_HELD)
_GIVE_BACK = _QUEUE_AGAIN.format(when=f"{_AFTER}, try_number = try_number - 1", which=_HELD)
_REQUEUE = _QUEUE_AGAIN.format(
    when="clock_timestamp(), expiries = expiries + 1", which=f"{_HELD} AND lease_expires_at <= clock_timestamp()"
)

_FINISH = f"""
UPDATE actions.job SET state = 'done', done_at = clock_timestamp(), lease_token = NULL, lease_expires_at = NULL,
    leased_by = NULL
WHERE {_HELD}
"""  # noqa: S608 - constants of this module

_EXPIRED = f"""
SELECT {_COLUMNS} FROM actions.job WHERE state = 'leased' AND lease_expires_at <= clock_timestamp()
ORDER BY lease_expires_at LIMIT %s
"""  # noqa: S608 - constants of this module

_CLEAR = """
DELETE FROM actions.job WHERE (run_id, delivery_id, round) IN (
    SELECT run_id, delivery_id, round FROM actions.job WHERE state = 'done' AND done_at < clock_timestamp() - %s
    ORDER BY done_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""

_DUE = """
SELECT EXISTS (SELECT FROM actions.job WHERE kind = %s AND state = 'queued' AND available_at <= clock_timestamp())
"""

_WAITING = """
SELECT kind, count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'leased'),
    coalesce(extract(epoch FROM clock_timestamp() - min(available_at) FILTER (WHERE state = 'queued')), 0)::float8
FROM actions.job WHERE state IN ('queued', 'leased') GROUP BY kind
"""


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work on a run (`delivery_id` is the run's own id), or a round of one of its deliveries."""

    run_id: UUID
    kind: Kind
    delivery_id: UUID
    round: int
    environment_id: int
    organization_id: UUID
    position: int
    """The log position of the event that asks for it."""
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Job(NewJob):
    """A job that is, or was, leased."""

    try_number: int
    """1 for the first lease; a lease that was given back unused has not been one."""
    failures: int
    """Earlier tries that failed by themselves."""
    expiries: int
    """Earlier leases that ran out."""
    lease_token: UUID


class Waiting(NamedTuple):
    kind: str
    queued: int
    leased: int
    oldest_seconds: float
    """How long the longest queued job has been due; 0 or less when none is."""


def enqueue(conn: psycopg.Connection, job: NewJob, *, waiting: bool = False) -> bool:
    """Adds the job in the caller's transaction. False when it is there.

    `waiting`: a delivery that cannot begin before `deliver`.
    """
    values = (job.run_id, job.kind, job.delivery_id, job.round, job.environment_id, job.organization_id)
    values += (job.position, job.correlation_id, "waiting" if waiting else "queued")
    return conn.execute(_ENQUEUE, values).rowcount == 1


def deliver(conn: psycopg.Connection, run_id: UUID) -> None:
    """The run has its report: its deliveries may begin."""
    conn.execute(_DELIVER, (run_id,))


def drop_deliveries(conn: psycopg.Connection, run_id: UUID) -> None:
    """The run has ended without anything to deliver."""
    conn.execute(_DROP, (run_id,))


def lease(conn: psycopg.Connection, kind: Kind, worker: str, *, seconds: float = LEASE_SECONDS) -> Job | None:
    """Takes a due job, None if there is none. ``worker`` is a name for people.

    Those of the environment with the fewest leases at the moment go first; then the longest due.
    """
    values = {"kind": kind, "considered": CONSIDERED, "seconds": seconds, "worker": worker}
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(_LEASE, values).fetchone()


def renew(conn: psycopg.Connection, job: Job, *, seconds: float = LEASE_SECONDS) -> bool:
    """Holds the job for so long from now. False when the lease ran out or the job is no longer this lease's."""
    return conn.execute(_RENEW, (seconds, *_proof(job))).rowcount == 1


def retry(conn: psycopg.Connection, job: Job, after: timedelta, *, failed: bool = True) -> bool:
    """Gives the job back after a try, to be leased again then. False when it is no longer this lease's.

    `failed`: whether the try counts among the job's failures; one whose worker was stopped does not.
    """
    return conn.execute(_RETRY, (after.total_seconds(), int(failed), *_proof(job))).rowcount == 1


def give_back(conn: psycopg.Connection, job: Job, after: timedelta) -> bool:
    """As `retry`, for a lease under which nothing was begun: it does not count as a try."""
    return conn.execute(_GIVE_BACK, (after.total_seconds(), *_proof(job))).rowcount == 1


def finish(conn: psycopg.Connection, job: Job) -> bool:
    """Ends the job. False, unchanged, when it is no longer this lease's."""
    return conn.execute(_FINISH, _proof(job)).rowcount == 1


def expired(conn: psycopg.Connection, limit: int) -> list[Job]:
    """Jobs whose lease ran out, the longest ago first. They stay as they are until requeued or finished."""
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(_EXPIRED, (limit,)).fetchall()


def requeue(conn: psycopg.Connection, job: Job) -> bool:
    """Makes an expired job due again. False when somebody did already, or its worker ended it after all."""
    return conn.execute(_REQUEUE, _proof(job)).rowcount == 1


def clear(conn: psycopg.Connection, *, older_than: timedelta, limit: int = 1_000) -> int:
    """Drops up to so many jobs that were done that long ago. Keep them for days: they refuse repeated requests."""
    return conn.execute(_CLEAR, (older_than, limit)).rowcount


def waiting(conn: psycopg.Connection) -> list[Waiting]:
    """For metrics; kinds without a job are not listed."""
    return [Waiting(*row) for row in conn.execute(_WAITING)]


def wait_for_work(pool: Pool, kind: Kind, stop: Event, *, seconds: float = WAIT_SECONDS) -> None:
    """Returns when a job may be due, or soon after the stop.

    Looks every so many seconds and keeps no connection meanwhile: nobody misses a second of a report, and the workers
    are as many as the connections of a process.
    """
    while not stop.wait(seconds):
        with pool.connection() as conn:
            if conn.execute(_DUE, (kind,)).fetchone() == (True,):
                return


def keeper(pool: Pool, job: Job, *, seconds: float = LEASE_SECONDS) -> LeaseKeeper:
    """Holds the job's lease while it is worked on."""
    name = f"{job.kind} {job.delivery_id} of run {job.run_id}"
    return LeaseKeeper(pool, lambda conn: renew(conn, job, seconds=seconds), name=name, seconds=seconds, log=log)


def _proof(job: Job) -> Sequence[object]:
    return job.run_id, job.delivery_id, job.round, job.lease_token
