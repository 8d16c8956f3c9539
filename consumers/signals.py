"""Publishes what scanners with `emits_signals` have found to the topic `signals` (engine 4.5), each finding once.

A finding's id is made of its observation and its place there, so that whatever is published again, after a crash or in
another year, is told to be the same. The words of a finding are private text: they are read at the moment they are
published, and what was erased by then is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumers.relayed import MALFORMED, Relayed, relayed
from consumers.transports.port import Outgoing, Poison, Record
from domain.scanner_types import FINDINGS
from domain.scanner_types.findings import FLOOR
from domain.session_facts import SessionFacts
from domain.tenant import Tenant
from projections.engine.waiting import wait_for
from projections.queries.findings import Reported, reported
from projections.queries.sessions import session_facts

GROUP: Final = "signals"
TOPIC: Final = "signals"

WEIGHT: Final = 0.5
"""Of one finding: whoever collects them acts at 1.0, that is when a second one agrees (engine 4.5)."""

PATIENCE_SECONDS: Final = 2.0


class Late(Exception):
    """The projections have not passed the event yet: not now."""


class Publisher(Protocol):
    def publish(self, topic: str, records: Sequence[Outgoing]) -> None: ...


class Signals:
    """Handles the events topic."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection[TupleRow]],
        transport: Publisher,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._transport = transport
        self._clock = clock

    def handle(self, connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Transport handler. Published is before the position moves: a crash repeats records with the same ids."""
        told = [(record, event) for record in records if _tells(record, event := relayed(record))]
        if not told:
            return
        last = max(event.position for _, event in told)
        if not wait_for(self._pool, ("observations",), last, PATIENCE_SECONDS):
            raise Late(f"the observations are not yet at {last}")
        messages = [message for record, event in told for message in self._messages(connection, record, event)]
        if messages:
            self._transport.publish(TOPIC, messages)

    def _messages(self, connection: psycopg.Connection, record: Record, event: Relayed) -> list[Outgoing]:
        """Of one observation. What is not there any more, and what has no words any more, is left out."""
        try:
            tenant = Tenant(int(event.data["environment_id"]), UUID(event.data["organization_id"]))
        except MALFORMED as error:
            raise Poison(record, f"not a {event.type}") from error
        found = reported(connection, tenant, event.stream_id)
        if found is None:
            return []
        facts = session_facts(connection, tenant, found.session_id, self._clock())
        return [
            signal_of(tenant, event.stream_id, index, found, facts)
            for index, finding in enumerate(found.findings)
            if finding.get("headline") and finding.get("description") and finding["confidence"] >= FLOOR
        ]


def _tells(record: Record, event: Relayed) -> bool:
    try:
        return event.type == "ObservationSucceeded" and bool(event.data["result"].get(FINDINGS))
    except MALFORMED as error:
        raise Poison(record, f"not a {event.type}") from error


def signal_of(
    tenant: Tenant, observation_id: UUID, index: int, found: Reported, facts: SessionFacts | None
) -> Outgoing:
    """The record of one of the findings that were reported. `facts` are None when the recording is gone."""
    finding = found.findings[index]
    source_id = f"observation:{observation_id}:{index}"
    value = {
        "source_product": "replay_vision",
        "source_type": "scanner_finding",
        "source_id": source_id,
        "environment_id": tenant.environment_id,
        "at": found.completed_at,
        "weight": WEIGHT,
        "headline": finding["headline"],
        "description": finding["description"],
        "extra": {
            "scanner_id": found.scanner_id,
            "scanner_name": found.scanner_name,
            "scanner_type": found.scanner_type,
            "observation_id": observation_id,
            "session_id": found.session_id,
            "distinct_id": found.distinct_id,
            "problem_type": finding["problem_type"],
            "confidence": finding["confidence"],
            "start_time": finding["start_time"],
            "end_time": finding["end_time"],
            "start_url": facts.start_url if facts else None,
            "recording_start": facts.start_time if facts else None,
            "recording_end": facts.end_time if facts else None,
            "recording_duration": facts.recording_duration if facts else None,
            "active_seconds": facts.active_seconds if facts else None,
        },
    }
    headers = {
        "environment_id": str(tenant.environment_id).encode(),
        "problem_type": str(finding["problem_type"]).encode(),
    }
    return Outgoing(found.session_id.encode(), orjson.dumps(value, option=orjson.OPT_UTC_Z), source_id, headers)
