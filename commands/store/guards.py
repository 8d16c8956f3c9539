"""Guard statements: rules over sets, checked and written inside the append's own transaction (architecture 4).

Each guard is one JSON object that `store.apply_guards` (schema/0001_events.sql) runs under the append lock. A guard
that does not hold refuses the whole save and nothing of it is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

Guard = dict[str, Any]

ALIVE_SCANNER = "scanner"
"""Claim scope: scanners that exist. Key and owner are the scanner's id."""


def scanner_name(environment_id: int) -> str:
    """Claim scope of scanner names, exact and case-sensitive, per environment."""
    return f"scanner_name:{environment_id}"


ALIVE_ACTION = "action"
"""Claim scope: actions that exist. Key and owner are the action's id."""


def action_name(environment_id: int) -> str:
    """Claim scope of action names, exact and case-sensitive, per environment."""
    return f"action_name:{environment_id}"


def actions_of(scanner_id: UUID) -> str:
    """Claim scope of the actions that are bound to a scanner. Key and owner are the action's id."""
    return f"action_of:{scanner_id}"


def runs_of(action_id: UUID) -> str:
    """Claim scope of an action's runs that have not ended. Key and owner are the run's id."""
    return f"run_of:{action_id}"


def integrations_of(environment_id: int, kind: str) -> str:
    """Claim scope of an environment's integrations of one kind. The key is the integration's number."""
    return f"integration:{environment_id}:{kind}"


def webhook_secrets_of(environment_id: int) -> str:
    """Claim scope of an environment's webhook secrets that are alive. The key is the secret's number."""
    return f"webhook_secret:{environment_id}"


def erase(reference: UUID) -> Guard:
    """Removes a private text and its salt."""
    return {"op": "erase", "id": str(reference)}


def absent(stream: UUID) -> Guard:
    """Refuses with `exists` when the stream has events."""
    return {"op": "absent", "stream": str(stream)}


def at_most(scope: str, most: int) -> Guard:
    """Refuses with `full:<scope>` when more keys of the scope are claimed."""
    return {"op": "at_most", "scope": scope, "most": most}


def claim(scope: str, key: str, owner: UUID) -> Guard:
    """Takes a unique key. Refuses with `taken:<scope>` when somebody holds it."""
    return {"op": "claim", "scope": scope, "key": key, "owner": str(owner)}


def release(scope: str, key: str, owner: UUID) -> Guard:
    """Frees a key; only its owner's claim is removed."""
    return {"op": "release", "scope": scope, "key": key, "owner": str(owner)}


def require(scope: str, key: str) -> Guard:
    """Refuses with `missing:<scope>` unless the key is claimed, so that deletes and requests cannot cross."""
    return {"op": "require", "scope": scope, "key": key}


def reserve(
    *,
    scanner_id: UUID,
    environment_id: int,
    organization_id: UUID,
    period: str,
    at: datetime,
    default_quota: int,
    scanner_cap: int,
    environment_cap: int,
) -> Guard:
    """Takes one observation of the quota and one place in flight. Refuses with `no_quota` or `capped`."""
    return {
        "op": "reserve",
        "scanner_id": str(scanner_id),
        "environment_id": environment_id,
        "organization_id": str(organization_id),
        "period": period,
        "at": at.isoformat(),
        "default_quota": default_quota,
        "scanner_cap": scanner_cap,
        "environment_cap": environment_cap,
    }


def scheduled(*, environment_id: int, at: datetime, most: int) -> Guard:
    """Counts one scan of the schedule for the environment's day (UTC). Refuses with `day_full` beyond `most`."""
    return {"op": "scheduled", "environment_id": environment_id, "day": str(at.astimezone(UTC).date()), "most": most}


def settle(*, scanner_id: UUID, period: str, refund: bool) -> Guard:
    """Ends work in flight; `refund` gives the observation back to the period of its reservation."""
    return {"op": "settle", "scanner_id": str(scanner_id), "period": period, "refund": refund}


def release_scanner(scanner_id: UUID) -> Guard:
    """Gives back everything that the scanner has in flight. Refuses with `version` while actions are bound to it."""
    return {"op": "release_scanner", "scanner_id": str(scanner_id)}


def set_quota(organization_id: UUID, monthly_quota: int | None) -> Guard:
    """None: the configured default applies."""
    return {"op": "set_quota", "organization_id": str(organization_id), "monthly_quota": monthly_quota}


def grant_quota(organization_id: UUID, amount: int, expires_at: datetime) -> Guard:
    return {
        "op": "grant_quota",
        "organization_id": str(organization_id),
        "amount": amount,
        "expires_at": expires_at.isoformat(),
    }
