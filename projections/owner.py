"""Whose an event is. An event that does not say is defective, and its stream is parked."""

from uuid import UUID

from domain.event import Event


def environment_of(event: Event) -> int:
    """Raises ValueError when the event names no environment."""
    if event.environment_id is None:
        message = f"{event.TOPIC} without an environment"
        raise ValueError(message)
    return event.environment_id


def organization_of(event: Event) -> UUID:
    """Raises ValueError when the event names no organization."""
    if event.organization_id is None:
        message = f"{event.TOPIC} without an organization"
        raise ValueError(message)
    return event.organization_id
