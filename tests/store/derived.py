"""Guard rows are derivable: rebuilt from the log, they must be what the appends have left (architecture 4).

`assert_derivable(conninfo)` folds the whole log into guard rows and compares them with the stored ones. E-mail claims
are digests of private text, so their rows are read too; an erased profile would leave its claim underivable.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import psycopg

from commands.accounts import email_key
from commands.store.event_log import EventLog
from commands.store.guards import (
    ALIVE_ACTION,
    ALIVE_SCANNER,
    action_name,
    actions_of,
    integrations_of,
    scanner_name,
    webhook_secrets_of,
)
from domain.accounts import ApiKeyIssued, EnvironmentCreated, OrganizationCreated, QuotaGranted, QuotaSet, UserCreated
from domain.action import ActionCreated, ActionDeleted, ActionReconfigured, ActionRenamed
from domain.event import Event
from domain.ids import environment_stream
from domain.integration import IntegrationCreated, IntegrationDeleted
from domain.observation import (
    ObservationFailed,
    ObservationIneligible,
    ObservationRequested,
    ObservationRetried,
    ObservationSucceeded,
)
from domain.scanner import ScannerCreated, ScannerDeleted, ScannerRenamed
from domain.webhook_secret import WebhookSecretCreated, WebhookSecretRetired

Claim = tuple[str, str, UUID]
Charge = tuple[UUID, str]
"""(organization, period) of quota use; (scanner, period) of work in flight."""

FIRST_ENVIRONMENT = environment_stream(1)


@dataclass
class GuardRows:
    """Everything that guards write, without rows that say nothing (a count of 0, a limit that is the default)."""

    claims: set[Claim] = field(default_factory=set[Claim])
    limits: dict[UUID, int] = field(default_factory=dict[UUID, int])
    grants: Counter[tuple[UUID, int, datetime]] = field(default_factory=Counter[tuple[UUID, int, datetime]])
    used: Counter[Charge] = field(default_factory=Counter[Charge])
    in_flight: Counter[Charge] = field(default_factory=Counter[Charge])
    scheduled: dict[int, tuple[date, int]] = field(default_factory=dict[int, tuple[date, int]])


def stored(connection: psycopg.Connection) -> GuardRows:
    """The rows as they are."""
    rows = GuardRows()
    rows.claims = set(connection.execute("SELECT scope, key, owner FROM store.claim").fetchall())
    limits = "SELECT organization_id, monthly_quota FROM store.quota_limit WHERE monthly_quota IS NOT NULL"
    rows.limits = dict(connection.execute(limits).fetchall())
    grants = "SELECT organization_id, amount, expires_at FROM store.quota_grant"
    rows.grants = Counter(connection.execute(grants).fetchall())
    used = "SELECT organization_id, period, used FROM store.quota_usage WHERE used <> 0"
    rows.used = Counter({(owner, period): count for owner, period, count in connection.execute(used)})
    flying = "SELECT scanner_id, period, count FROM store.in_flight WHERE count <> 0"
    rows.in_flight = Counter({(owner, period): count for owner, period, count in connection.execute(flying)})
    days = connection.execute("SELECT environment_id, day, count FROM store.scheduled")
    rows.scheduled = {environment: (day, count) for environment, day, count in days}
    return rows


def rebuilt(connection: psycopg.Connection) -> GuardRows:
    """The rows as the log tells them."""
    fold = _Fold(connection)
    log, after = EventLog(), 0
    while page := log.read(connection, after):
        for recorded in page:
            fold.apply(recorded.event)
        after = page[-1].position
    return fold.rows


def assert_derivable(conninfo: str) -> GuardRows:
    """Compares stored and rebuilt rows in one snapshot, and returns them."""
    with psycopg.connect(conninfo) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        is_, should_be = stored(connection), rebuilt(connection)
    assert is_.claims == should_be.claims
    assert is_.limits == should_be.limits
    assert is_.grants == should_be.grants
    assert is_.used == +should_be.used
    assert is_.in_flight == +should_be.in_flight
    assert is_.scheduled == should_be.scheduled
    assert all(count >= 0 for count in (*should_be.used.values(), *should_be.in_flight.values()))
    return is_


class _Fold:
    def __init__(self, connection: psycopg.Connection) -> None:
        self.rows = GuardRows()
        self._connection = connection
        self._names: dict[UUID, Claim] = {}
        self._running: dict[UUID, tuple[UUID, UUID, str]] = {}
        """Observations in flight: their scanner, organization and period."""

    def apply(self, event: Event) -> None:
        match event:
            case ScannerCreated() | ScannerRenamed():
                self._name(event.originator_id, event.environment_id, event.name)
                self.rows.claims.add((ALIVE_SCANNER, str(event.originator_id), event.originator_id))
            case ScannerDeleted():
                self._delete(event.originator_id)
            case ActionCreated() | ActionRenamed() | ActionReconfigured() | ActionDeleted():
                self._action(event)
            case ObservationRequested() | ObservationRetried():
                self._reserve(event)
            case ObservationSucceeded():
                self._end(event.originator_id, refund=False)
            case ObservationFailed() | ObservationIneligible():
                self._end(event.originator_id, refund=True)
            case _:
                self._account(event)

    def _account(self, event: Event) -> None:
        stream = event.originator_id
        match event:
            case OrganizationCreated():
                self.rows.claims.add(("organization", str(stream), stream))
                if event.monthly_quota is not None:
                    self.rows.limits[stream] = event.monthly_quota
            case QuotaSet():
                self.rows.limits[stream] = event.monthly_quota
            case QuotaGranted():
                self.rows.grants[stream, event.amount, event.expires_at] += 1
            case EnvironmentCreated() if stream == FIRST_ENVIRONMENT and event.organization_id is not None:
                self.rows.claims.add(("set_up", "once", event.organization_id))
            case UserCreated():
                body = "SELECT body->>'email' FROM store.private_text WHERE id = %s"
                row = self._connection.execute(body, (event.profile.id,)).fetchone()
                assert row is not None, "the profile was erased"
                self.rows.claims.add(("user_email", email_key(row[0]), stream))
            case ApiKeyIssued():
                self.rows.claims.add(("api_key", event.prefix, stream))
            case _:
                self._ways_out(event)

    def _ways_out(self, event: Event) -> None:
        stream = event.originator_id
        match event:
            case IntegrationCreated():
                scope = integrations_of(event.environment_id or 0, event.kind)
                self.rows.claims.add((scope, str(event.integration_id), stream))
            case WebhookSecretCreated():
                scope = webhook_secrets_of(event.environment_id or 0)
                self.rows.claims.add((scope, str(event.secret_id), stream))
            case IntegrationDeleted() | WebhookSecretRetired():
                self.rows.claims = {claim for claim in self.rows.claims if claim[2] != stream}
            case _:
                pass

    def _name(self, scanner: UUID, environment: int | None, name: str) -> None:
        assert environment is not None
        self.rows.claims.discard(self._names.get(scanner, ("", "", scanner)))
        claim = (scanner_name(environment), name, scanner)
        taken = {(scope, key) for scope, key, _ in self.rows.claims}
        assert claim[:2] not in taken, f"{name} was given to two scanners"
        self._names[scanner] = claim
        self.rows.claims.add(claim)

    def _delete(self, scanner: UUID) -> None:
        self.rows.claims -= {self._names.pop(scanner), (ALIVE_SCANNER, str(scanner), scanner)}
        for observation, (owner, _, _) in list(self._running.items()):
            if owner == scanner:
                self._end(observation, refund=True)

    def _action(self, event: ActionCreated | ActionRenamed | ActionReconfigured | ActionDeleted) -> None:
        stream, environment = event.originator_id, event.environment_id or 0
        own = {claim for claim in self.rows.claims if claim[2] == stream}
        self.rows.claims -= own
        match event:
            case ActionCreated():
                assert (ALIVE_SCANNER, str(event.scanner), event.scanner) in self.rows.claims, "no scanner"
                own = {
                    (action_name(environment), event.name, stream),
                    (ALIVE_ACTION, str(stream), stream),
                    (actions_of(event.scanner), str(stream), stream),
                }
            case ActionRenamed():
                own = {claim for claim in own if claim[0] != action_name(environment)}
                own.add((action_name(environment), event.name, stream))
            case ActionReconfigured():
                if "scanner" in event.changes:
                    own = {claim for claim in own if not claim[0].startswith("action_of:")}
                    own.add((actions_of(UUID(str(event.changes["scanner"]))), str(stream), stream))
            case ActionDeleted():
                return
        assert not {claim[:2] for claim in own} & {claim[:2] for claim in self.rows.claims}, "one name for two actions"
        self.rows.claims |= own

    def _reserve(self, event: ObservationRequested | ObservationRetried) -> None:
        assert event.organization_id is not None
        assert event.originator_id not in self._running, "a run began while another was in flight"
        alive = (ALIVE_SCANNER, str(event.scanner_id), event.scanner_id)
        assert alive in self.rows.claims, "an observation without its scanner"
        self._running[event.originator_id] = (event.scanner_id, event.organization_id, event.period)
        self.rows.used[event.organization_id, event.period] += 1
        self.rows.in_flight[event.scanner_id, event.period] += 1
        if isinstance(event, ObservationRequested) and event.triggered_by == "schedule":
            self._schedule(event.environment_id or 0, event.recorded_at.astimezone(UTC).date())

    def _schedule(self, environment: int, today: date) -> None:
        day, count = self.rows.scheduled.get(environment, (today, 0))
        self.rows.scheduled[environment] = (today, 1) if today > day else (day, count + 1)

    def _end(self, observation: UUID, *, refund: bool) -> None:
        scanner, organization, period = self._running.pop(observation)
        self.rows.in_flight[scanner, period] -= 1
        if refund:
            self.rows.used[organization, period] -= 1
