"""What an operator sees of a transport. The same names for every adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import psycopg

CATALOGUE: Mapping[str, str] = {
    "transport_lag_records": "Records that a group has not handled in a partition; counting stops at 100,000",
    "transport_lag_seconds": "Age of the oldest record that a group has not handled in a partition",
    "transport_failures": "Errors in a row of a group's handler in a partition; it rests between tries",
    "transport_stopped": "1 while dead letters have stopped a group in a partition: an operator must resume it",
    "transport_dead_letters": "Dead letters of a group that nobody has dealt with, by topic",
    "transport_oldest_transaction_seconds": "Age of the database's oldest open transaction: it keeps vacuum from "
    "clearing what is deleted, which slows every queue down",
}


class Gauge(NamedTuple):
    name: str
    """A key of ``CATALOGUE``."""
    labels: Mapping[str, str]
    value: float


class Measured(Protocol):
    """A transport that an operator can look at and let go on. Beside the port, because nothing else needs it."""

    def gauges(self) -> Sequence[Gauge]:
        """Raises ``Unavailable``."""
        ...

    def resume(self, group: str, topic: str, partition: int) -> bool:
        """Lets a partition go on that dead letters stopped, or that rests after errors. False if there is none such.

        Raises ``Unavailable``, and ``Refused`` for an illegal topic.
        """
        ...


_PARTITIONS = """
SELECT p.grp, substr(t.name, length(%(prefix)s) + 1), p.part, p.failures, (p.stopped_at IS NOT NULL)::integer,
       (SELECT count(*) FROM (
            SELECT FROM log.record r WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off
            LIMIT %(most)s) unhandled),
       coalesce((SELECT extract(epoch FROM clock_timestamp() - r.at)::float8 FROM log.record r
            WHERE r.topic_id = p.topic_id AND r.part = p.part AND r.off > p.off ORDER BY r.off LIMIT 1), 0)
FROM log.position p JOIN log.topic t ON t.id = p.topic_id
WHERE starts_with(t.name, %(prefix)s)
ORDER BY p.grp, p.topic_id, p.part
"""

_DEAD_LETTERS = "SELECT grp, topic, count(*) FROM log.dead_letter GROUP BY grp, topic ORDER BY grp, topic"

_OLDEST_TRANSACTION = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def read_gauges(conn: psycopg.Connection, *, prefix: str, most: int) -> Sequence[Gauge]:
    """All gauges of the PostgreSQL log. ``most`` bounds the counting in a partition."""
    gauges: list[Gauge] = []
    for group, topic, part, failures, stopped, behind, age in conn.execute(
        _PARTITIONS, {"prefix": prefix, "most": most}
    ):
        labels = {"group": group, "topic": topic, "partition": str(part)}
        gauges.append(Gauge("transport_lag_records", labels, behind))
        gauges.append(Gauge("transport_lag_seconds", labels, age))
        gauges.append(Gauge("transport_failures", labels, failures))
        gauges.append(Gauge("transport_stopped", labels, stopped))
    for group, topic, letters in conn.execute(_DEAD_LETTERS):
        gauges.append(Gauge("transport_dead_letters", {"group": group, "topic": topic}, letters))
    gauges.extend(
        Gauge("transport_oldest_transaction_seconds", {}, seconds) for (seconds,) in conn.execute(_OLDEST_TRANSACTION)
    )
    return gauges
