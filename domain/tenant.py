"""Whose data a read or a write is about."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Tenant:
    """An environment and the organization that owns it. Every query over tenant data takes one, never a bare id."""

    environment_id: int
    organization_id: UUID
