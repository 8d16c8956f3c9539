"""What an operator sees of a transport. The same names for every adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import psycopg

CATALOGUE: Mapping[str, str] = {
    "transport_lag_records": "Records that a group has not handled in a partition; counting stops at 100,000",
    "transport_lag_seconds": "Age of the oldest record that a group has not handled in a partition; "
    "infinite when the brokers do not say",
    "transport_failures": "Errors in a row of a group's handler in a partition; it rests between tries",
    "transport_stopped": "1 while dead letters have stopped a group in a partition: an operator must resume it",
    "transport_dead_letters": "Dead letters of a group that nobody has dealt with, by topic",
    "transport_parked_records": "Those of them that only wait behind an earlier dead letter of their key",
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

    def register(self, group: str, topics: Collection[str]) -> None:
        """Counts a group as behind from the oldest records on, although none of its workers has ever run.

        Raises ``Unavailable``.
        """
        ...

    def resume(self, group: str, topic: str, partition: int) -> bool:
        """Lets a partition go on that dead letters stopped, or that rests after errors. False if there is none such.

        Raises ``Unavailable``, and ``Refused`` for an illegal topic.
        """
        ...


class Standing(NamedTuple):
    """A group in a partition of a topic, named without the prefix."""

    group: str
    topic: str
    partition: int
    behind: int | None
    """Records not handled; None when the transport does not say."""
    age: float
    """Seconds since the transport took the oldest of them; 0 when there is none, infinite when that is not known."""
    failures: int
    stopped: bool


_DEAD_LETTERS = """
SELECT grp, topic, count(*), count(*) FILTER (WHERE parked) FROM log.dead_letter GROUP BY grp, topic ORDER BY grp, topic
"""

_OLDEST_TRANSACTION = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def read_gauges(conn: psycopg.Connection, standings: Iterable[Standing]) -> Sequence[Gauge]:
    """All gauges: those of the groups' standings, and what the database says beside them."""
    gauges: list[Gauge] = []
    for standing in standings:
        labels = {"group": standing.group, "topic": standing.topic, "partition": str(standing.partition)}
        if standing.behind is not None:
            gauges.append(Gauge("transport_lag_records", labels, standing.behind))
        gauges.append(Gauge("transport_lag_seconds", labels, standing.age))
        gauges.append(Gauge("transport_failures", labels, standing.failures))
        gauges.append(Gauge("transport_stopped", labels, standing.stopped))
    for group, topic, letters, parked in conn.execute(_DEAD_LETTERS):
        gauges.append(Gauge("transport_dead_letters", {"group": group, "topic": topic}, letters))
        gauges.append(Gauge("transport_parked_records", {"group": group, "topic": topic}, parked))
    gauges.extend(
        Gauge("transport_oldest_transaction_seconds", {}, seconds) for (seconds,) in conn.execute(_OLDEST_TRANSACTION)
    )
    return gauges
