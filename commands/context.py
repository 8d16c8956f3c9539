"""What every command is told about its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from commands.store.recorder import Refused
from domain.errors import Conflict
from domain.event import Actor, Stamp
from domain.tenant import Tenant

EDIT_ATTEMPTS = 40
"""How often a change is decided anew when somebody else changed the stream in between; then Conflict."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Context:
    """Who acts, for whom, when, and because of what. `tenant` is None for commands on organizations and users."""

    actor: Actor
    now: datetime
    correlation_id: UUID
    tenant: Tenant | None = None
    causation_id: str | None = None

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


def decide_again(attempt: Callable[[], R]) -> R:
    """Runs a load-decide-save attempt until nobody else got in between. Raises Conflict after EDIT_ATTEMPTS."""
    for _ in range(EDIT_ATTEMPTS):
        try:
            return attempt()
        except Refused as refused:
            if refused.refusal != "version":
                raise
    message = "Too many others are changing this at the same time."
    raise Conflict(message)
