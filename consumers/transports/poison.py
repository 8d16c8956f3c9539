"""How many dead letters a partition may produce before it stops.

Dead letters are for single bad records. When a publisher or a handler is broken every record looks bad, and moving the
topic into the dead letters would hide that; so a partition stops, loudly, when poison comes in a row or as too large a
share (the idea of arroyo's limits, kafka 6).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from consumers.transports.port import Record


@dataclass(frozen=True, slots=True)
class PoisonCap:
    in_a_row: int = 20
    """Dead letters that may follow each other."""
    share: float = 0.2
    """Largest share of dead letters among the recent records."""
    window: int = 200
    """Records from which the share is counted. At twice as many, old ones start to fade."""
    parked: int = 10_000
    """Records of a partition that may wait behind dead letters of their keys."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a partition has seen lately. Kept in its position row."""

    run: int
    poison: int
    records: int

    def after(self, *, poisoned: bool, cap: PoisonCap) -> Tally:
        """The tally when one more record is done with."""
        poison, records = self.poison + poisoned, self.records + 1
        if records >= 2 * cap.window:
            poison, records = poison // 2, records // 2
        return Tally(self.run + 1 if poisoned else 0, poison, records)

    def passed(self, cap: PoisonCap) -> str | None:
        """Why the cap is passed, or None."""
        if self.run > cap.in_a_row:
            return f"more than {cap.in_a_row} dead letters in a row"
        if self.records >= cap.window and self.poison > cap.share * self.records:
            return f"more than {cap.share:.0%} of the last {self.records} records are dead letters"
        return None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The records of a batch that may be done with, from its start, and the tally then."""

    records: Sequence[Record]
    tally: Tally
    stop: str | None
    """Set when the record after the last admitted one would pass the cap: why the partition stops there."""


def admit(records: Sequence[Record], poison: Collection[int], tally: Tally, cap: PoisonCap) -> Admitted:
    """Cuts the batch before the first poison record that passes the cap. ``poison`` holds offsets."""
    for index, record in enumerate(records):
        poisoned = record.offset in poison
        after = tally.after(poisoned=poisoned, cap=cap)
        reason = after.passed(cap) if poisoned else None
        if reason:
            return Admitted(records[:index], tally, reason)
        tally = after
    return Admitted(records, tally, None)
