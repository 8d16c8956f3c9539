"""Scanners, sessions and sweeps on a real database, at a time that only moves when told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import ObservationLimits, Observations
from commands.scanners import Scanners
from commands.store.application import Store
from commands.store.event_log import EventLog
from consumers.relay import outgoing
from consumers.selection.sweep import Sweep, SweepRules
from consumers.selection.watermarks import WatermarkKeeper
from consumers.transports.port import Record
from domain.eligibility import EligibilityLimits
from domain.event import Actor
from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine.installing import install

SETTLE = timedelta(minutes=35)
ORGANIZATION = UUID(int=7)
TENANT = Tenant(1, ORGANIZATION)
PROMPT = {"prompt": "Was there an error?"}


@dataclass
class Schedule:
    """Scanners, sessions and sweeps of one environment, at a time that only moves when told."""

    pool: ConnectionPool
    store: Store
    quota: int = 1000
    per_scanner: int = 150
    per_environment: int = 300
    per_day: int = 5000
    on_exhausted: Any = "wait"
    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    heard: int = 0

    def __post_init__(self) -> None:
        with self.pool.connection() as connection:
            install(connection, [ACCOUNTS])

    @property
    def observations(self) -> Observations:
        limits = ObservationLimits(
            default_quota=self.quota,
            per_scanner=self.per_scanner,
            per_environment=self.per_environment,
            kept_per_scanner=1,
            scheduled_per_day=self.per_day,
        )
        return Observations(self.store, limits)

    @property
    def scanners(self) -> Scanners:
        return Scanners(self.store, {"builtin": ("builtin",)})

    def context(self) -> Context:
        return Context(Actor(type="user", user_id=1), self.now, uuid4(), TENANT)

    def create(self, name: str = "one", **fields: Any) -> UUID:
        """A scanner that its watermark keeper has heard of."""
        written = self.scanners.create(
            self.context(),
            name=name,
            scanner_type="monitor",
            scanner_config=PROMPT,
            provider="builtin",
            model="builtin",
            **fields,
        )
        self.hear()
        return written.scanner.id

    def edit(self, scanner_id: UUID, **changes: Any) -> None:
        self.scanners.edit(self.context(), scanner_id, changes)
        self.hear()

    def hear(self) -> None:
        """Feeds the keeper with what was recorded since, as the relay would."""
        with self.pool.connection() as connection, connection.transaction():
            for row in EventLog().read_raw(connection, self.heard):
                made = outgoing(row)
                record = Record("events", 0, row.position, made.key, made.value, made.all_headers(), self.now)
                WatermarkKeeper(SETTLE).handle(connection, [record])
                self.heard = row.position

    def settled(self, session_id: str, duration: float = 60, active: float = 30, environment: int = 1) -> None:
        """A session that settles now."""
        with self.pool.connection() as connection, connection.transaction():
            number = connection.execute(
                "UPDATE capture.settle_counter SET number = number + 1 RETURNING number"
            ).fetchone()
            assert number is not None
            connection.execute(
                "INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp,"
                " active_milliseconds, distinct_ids, settle_number, settled_at, last_received_at, first_received_at)"
                " VALUES (%s, %s, 0, %s, %s, '{visitor}', %s, %s, %s, %s)",
                (environment, session_id, duration * 1000, active * 1000, number[0], self.now, self.now, self.now),
            )
            connection.execute(
                "INSERT INTO capture.settlement (number, environment_id, session_id, settled_at)"
                " VALUES (%s, %s, %s, %s)",
                (number[0], environment, session_id, self.now),
            )

    def sweep(self) -> float | None:
        rules = SweepRules(EligibilityLimits(), SETTLE, self.on_exhausted)
        return Sweep(self.pool, self.scanners, self.observations, rules, lambda: self.now).run()

    def requested(self, scanner_id: UUID) -> list[str]:
        """Sessions that were requested for the scanner, in order."""
        with self.pool.connection() as connection:
            events = [found.event for found in EventLog().read(connection, 0, 10_000)]
        return [
            getattr(event, "session_id", "")
            for event in events
            if event.TOPIC == "ObservationRequested" and getattr(event, "scanner_id", None) == scanner_id
        ]

    def watermark(self, scanner_id: UUID) -> dict[str, Any]:
        with self.pool.connection() as connection:
            row = connection.execute(
                "SELECT settle_number, swept_at, waiting_for FROM selection.watermark WHERE scanner_id = %s",
                (scanner_id,),
            ).fetchone()
        assert row is not None
        return {"settle_number": row[0], "swept_at": row[1], "waiting_for": row[2]}
