"""Turns requested and retried observations into scan jobs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import psycopg

from consumers.relayed import MALFORMED, Relayed, relayed
from consumers.scanning import jobs
from consumers.transports.port import Poison, Record

GROUP = "scanning"


class JobMaker:
    """Handles the events topic: one job per run, enqueued in the transaction that moves the consumer's position."""

    def handle(self, connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Transport handler."""
        for record in records:
            event = relayed(record)
            try:
                if event.type == "ObservationRequested":
                    _enqueue(connection, event, str(event.data["triggered_by"]))
                elif event.type == "ObservationRetried":
                    _enqueue(connection, event, "on_demand")
            except MALFORMED as error:
                raise Poison(record, f"not a {event.type}") from error


def _enqueue(connection: psycopg.Connection, event: Relayed, trigger: str) -> None:
    jobs.enqueue(
        connection,
        jobs.NewJob(
            observation_id=event.stream_id,
            run=int(event.data["run"]),
            environment_id=int(event.data["environment_id"]),
            organization_id=UUID(event.data["organization_id"]),
            scanner_id=UUID(event.data["scanner_id"]),
            session_id=str(event.data["session_id"]),
            trigger=trigger,
            correlation_id=event.correlation_id,
        ),
    )
