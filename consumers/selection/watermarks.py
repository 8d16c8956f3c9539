"""Where each scanner's schedule stands: a settle number.

A new or re-enabled scanner starts at the settle number that was current when it was created or enabled, so the time
in which it was off is neither scanned nor charged, and sessions that settle later are seen (architecture 5). The number
is derived from the event's own time, so it does not matter how late this consumer hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from consumers.relayed import MALFORMED, Relayed, relayed
from consumers.selection.redrive import begin, forget
from consumers.transports.port import Poison, Record
from projections.queries.sessions import settle_number_at

GROUP = "selection"

TOO_SLOW = "too_slow"
"""Why a watermark stands still: its query cannot be answered in time, of however few sessions."""

_START = """
INSERT INTO selection.watermark AS w
    (scanner_id, environment_id, organization_id, enabled, settle_number, swept_at, as_of)
VALUES (%(scanner_id)s, %(environment_id)s, %(organization_id)s, %(enabled)s,
        %(settle_number)s,
        %(at)s - %(settle)s, %(position)s)
ON CONFLICT (scanner_id) DO UPDATE SET enabled = excluded.enabled, settle_number = excluded.settle_number,
    swept_at = excluded.swept_at, waiting_for = NULL, waiting_since = NULL, as_of = excluded.as_of
WHERE w.as_of < excluded.as_of
"""
_STOP = """
UPDATE selection.watermark SET enabled = false, waiting_for = NULL, waiting_since = NULL, as_of = %s
WHERE scanner_id = %s AND as_of < %s
"""
_FORGET = "DELETE FROM selection.watermark WHERE scanner_id = %s"
_ENABLED = """
SELECT scanner_id, environment_id, organization_id, settle_number, waiting_for IS NOT DISTINCT FROM 'too_slow'
    AS too_slow, waiting_since
FROM selection.watermark WHERE enabled
ORDER BY waiting_for IS NOT DISTINCT FROM 'too_slow', CASE waiting_for WHEN 'too_slow' THEN random() END, swept_at,
    scanner_id
"""
_ADVANCE = """
UPDATE selection.watermark
SET settle_number = %(to)s, swept_at = greatest(swept_at, %(passed)s - %(settle)s), waiting_for = NULL,
    waiting_since = NULL
WHERE scanner_id = %(scanner_id)s AND settle_number = %(from)s AND enabled
"""
_WAIT = """
UPDATE selection.watermark
SET waiting_for = %(reason)s,
    waiting_since = CASE WHEN waiting_for = %(reason)s THEN waiting_since ELSE %(at)s END
WHERE scanner_id = %(scanner_id)s AND settle_number = %(from)s AND enabled
"""


@dataclass(frozen=True, slots=True)
class Watermark:
    """An enabled scanner and the settle number it has passed.

    `too_slow`: its query took too long last time. `waiting_since`: when it began to stand still, for whatever reason.
    """

    scanner_id: UUID
    environment_id: int
    organization_id: UUID
    settle_number: int
    too_slow: bool
    waiting_since: datetime | None = None


class WatermarkKeeper:
    """Handles the events topic: scanners that begin, pause and end, and gaps that are asked for after all."""

    def __init__(self, settle_interval: timedelta) -> None:
        self._settle = settle_interval

    def handle(self, connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Transport handler."""
        for record in records:
            event = relayed(record)
            try:
                self._handle(connection, event)
            except MALFORMED as error:
                raise Poison(record, f"not a {event.type}") from error

    def _handle(self, connection: psycopg.Connection, event: Relayed) -> None:
        match event.type:
            case "ScannerCreated":
                self._start(connection, event, enabled=bool(event.data["enabled"]))
            case "ScannerEnabled":
                self._start(connection, event, enabled=True)
            case "ScannerDisabled":
                connection.execute(_STOP, (event.position, event.stream_id, event.position))
            case "ScannerDeleted":
                connection.execute(_FORGET, (event.stream_id,))
                forget(connection, event.stream_id)
            case "SweepGapRedriven":
                begin(connection, event)
            case _:
                return

    def _start(self, connection: psycopg.Connection, event: Relayed, *, enabled: bool) -> None:
        connection.execute(
            _START,
            {
                "scanner_id": event.stream_id,
                "environment_id": event.data["environment_id"],
                "organization_id": event.data["organization_id"],
                "enabled": enabled,
                "at": event.recorded_at,
                "settle_number": settle_number_at(connection, event.recorded_at),
                "settle": self._settle,
                "position": event.position,
            },
        )


def enabled_watermarks(connection: psycopg.Connection) -> list[Watermark]:
    """Every enabled scanner, the one that was swept longest ago first, those with slow queries last."""
    with connection.cursor(row_factory=class_row(Watermark)) as cursor:
        return cursor.execute(_ENABLED).fetchall()


def advance(
    connection: psycopg.Connection, watermark: Watermark, to: int, passed: datetime, settle_interval: timedelta
) -> bool:
    """Moves the watermark from the value that was read; False when somebody else moved or stopped it meanwhile."""
    values = {
        "scanner_id": watermark.scanner_id,
        "from": watermark.settle_number,
        "to": to,
        "passed": passed,
        "settle": settle_interval,
    }
    return connection.execute(_ADVANCE, values).rowcount == 1


def note_waiting(connection: psycopg.Connection, watermark: Watermark, reason: str, at: datetime) -> None:
    """Says why the watermark stands still, so that a scanner never looks healthy while it produces nothing."""
    values = {"scanner_id": watermark.scanner_id, "from": watermark.settle_number, "reason": reason, "at": at}
    connection.execute(_WAIT, values)
