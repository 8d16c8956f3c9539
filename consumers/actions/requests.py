"""Turns claimed runs, finished reports and wishes to deliver again into jobs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import psycopg

from consumers.actions import jobs
from consumers.relayed import MALFORMED, Relayed, relayed
from consumers.transports.port import Poison, Record
from domain.run_deliveries import delivery_items

GROUP = "actions"


class JobMaker:
    """Handles the events topic: jobs are written in the transaction that moves the consumer's position.

    Deliveries are noted when a run is claimed, and wait for its report.
    """

    def handle(self, connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Transport handler."""
        for record in records:
            event = relayed(record)
            try:
                _handle(connection, event)
            except MALFORMED as error:
                raise Poison(record, f"not a {event.type}") from error


def _handle(connection: psycopg.Connection, event: Relayed) -> None:
    match event.type:
        case "ActionRunClaimed":
            jobs.enqueue(connection, _job(event, event.stream_id))
            for item in delivery_items(event.data["action"]):
                jobs.enqueue(connection, _job(event, UUID(str(item["id"]))), waiting=True)
        case "ActionRunCompleted":
            jobs.deliver(connection, event.stream_id)
        case "ActionRunSkipped" | "ActionRunFailed":
            jobs.drop_deliveries(connection, event.stream_id)
        case "RedeliveryRequested":
            jobs.enqueue(connection, _job(event, UUID(event.data["delivery_id"]), int(event.data["round"])))
        case _:
            pass


def _job(event: Relayed, delivery_id: UUID, round_: int = 1) -> jobs.NewJob:
    return jobs.NewJob(
        run_id=event.stream_id,
        kind="run" if delivery_id == event.stream_id else "delivery",
        delivery_id=delivery_id,
        round=round_,
        environment_id=int(event.data["environment_id"]),
        organization_id=UUID(event.data["organization_id"]),
        position=event.position,
        correlation_id=event.correlation_id,
    )
