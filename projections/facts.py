"""What an event says about its stream, field by field, in the contract's words; for the history.

Never private text (only its reference is in events, and not even that is shown), hashes of keys, or lease tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from domain import (
    accounts,
    action,
    action_run,
    alert,
    endpoint,
    integration,
    observation,
    recording,
    run_deliveries,
    scanner,
    webhook_secret,
)
from domain.event import Event

PASSING = frozenset({"grant", "gap", "gap_redriven", "try_failure", "usage", "attempt"})
"""Fields that tell of something that happened rather than of a state: their `before` is always null."""

Facts = dict[str, JsonValue]


def facts(event: Event) -> Facts:
    """Field name to its value after the event. Raises KeyError for an event class that is not listed here."""
    return _FACTS[type(event)](event)


def _named(*names: str, **given: JsonValue) -> Callable[[Any], Facts]:
    """Fields taken over from the event, and fields that the event's class stands for."""

    def read(event: Any) -> Facts:
        return {**{name: _plain(getattr(event, name)) for name in names}, **given}

    return read


def _plain(value: Any) -> JsonValue:
    if isinstance(value, datetime):
        return _time(value)
    return str(value) if isinstance(value, UUID | Decimal) else value


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _reconfigured(event: scanner.ScannerReconfigured) -> Facts:
    origin: Facts = {} if event.restored_from is None else {"restored_from": event.restored_from}
    return {**event.changes, "scanner_version": event.scanner_version, **origin}


def _gap(event: scanner.SweepGapSkipped) -> Facts:
    return {"gap": {"from": event.start, "to": event.end, "reason": event.reason}}


def _redriven(event: scanner.SweepGapRedriven) -> Facts:
    return {"gap_redriven": {"id": str(event.gap_id), "from": event.start, "to": event.end}}


def _grant(event: accounts.QuotaGranted) -> Facts:
    return {"grant": {"amount": event.amount, "expires_at": _time(event.expires_at)}}


def _test_accounts(event: accounts.EnvironmentTestAccountsSet) -> Facts:
    return {"test_accounts": list(event.filters)}


def _action_changes(event: action.ActionReconfigured) -> Facts:
    return dict(event.changes)


def _reading(outcome: str) -> Callable[[Any], Facts]:
    """What a run measured, as one field: it tells of the run and not of a state that an earlier event began."""

    def read(event: alert.Reading) -> Facts:
        told: Facts = {"told": event.told} if isinstance(event, alert.AlertFired | alert.AlertResolved) else {}
        return {"alert": {"outcome": outcome, "value": event.value, **told}}

    return read


def _run_ended(status: str) -> Callable[[Any], Facts]:
    def read(event: action_run.ActionRunFailed | action_run.ActionRunSkipped) -> Facts:
        return {"status": status, "error_reason": f"{event.reason}:{event.message}"}

    return read


def _attempted(event: run_deliveries.DeliveryAttempted) -> Facts:
    """Not what the target answered: it is private text."""
    named = ("delivery_id", "number", "at", "status_code", "duration_ms", "error", "retry_at")
    return {"attempt": {name: _plain(getattr(event, name)) for name in named}}


def _delivery(status: str) -> Callable[[Any], Facts]:
    def read(event: Any) -> Facts:
        return {f"delivery {event.delivery_id}": status}

    return read


def _requested(event: observation.ObservationRequested) -> Facts:
    version = event.scanner_snapshot.get("scanner_version")
    asked = _named("scanner_id", "session_id", "triggered_by", "triggered_by_user", "run", status="pending")(event)
    return {**asked, "scanner_version": version}


def _try_failed(event: observation.TryFailed) -> Facts:
    failure: Facts = {"kind": event.kind, "message": event.message, "retry_at": _time(event.retry_at)}
    return {"try_failure": failure, **_usage(event)}


def _ended(status: str) -> Callable[[Any], Facts]:
    def read(event: observation.ObservationFailed | observation.ObservationIneligible) -> Facts:
        return {"status": status, "error_reason": f"{event.kind}:{event.message}", **_usage(event)}

    return read


def _usage(event: observation.TryFailed | observation.ObservationFailed | observation.ObservationIneligible) -> Facts:
    """Of a try without an answer, as one field: sums, so that none is left out for being the same as an earlier one.

    Null where a model was not asked, or where nobody knows.
    """
    if not event.requests and not event.input_tokens:
        return {"usage": None}
    return {"usage": {each.name: _plain(getattr(event, each.name)) for each in fields(observation.Usage)}}


_FACTS: dict[type[Event], Callable[[Any], Facts]] = {
    scanner.ScannerCreated: _named(
        "name", "description", "scanner_type", "enabled", "created_by", *scanner.VERSIONED, scanner_version=1
    ),
    scanner.ScannerRenamed: _named("name"),
    scanner.ScannerDescribed: _named("description"),
    scanner.ScannerReconfigured: _reconfigured,
    scanner.ScannerEnabled: _named(enabled=True),
    scanner.ScannerDisabled: _named(enabled=False),
    scanner.SweepGapSkipped: _gap,
    scanner.SweepGapRedriven: _redriven,
    scanner.ScannerDeleted: _named(deleted=True),
    observation.ObservationRequested: _requested,
    observation.ScanStarted: _named("try_number", status="running"),
    observation.TryFailed: _try_failed,
    observation.ObservationSucceeded: _named(
        "result", "signals_count", "provider", "model", "input_tokens", "output_tokens", "cost_usd", "duration_ms",
        "evidence_digest", "prompt_digest", "answer_digest", "reused_from", status="succeeded",
    ),
    observation.ObservationFailed: _ended("failed"),
    observation.ObservationIneligible: _ended("ineligible"),
    observation.ObservationRetried: _named("run", "triggered_by_user", status="pending", try_number=0, error_reason=""),
    action.ActionCreated: _named("name", "enabled", "next_run_at", "created_by", *action.CONFIGURED),
    action.ActionRenamed: _named("name"),
    action.ActionReconfigured: _action_changes,
    action.ActionScheduled: _named("next_run_at"),
    action.ActionEnabled: _named(enabled=True),
    action.ActionDisabled: _named(enabled=False),
    action.ActionDeleted: _named(deleted=True),
    action_run.ActionRunClaimed: _named(
        "action_id", "scanner_id", "cause", "triggered_by_user", "scheduled_at", "next_run_at", "window_start",
        "window_end", "position", "action_version", "action", status="running",
    ),
    action_run.ActionRunStarted: _named("try_number", "window_start", "since"),
    action_run.ReportWritten: _named(
        "observation_count", "matched", "provider", "model", "input_tokens", "output_tokens", "cost_usd",
        "digests",
    ),
    action_run.ActionRunCompleted: _named(status="completed"),
    action_run.ActionRunSkipped: _run_ended("skipped"),
    action_run.ActionRunFailed: _run_ended("failed"),
    run_deliveries.DeliveryAttempted: _attempted,
    run_deliveries.DeliverySucceeded: _delivery("succeeded"),
    run_deliveries.DeliveryAbandoned: _delivery("abandoned"),
    run_deliveries.RedeliveryRequested: _delivery("pending"),
    alert.AlertMeasured: _reading("measured"),
    alert.AlertFired: _reading("fired"),
    alert.AlertResolved: _reading("resolved"),
    integration.IntegrationCreated: _named("integration_id", "kind"),
    integration.IntegrationDeleted: _named(deleted=True),
    webhook_secret.WebhookSecretCreated: _named("secret_id"),
    webhook_secret.WebhookSecretRetired: _named(deleted=True),
    endpoint.EndpointRegistered: _named("type"),
    endpoint.EndpointDisabled: _named("reason", "failing_since", enabled=False),
    endpoint.EndpointEnabled: _named(reason=None, failing_since=None, enabled=True),
    recording.SessionDeleted: _named("session_id", deleted=True),
    accounts.OrganizationCreated: _named("name", "monthly_quota"),
    accounts.QuotaSet: _named("monthly_quota"),
    accounts.QuotaGranted: _grant,
    accounts.EnvironmentCreated: _named("name", "timezone", "project_token"),
    accounts.ProjectTokenRotated: _named("project_token"),
    accounts.RetentionSet: _named("retention_days"),
    accounts.EnvironmentTestAccountsSet: _test_accounts,
    accounts.EnvironmentActionsDefined: _named("actions"),
    accounts.UserCreated: _named("user_id"),
    accounts.ApiKeyIssued: _named("user_id", "label", "prefix", "scopes", "environment_ids", "expires_at"),
    accounts.ApiKeyRevoked: _named(revoked=True),
}  # fmt: skip
"""Every event of the log. A test holds this against the catalogue."""
