"""A domain event as consumers receive it from the transport (the relay's message form)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from consumers.transports.port import Poison, Record

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a message raises that is not of the form that it should have."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """`data` is the event's state as stored: times are ISO strings, ids are strings."""

    event_id: str
    type: str
    stream_id: UUID
    version: int
    position: int
    data: dict[str, Any]

    @property
    def recorded_at(self) -> datetime:
        return datetime.fromisoformat(self.data["recorded_at"])

    @property
    def correlation_id(self) -> UUID:
        return UUID(self.data["correlation_id"])


def relayed(record: Record) -> Relayed:
    """Reads a record of the events topic. Raises Poison when it is not of the relay's form."""
    try:
        message = orjson.loads(record.value)
        return Relayed(
            message["event_id"],
            message["type"],
            UUID(message["stream_id"]),
            int(message["version"]),
            int(message["position"]),
            dict(message["data"]),
        )
    except MALFORMED as error:
        raise Poison(record, "not a relayed event") from error
