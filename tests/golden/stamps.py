"""What the golden histories are made of: fixed ids, and one stamp after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from domain.event import Actor, Stamp, TextRef

BEGAN = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)
NAMES = UUID("5a0f6b3e-6c0e-4c56-9a3d-0d3f2f1f7c11")
ORGANIZATION = uuid5(NAMES, "organization")
SCANNER = uuid5(NAMES, "scanner")
WORKERS = [uuid5(NAMES, f"worker {number}") for number in range(4)]


class Stamps:
    """One stamp after the other, a second apart, by every kind of actor in turn."""

    ACTORS = (
        Actor(type="user", user_id=17),
        Actor(type="key", user_id=17, key_prefix="phx_golden00"),
        Actor(type="system", role="scanning"),
    )

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> Stamp:
        self._count += 1
        return Stamp(
            recorded_at=BEGAN + timedelta(seconds=self._count),
            actor=self.ACTORS[self._count % len(self.ACTORS)],
            correlation_id=uuid5(NAMES, f"correlation {self._count // 3}"),
            environment_id=7,
            organization_id=ORGANIZATION,
            causation_id=f"message-{self._count}" if self._count % 2 else None,
        )


def text(name: str) -> TextRef:
    return TextRef(id=uuid5(NAMES, name), digest=f"{uuid5(NAMES, name).hex}{uuid5(NAMES, name).hex}")
