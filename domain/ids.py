"""Deterministic identities: the same question about the same thing has the same id, so a repeat cannot double it."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

NAMESPACE = UUID("6f1d3a52-7f0a-5c0e-9d55-2b8f5f0c4a11")


def observation_id(environment_id: int, scanner_id: UUID, session_id: str) -> UUID:
    """One observation per (scanner, session), for ever (architecture 4)."""
    return uuid5(NAMESPACE, f"observation/{environment_id}/{scanner_id}/{session_id}")


def gap_id(scanner_id: UUID, first: int) -> UUID:
    """A gap in a scanner's schedule, by the settle number that it begins with: gaps of a scanner never overlap."""
    return uuid5(NAMESPACE, f"gap/{scanner_id}/{first}")


def run_id(action_id: UUID, scheduled_at: datetime) -> UUID:
    """One run of an action for each time it is due, however often it is claimed (engine 11, row 5)."""
    return uuid5(NAMESPACE, f"run/{action_id}/{scheduled_at.astimezone(UTC).isoformat()}")


def recording_stream(environment_id: int, session_id: str) -> UUID:
    """One stream a recorded session, which can be deleted once."""
    return uuid5(NAMESPACE, f"recording/{environment_id}/{session_id}")


def environment_stream(environment_id: int) -> UUID:
    return uuid5(NAMESPACE, f"environment/{environment_id}")


def user_stream(user_id: int) -> UUID:
    return uuid5(NAMESPACE, f"user/{user_id}")


def integration_stream(integration_id: int) -> UUID:
    return uuid5(NAMESPACE, f"integration/{integration_id}")


def webhook_secret_stream(secret_id: int) -> UUID:
    return uuid5(NAMESPACE, f"webhook_secret/{secret_id}")


def endpoint_stream(environment_id: int, kind: str, target: str) -> UUID:
    """One stream for each place that an environment delivers to, whichever of its actions does."""
    return uuid5(NAMESPACE, f"endpoint/{environment_id}/{kind}/{target}")


def workflow_id(scanner_id: UUID, session_id: str) -> str:
    """The reference product's handle of one application of a scanner to a session (contract 4.1)."""
    return f"replay-vision-apply-scanner-{scanner_id}-{session_id}"
