"""A batch on its way into the store: decoded once and counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consumers.capture.digest.console import ConsoleLine, console_lines
from consumers.capture.digest.facts import Facts, facts_of
from consumers.capture.messages.snapshot import MAX_PLAIN_BYTES, Snapshot
from consumers.capture.wire.encodings import MAX_NESTING, dump
from consumers.capture.wire.refusals import Undecodable

MAX_LINES_BYTES = 2 * MAX_PLAIN_BYTES
"""The lines of one part: its message, and a window id in front of every event."""


@dataclass(frozen=True, slots=True)
class Part:
    """`lines` is JSON lines `[window, event]`, events as received, still to be packed (packing.py).

    `unreadable_count`: items that are no events, among the lines or left out of the message.
    """

    environment_id: int
    session_id: str
    uuid: UUID
    window_id: str
    lines: bytes
    facts: Facts
    unreadable_count: int
    sent_at: datetime | None
    received_at: datetime
    console: Sequence[ConsoleLine] = ()

    @property
    def session(self) -> tuple[int, str]:
        return self.environment_id, self.session_id


def part_of(snapshot: Snapshot, environment_id: int) -> Part:
    """Raises Undecodable when no item is an event, TooLarge when one is nested too deeply."""
    window_id = snapshot.window_id
    lines = b"\n".join([*[dump([window_id, item], MAX_NESTING + 1) for item in snapshot.items], b""])
    found = facts_of(snapshot, len(lines))
    if found is None:
        raise Undecodable("No item of the message is an rrweb event.")
    facts, unreadable = found
    return Part(
        environment_id=environment_id,
        session_id=snapshot.session_id,
        uuid=snapshot.uuid,
        window_id=snapshot.window_id,
        lines=lines,
        facts=facts,
        unreadable_count=unreadable + snapshot.left_out,
        sent_at=snapshot.sent_at,
        received_at=snapshot.received_at,
        console=console_lines(snapshot.items),
    )
