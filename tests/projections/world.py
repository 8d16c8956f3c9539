"""Commands on a real database, and projections fed up to the head of the log."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from commands.accounts import Accounts, FirstAccounts
from commands.actions import Actions
from commands.context import Context
from commands.endpoints import Endpoints
from commands.integrations import Integrations
from commands.observations import Lease, ObservationLimits, Observations, Success
from commands.recordings import Recordings
from commands.scanners import Scanners
from commands.sealing import Seal
from commands.store.application import Store
from commands.store.event_log import EventLog
from commands.webhook_secrets import WebhookSecrets
from domain.event import Actor
from domain.tenant import Tenant
from projections.catalogue import PROJECTIONS
from projections.engine.feeding import Page, feed
from projections.engine.place import live_place
from projections.engine.projection import Projection

CATALOGUE = {"builtin": ["builtin"], "google": ["gemini-3-flash-preview"]}
START = datetime(2026, 11, 1, 8, tzinfo=UTC)
CONFIGS: dict[str, dict[str, Any]] = {
    "monitor": {"prompt": "Did the visitor give up?", "allow_inconclusive": True},
    "classifier": {"prompt": "Which step?", "tags": ["address", "payment"], "allow_freeform_tags": True},
    "scorer": {"prompt": "How angry?", "scale": {"min": 0, "max": 10}},
    "summarizer": {"prompt": "What happened?", "length": "short"},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "monitor": {"scanner_type": "monitor", "verdict": "yes", "confidence": 0.9},
    "classifier": {"scanner_type": "classifier", "tags": ["payment"], "confidence": 0.8},
    "scorer": {"scanner_type": "scorer", "score": 7, "label": None, "confidence": 0.7},
    "summarizer": {"scanner_type": "summarizer", "confidence": 0.6},
}


class Clock:
    """Every look is a second later."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(slots=True)
class World:
    """One database with an organization, its environment 1 and user 1."""

    store: Store
    clock: Clock
    tenant: Tenant
    scanners: Scanners
    observations: Observations
    accounts: Accounts
    actions: Actions
    integrations: Integrations
    webhook_secrets: WebhookSecrets
    endpoints: Endpoints
    recordings: Recordings

    @classmethod
    def create(cls, store: Store, limits: ObservationLimits | None = None) -> "World":
        accounts = Accounts(store, b"secret")
        clock = Clock()
        tenant = Tenant(1, uuid4())
        world = cls(
            store,
            clock,
            tenant,
            Scanners(store, CATALOGUE),
            Observations(store, limits or ObservationLimits()),
            accounts,
            Actions(store, mail=True),
            Integrations(store, Seal(b"secret")),
            WebhookSecrets(store, Seal(b"secret")),
            Endpoints(store),
            Recordings(store),
        )
        first = _first(tenant.organization_id)
        accounts.set_up(Context(Actor(type="system", role="bootstrap"), clock(), uuid4()), first)
        return world

    def context(self, tenant: Tenant | None = None, user_id: int | None = 1) -> Context:
        actor = Actor(type="key", user_id=user_id, key_prefix="phx_12345678") if user_id else _SCHEDULER
        return Context(actor, self.clock(), uuid4(), tenant or self.tenant)

    def admin(self) -> Context:
        return Context(Actor(type="system", role="admin"), self.clock(), uuid4())

    def action(self, scanner_id: UUID, name: str = "Digest", **fields: Any) -> UUID:
        return self.actions.create(self.context(), name=name, scanner=scanner_id, **fields).action.id

    def scanner(self, name: str = "Checkout", scanner_type: str = "monitor", **fields: Any) -> UUID:
        given = {"scanner_config": CONFIGS[scanner_type], "model": "builtin", "provider": "builtin", **fields}
        return self.scanners.create(self.context(), name=name, scanner_type=scanner_type, **given).scanner.id

    def observe(self, scanner_id: UUID, *session_ids: str) -> list[UUID]:
        """The observations that were started."""
        answers = self.observations.request(self.context(), scanner_id, session_ids, "on_demand")
        return [answer.observation_id for answer in answers if answer.outcome == "started"]

    def start(self, observation_id: UUID, try_number: int = 1, **subject: str) -> Lease:
        run = self.observations.load(self.context(), observation_id).run
        lease = Lease(observation_id, run, uuid4())
        self.observations.start(self.context(), lease, try_number=try_number, subject=subject or None)
        return lease

    def succeed(
        self, lease: Lease, scanner_type: str = "monitor", private: dict[str, Any] | None = None, **result: Any
    ) -> None:
        text = {"reasoning": "The card was declined twice.", "reasoning_segments": []} if private is None else private
        self.observations.succeed(
            self.context(),
            lease,
            Success(
                {**ANSWERS[scanner_type], **result},
                text,
                None,
                2,
                "e",
                "p",
                "a",
                "builtin",
                "builtin",
                10,
                20,
                Decimal("0.001"),
                5,
            ),
        )

    def fail(self, lease: Lease, kind: str = "provider_rejected") -> None:
        self.observations.fail(self.context(), lease, kind=kind, message="refused")


_SCHEDULER = Actor(type="system", role="selection")


def _first(organization_id: UUID) -> FirstAccounts:
    return FirstAccounts(organization_id, "phc_token", "phx_12345678901234567890", "admin@example.org")


def catch_up(connection: Connection, projections: Sequence[Projection] = PROJECTIONS) -> int:
    """Feeds the projections to the head of the log, as the runner would; returns the head."""
    log = EventLog()
    for projection in projections:
        place = live_place(connection, projection.name)
        assert place is not None
        while rows := log.read_raw(connection, place.position):
            page = Page(log, rows)
            place = feed(connection, projection, place, page.rows, page.decode)
    return log.head(connection)


def wait_until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Fails when the condition does not come true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
