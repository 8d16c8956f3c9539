"""One environment with a recorded session whose jobs a test leases and does, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID, uuid4

from psycopg_pool import ConnectionPool

from commands.context import Context
from commands.observations import ObservationLimits, Observations
from commands.scanners import Scanners
from commands.store.application import Store
from commands.store.event_log import EventLog
from consumers.capture.store.blobs import FolderBlobs
from consumers.relay import outgoing
from consumers.scanning import jobs
from consumers.scanning.answers import Answers
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Provider
from consumers.scanning.requests import JobMaker
from consumers.scanning.scan import Scanning
from consumers.transports.port import Record
from domain.eligibility import EligibilityLimits
from domain.event import Actor
from domain.observation import Observation
from domain.tenant import Tenant

TENANT = Tenant(1, UUID(int=7))
RECORDING = "recordings/01a209bc-76ca-7636-81d7-088cee3e9f98.jsonl.gz"
SESSION = "01a209bc-76ca-7636-81d7-088cee3e9f98"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Scans:
    """One environment with a recorded session, and workers to call."""

    pool: ConnectionPool
    store: Store
    blobs: FolderBlobs
    folder: Path
    heard: int = 0
    providers: dict[str, Provider] = field(default_factory=lambda: {"builtin": BuiltinProvider()})
    limits: EligibilityLimits = field(default_factory=EligibilityLimits)
    models: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"builtin": ("builtin",), "google": ("g",)})
    """What scanners may name."""
    clock: Callable[[], datetime] = now
    chance: Callable[[], float] = lambda: 0.5
    answers: Answers | None = None

    def __post_init__(self) -> None:
        self.observations = Observations(self.store, ObservationLimits())
        self.scanners = Scanners(self.store, self.models)

    def context(self) -> Context:
        return Context(Actor(type="user", user_id=1), now(), uuid4(), TENANT)

    def scanner(self, **fields: Any) -> UUID:
        given = {
            "name": str(uuid4()),
            "scanner_type": "monitor",
            "scanner_config": {"prompt": "Did the visitor complete an order?", "allow_inconclusive": True},
            "provider": "builtin",
            "model": "builtin",
            **fields,
        }
        return self.scanners.create(self.context(), **given).scanner.id

    def request(self, scanner_id: UUID, session_id: str = SESSION) -> UUID:
        (answer,) = self.observations.request(self.context(), scanner_id, [session_id], "on_demand")
        assert answer.outcome == "started"
        self.hear()
        return answer.observation_id

    def hear(self) -> None:
        """Makes jobs of what was recorded since, as the relay and the transport would."""
        with self.pool.connection() as connection, connection.transaction():
            for row in EventLog().read_raw(connection, self.heard):
                made = outgoing(row)
                record = Record("events", 0, row.position, made.key, made.value, made.all_headers(), now())
                JobMaker().handle(connection, [record, record])
                self.heard = row.position

    @property
    def scanning(self) -> Scanning:
        return Scanning(
            self.pool,
            self.observations,
            self.blobs,
            self.providers,
            self.limits,
            self.clock,
            answers=self.answers,
            chance=self.chance,
        )

    def lease(self, seconds: float = 60) -> jobs.Job:
        with self.pool.connection() as connection:
            job = jobs.lease(connection, "test", seconds=seconds)
        assert job is not None
        return job

    def scan(self) -> Any:
        return self.scanning.scan(self.lease(), Event())

    def observation(self, observation_id: UUID) -> Observation:
        return self.observations.load(self.context(), observation_id)

    def last(self, observation_id: UUID) -> dict[str, Any]:
        """The newest event of the stream, with its type."""
        with self.pool.connection() as connection:
            events = [found.event for found in EventLog().read(connection, 0, 1000)]
        event = [event for event in events if event.originator_id == observation_id][-1]
        return {"type": event.TOPIC, **event.model_dump()}
