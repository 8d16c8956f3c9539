"""Real scans of a recorded session, by a vendor's model on the loopback address."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from uuid import UUID

from commands.store.event_log import EventLog
from consumers.scanning import jobs
from consumers.scanning.providers.installed import providers
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import Catalogue
from tests.scanning.scans import Scans, now
from tests.servers.vendors.all import access, entry
from tests.servers.vendors.protocol import Protocol
from tests.servers.vendors.server import VendorServer

ANSWER = {"reasoning": "The visitor looked around (t 3).", "verdict": "no", "confidence": 0.9}
"""Of a monitor."""


@dataclass
class Clock:
    """Stands still unless it is moved."""

    time: datetime = field(default_factory=now)

    def __call__(self) -> datetime:
        return self.time


@dataclass
class VendorScans:
    """One scanner on one vendor's model, and the run of its one observation."""

    scans: Scans
    protocol: Protocol
    reach: Access
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def at(cls, scans: Scans, protocol: Protocol, server: VendorServer, **fields: Any) -> VendorScans:
        return cls(scans, protocol, access(protocol, server, **fields))

    def __post_init__(self) -> None:
        self.scans.models = Catalogue([entry(self.protocol)]).ids
        self.scans.__post_init__()
        self.scans.clock = self.clock
        self.reach_by(self.reach)

    def reach_by(self, reach: Access) -> None:
        """From now on."""
        self.scans.providers = providers(Catalogue([entry(self.protocol)]), {self.protocol.provider: reach})

    def request(self) -> UUID:
        return self.scans.request(self.scans.scanner(provider=self.protocol.provider, model=self.protocol.model))

    def try_once(self, lost: Event | None = None, stop: Event | None = None) -> timedelta | None:
        """One try of the job that is next. The pause before the next one, which is then due; None: there is none."""
        job = self.scans.lease()
        retry = self.scans.scanning.scan(job, lost or Event(), stop)
        with self.scans.pool.connection() as connection:
            if retry is None:
                assert jobs.finish(connection, job)
                return None
            assert jobs.retry_at(connection, job, now() - timedelta(seconds=1))
        pause = retry.at - self.clock()
        self.clock.time = retry.at
        return pause

    def events(self, observation_id: UUID) -> list[Any]:
        """The observation's history."""
        with self.scans.pool.connection() as connection:
            found = [found.event for found in EventLog().read(connection, 0, 1000)]
        return [event for event in found if event.originator_id == observation_id]

    def history(self, observation_id: UUID) -> list[str]:
        return [event.TOPIC for event in self.events(observation_id)]
