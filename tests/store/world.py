"""One organization, its environment and the command services over one database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg

from commands.accounts import Accounts
from commands.actions import Actions
from commands.context import Context
from commands.observations import Lease, ObservationLimits, Observations, Success
from commands.scanners import Scanners
from commands.store.application import Store
from domain.event import Actor
from domain.tenant import Tenant

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
OPERATOR = Actor(type="system", role="admin")
PERSON = Actor(type="key", user_id=1, key_prefix="phx_tests000")
CATALOGUE = {"google": ["a", "b"], "builtin": ["builtin"]}
SCANNER: dict[str, Any] = {"scanner_type": "monitor", "scanner_config": {"prompt": "Did they give up?"}, "model": "a"}
CONNECTIONS = 32
"""Of the store's pool: enough for a crowd at the lock, fewer than the server's."""


def success(text: str = "They left.", subject: str | None = "d-1") -> Success:
    return Success(
        result={"verdict": "yes"},
        private={"reasoning": text},
        subject=subject,
        signals_count=0,
        evidence_digest="e" * 64,
        prompt_digest="p" * 64,
        answer_digest="a" * 64,
        provider="builtin",
        model="builtin",
        input_tokens=10,
        output_tokens=1,
        cost_usd=Decimal("0.001"),
        duration_ms=5,
    )


@dataclass
class World:
    conninfo: str
    store: Store
    accounts: Accounts
    scanners: Scanners
    actions: Actions
    context: Context
    limits: ObservationLimits

    @property
    def observations(self) -> Observations:
        return self.limited(self.limits)

    def limited(self, limits: ObservationLimits) -> Observations:
        return Observations(self.store, limits)

    @property
    def tenant(self) -> Tenant:
        return self.context.owned()

    def at(self, now: datetime) -> Context:
        return replace(self.context, now=now)

    def admin(self, now: datetime = NOW) -> Context:
        return Context(OPERATOR, now, uuid4())

    def scanner(self, name: str = "Dead ends", **fields: Any) -> UUID:
        return self.scanners.create(self.context, name=name, **{**SCANNER, **fields}).scanner.id

    def action(self, scanner_id: UUID, name: str = "Digest", **fields: Any) -> UUID:
        return self.actions.create(self.context, name=name, scanner=scanner_id, **fields).action.id

    def started(self, scanner_id: UUID, session_id: str, context: Context | None = None) -> Lease:
        """Requests an observation and begins its first try."""
        context = context or self.context
        [requested] = self.observations.request(context, scanner_id, [session_id], "on_demand")
        assert requested.outcome == "started"
        lease = Lease(requested.observation_id, 1, uuid4())
        self.observations.start(context, lease, try_number=1, subject=None)
        return lease

    def used(self, period: str = "2026-11") -> int:
        query = "SELECT coalesce(sum(used), 0)::int FROM store.quota_usage WHERE organization_id = %s AND period = %s"
        return self.value(query, self.tenant.organization_id, period)

    def in_flight(self, scanner_id: UUID, period: str = "%") -> int:
        query = "SELECT coalesce(sum(count), 0)::int FROM store.in_flight WHERE scanner_id = %s AND period LIKE %s"
        return self.value(query, scanner_id, period)

    def count(self, topic: str, stream: UUID | None = None) -> int:
        query = "SELECT count(*) FROM store.events WHERE topic = %s AND (%s::uuid IS NULL OR originator_id = %s)"
        return self.value(query, topic, stream, stream)

    def head(self) -> int:
        return self.value("SELECT coalesce(max(notification_id), 0) FROM store.events")

    def value(self, query: str, *parameters: object) -> Any:
        with psycopg.connect(self.conninfo) as connection:
            row = connection.execute(query, parameters).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]


def build_world(
    conninfo: str, store: Store, quota: int | None = None, limits: ObservationLimits | None = None
) -> World:
    """A fresh organization with one environment; `quota` None means the default of `limits`."""
    accounts = Accounts(store, secret=b"tests")
    admin = Context(OPERATOR, NOW - timedelta(days=40), uuid4())
    organization = accounts.create_organization(admin, "Acme", quota)
    environment = accounts.create_environment(admin, organization.id, "Web")
    context = Context(PERSON, NOW, uuid4(), Tenant(environment.id, organization.id))
    return World(
        conninfo,
        store,
        accounts,
        Scanners(store, CATALOGUE),
        Actions(store, mail=True),
        context,
        limits or ObservationLimits(),
    )
