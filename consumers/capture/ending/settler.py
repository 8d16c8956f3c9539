"""Which sessions are over: nothing received for the settle interval (architecture 5, "Settling and selection").

By our own clock, at the moment a batch was stored: the visitor's clock may be wrong, and a consumer that catches up
must not settle sessions whose next batch is still in the queue. Late data reopens a session, which gets a new number
when it settles again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import psycopg

from consumers.capture.analytics.event import TOPIC as ANALYTICS
from consumers.capture.analytics.handler import GROUP as ANALYTICS_GROUP
from consumers.capture.clock import Clock, utc_now
from consumers.capture.digest.handler import GROUP as CAPTURE_GROUP
from consumers.capture.messages.existing_topic import GROUP as EXISTING_GROUP
from consumers.capture.messages.snapshot import TOPIC
from consumers.transports.gauges import Gauge, Measured
from consumers.transports.port import Record

GROUP = "settler"
TICK = b"settle"

BATCH = 1_000
"""Sessions settled by one statement."""

ROUNDS = 20
"""Statements of one tick: what is left waits for the next tick."""

MAX_LAG_SECONDS = 3_600
"""A partition that is stopped for days must not keep the sessions of all the others from settling."""

Lag = Callable[[], float]

_LOCK_KEY = 7_215_930_030
"""Of the advisory lock: one settler at a time, until its commit."""

_SETTLE = """
    WITH due AS (
        SELECT environment_id, session_id, last_arrived_at
        FROM capture.session
        WHERE settle_number IS NULL AND last_arrived_at <= %(cutoff)s
        ORDER BY last_arrived_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), counter AS (
        UPDATE capture.settle_counter SET number = number + (SELECT count(*) FROM due)
        WHERE EXISTS (SELECT FROM due)
        RETURNING number - (SELECT count(*) FROM due) AS before
    ), numbered AS (
        SELECT environment_id, session_id,
               before + row_number() OVER (ORDER BY last_arrived_at, environment_id, session_id) AS number
        FROM due, counter
    ), settled AS (
        UPDATE capture.session
        SET settle_number = numbered.number, settled_at = %(now)s
        FROM numbered
        WHERE session.environment_id = numbered.environment_id AND session.session_id = numbered.session_id
    )
    INSERT INTO capture.settlement (number, environment_id, session_id, settled_at)
    SELECT number, environment_id, session_id, %(now)s FROM numbered
"""


def settle(conn: psycopg.Connection, now: datetime, settle_seconds: float, limit: int = BATCH) -> int:
    """Settles up to `limit` sessions that received nothing for `settle_seconds` before `now`, and returns how many.

    Numbers are dense and appear in the order of commits, so a reader that has seen number n misses nothing below it.
    Sessions that somebody is writing to at this moment are left for the next call.
    """
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        cutoff = now - timedelta(seconds=settle_seconds)
        return conn.execute(_SETTLE, {"cutoff": cutoff, "limit": limit, "now": now}).rowcount


def capture_lag(transport: Measured) -> Lag:
    """How old the oldest batch or analytics event is that is not stored yet, in seconds; 0 when there is none."""

    def seconds() -> float:
        return max((gauge.value for gauge in transport.gauges() if _is_lag(gauge)), default=0.0)

    return seconds


def _is_lag(gauge: Gauge) -> bool:
    read = (gauge.labels.get("group"), gauge.labels.get("topic"))
    ours = read in ((CAPTURE_GROUP, TOPIC), (ANALYTICS_GROUP, ANALYTICS)) or read[0] == EXISTING_GROUP
    return gauge.name == "transport_lag_seconds" and ours


class SettleHandler:
    """The transport handler of the topic `ticks`: many settle ticks in a batch are one run.

    `lag` says how far capture is behind (`capture_lag`): the interval is counted from there, because after an outage
    the rest of a quiet session may still be in the queue. A lag over MAX_LAG_SECONDS counts as that much.
    """

    def __init__(self, settle_seconds: float, clock: Clock = utc_now, lag: Lag = lambda: 0.0) -> None:
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._lag = lag

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        if not any(record.key == TICK for record in records):
            return
        quiet = self._settle_seconds + min(self._lag(), MAX_LAG_SECONDS)
        for _ in range(ROUNDS):
            if settle(conn, self._clock(), quiet, BATCH) < BATCH:
                return
