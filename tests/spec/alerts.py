"""One alert as its runs see it: each reads a value, decides, and its reading is folded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.alert import AlertFired, AlertMeasured, AlertResolved, Cause, Change, Reading, after, armed, decide
from tests.spec.given import NOW, STAMP, STREAM

ACTION = UUID("0197b2aa-9a01-7c44-b1d2-7e0e5a6b1c55")
CLASSES: dict[Change | None, type[Any]] = {None: AlertMeasured, "fired": AlertFired, "resolved": AlertResolved}


class Alert:
    """Begins clear at NOW, in version 1 of its action, at position 10 of the log. Every run takes one more position."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.now = NOW
        self.position = 10
        self.state = armed(1, NOW, self.position)

    def read(self, value: float | None, *, cause: Cause = "schedule", minutes: float = 0) -> str:
        """A run some minutes later, and what came of it: the change and whether it was told, or why there is none."""
        self._go_on(minutes)
        decision = decide(self.config, self.state, value, self.now)
        reading = self.reading(value, decision.change, told=decision.told, cause=cause)
        self.state = after(self.state, reading)
        if decision.change is None:
            return decision.reason
        return f"{decision.change}, told" if decision.told else decision.change

    def fail(self, minutes: float = 0) -> None:
        """A run that fails records no reading."""
        self._go_on(minutes)

    def change(self, version: int, minutes: float = 0) -> None:
        """What it watches is changed."""
        self._go_on(minutes)
        self.state = armed(version, self.now, self.position, self.state)

    def reading(self, value: float | None, change: Change | None, *, told: bool, cause: Cause = "schedule") -> Reading:
        """The event of a run that looks at the log as it now is."""
        fields: dict[str, Any] = {
            "originator_id": STREAM,
            "originator_version": 2,
            **STAMP.fields(),
            "timestamp": self.now,
            "action_id": ACTION,
            "condition": self.state.condition,
            "cause": cause,
            "window_start": self.state.measured_until,
            "window_end": self.now,
            "position": self.position,
            "value": value,
        }
        return CLASSES[change](**fields) if change is None else CLASSES[change](**fields, told=told)

    def _go_on(self, minutes: float) -> None:
        self.now: datetime = self.now + timedelta(minutes=minutes)
        self.position += 1
