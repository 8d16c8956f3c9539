"""Copies the event store's log to a topic, in order.

The checkpoint moves after the transport has confirmed, so a crash repeats up to one batch; the event ids and source ids
that the records carry remove that again (see the port). With the transport away the checkpoint stands still, nothing is
lost, and writing to the event store goes on.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from threading import Event
from typing import NamedTuple

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from commands.store.event_log import EventLog, StoredRow
from commands.store.mapper import VERSION_KEY
from commands.store.recorder import CHANNEL
from consumers.standby import Deposed, while_active
from consumers.transports.port import Outgoing, Transport, Unavailable

logger = logging.getLogger(__name__)

TOPIC = "events"
BATCH = 200
"""Events read and published at once. An event has 256 KiB at most, so a batch has 50 MiB at most."""
POLL_SECONDS = 1.0
"""Longest wait for a notification, which may be lost."""
STOP_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0

_BEGIN = "INSERT INTO log.relay_checkpoint (name, position) VALUES (%s, 0) ON CONFLICT (name) DO NOTHING"
_READ = "SELECT position FROM log.relay_checkpoint WHERE name = %s"
_MOVE = "UPDATE log.relay_checkpoint SET position = %s, updated_at = now() WHERE name = %s AND position = %s"


class RelayLag(NamedTuple):
    positions: int
    """From the checkpoint to the head of the log. Positions have gaps, so it is an upper bound of the events."""
    seconds: float
    """Age of the oldest event that is not relayed, by this machine's clock; 0 when there is none."""


class Relay:
    """Any number may run against one database: one is active, the rest stand by.

    ``name`` tells relays apart that copy the same log to different transports; each has its own checkpoint.
    """

    def __init__(
        self, database_url: str, log: EventLog, transport: Transport, *, name: str = TOPIC, batch: int = BATCH
    ) -> None:
        self._database_url = database_url
        self._log = log
        self._transport = transport
        self._name = name
        self._batch = batch

    def run(self, stop: Event) -> None:
        """Relays until the stop is set; lives through outages of the database and of the transport.

        Returns within 2 s of the stop and the batch in hand.
        """
        while_active(self._database_url, f"relay {self._name}", lambda conn: self._work(conn, stop), stop=stop)

    def step(self, conn: psycopg.Connection[TupleRow]) -> int:
        """Relays one batch and answers how many events it had, 0 at the head of the log.

        Raises ``Deposed`` if the checkpoint moved meanwhile, ``Unavailable`` if the transport did not confirm; either
        way the checkpoint is where it was.
        """
        position = self._checkpoint(conn)
        rows = self._log.read_raw(conn, position, self._batch)
        if not rows:
            return 0
        self._transport.publish(TOPIC, [outgoing(row) for row in rows])
        if conn.execute(_MOVE, (rows[-1].position, self._name, position)).rowcount != 1:
            raise Deposed(f"another relay moved the checkpoint from {position}")
        return len(rows)

    def lag(self, conn: psycopg.Connection[TupleRow]) -> RelayLag:
        """How far the topic is behind the log."""
        position = self._checkpoint(conn)
        waiting = self._log.read_raw(conn, position, 1)
        if not waiting:
            return RelayLag(0, 0.0)
        recorded_at = datetime.fromisoformat(orjson.loads(waiting[0].state)["recorded_at"])
        age = (datetime.now(UTC) - recorded_at).total_seconds()
        return RelayLag(self._log.head(conn) - position, max(0.0, age))

    def _checkpoint(self, conn: psycopg.Connection[TupleRow]) -> int:
        row = conn.execute(_READ, (self._name,)).fetchone()
        return 0 if row is None else int(row[0])

    def _work(self, conn: psycopg.Connection[TupleRow], stop: Event) -> None:
        """Listens before it reads, so nothing falls between the two."""
        conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        conn.execute(_BEGIN, (self._name,))
        pause = 0.0
        while not stop.is_set():
            try:
                moved = self.step(conn)
                pause = 0.0
            except Unavailable as error:
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2 or 0.2)
                logger.warning("relay %s: transport away, trying again in %.1f s: %s", self._name, pause, error)
                stop.wait(pause)
                continue
            _wait(conn, stop, 0.0 if moved == self._batch else POLL_SECONDS)


def outgoing(row: StoredRow) -> Outgoing:
    """One stored event as a record: key = the stream's id (16 bytes), so that a stream stays in order.

    Headers: ``type`` (the event's topic in the store), ``schema`` (version of the data), and the port's ids.
    Value: JSON object of event_id, type, stream_id, version, position and data, the last as it is stored.
    """
    event_id = f"{row.stream_id}:{row.version}"
    schema: int = orjson.loads(row.state).get(VERSION_KEY, 1)
    value = orjson.dumps(
        {
            "event_id": event_id,
            "type": row.topic,
            "stream_id": str(row.stream_id),
            "version": row.version,
            "position": row.position,
            "data": orjson.Fragment(row.state),
        }
    )
    headers = {"type": row.topic.encode(), "schema": str(schema).encode()}
    return Outgoing(row.stream_id.bytes, value, event_id, headers, source_id=row.position)


def _wait(conn: psycopg.Connection[TupleRow], stop: Event, seconds: float) -> None:
    """Until something is appended, the time is over, or the stop is set. Also fetches what piled up meanwhile."""
    until = time.monotonic() + seconds
    while not stop.is_set():
        left = until - time.monotonic()
        heard = list(conn.notifies(timeout=max(0.0, min(left, STOP_SECONDS)), stop_after=1))
        if heard or left <= 0:
            return
