"""What every command is told about its caller."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TypeVar
from uuid import UUID

from commands.store.once import Once
from commands.store.recorder import Refused
from domain.errors import Conflict
from domain.event import Actor, Stamp
from domain.tenant import Tenant

EDIT_SECONDS = 10.0
"""How long a change is decided anew when somebody else changed the stream in between; then Conflict."""

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.2

R = TypeVar("R")

_TURNS = tuple(Lock() for _ in range(64))
"""Streams share them by their ids."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who acts, for whom, when, and because of what. `tenant` is None for commands on organizations and users.

    `once` is set for a request that must not be done twice; every save of a command takes it along.
    """

    actor: Actor
    now: datetime
    correlation_id: UUID
    tenant: Tenant | None = None
    causation_id: str | None = None
    once: Once | None = None

    def stamp(self) -> Stamp:
        return Stamp(
            recorded_at=self.now,
            actor=self.actor,
            correlation_id=self.correlation_id,
            environment_id=self.tenant.environment_id if self.tenant else None,
            organization_id=self.tenant.organization_id if self.tenant else None,
            causation_id=self.causation_id,
        )

    def owned(self) -> Tenant:
        """The tenant. Raises ValueError when the command came without one: that is a defect of the caller."""
        if self.tenant is None:
            message = "this command needs a tenant"
            raise ValueError(message)
        return self.tenant


def decide_again(stream_id: UUID, attempt: Callable[[], R]) -> R:
    """Runs a load-decide-save attempt until nobody else got in between. Raises Conflict after EDIT_SECONDS.

    Those of one process take turns, so that a crowd does not decide in vain; against other processes there are pauses
    of random length that grow up to a bound.
    """
    deadline = time.monotonic() + EDIT_SECONDS
    pause = _FIRST_PAUSE
    turn = _TURNS[stream_id.int % len(_TURNS)]
    if turn.acquire(timeout=EDIT_SECONDS):
        try:
            while time.monotonic() < deadline:
                try:
                    return attempt()
                except Refused as refused:
                    if refused.refusal != "version":
                        raise
                time.sleep(random.uniform(0, pause))  # noqa: S311 - spreads retries, guards nothing
                pause = min(_LONGEST_PAUSE, pause * 2)
        finally:
            turn.release()
    message = "Too many others are changing this at the same time."
    raise Conflict(message)
