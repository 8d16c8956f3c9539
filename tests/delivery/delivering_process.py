"""A process of delivery workers, to be killed: `python -m tests.delivery.delivering_process SETTINGS` (JSON)."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns
from commands.endpoints import Endpoints
from commands.integrations import Integrations
from commands.sealing import Seal
from commands.store.application import Store
from commands.webhook_secrets import WebhookSecrets
from consumers.actions.delivering import Delivering
from consumers.actions.worker import Reaper, Worker
from consumers.delivery.mail_server import MailServer
from consumers.delivery.sending import Sending
from consumers.delivery.settings import DeliverySettings
from consumers.delivery.targets import Targets
from domain.outbound import AllowedHosts

WORKERS = 3
LEASE_SECONDS = 1.0
REAP_SECONDS = 0.1


@dataclass(frozen=True)
class ProcessSettings:
    database_url: str
    allowed_hosts: list[str]
    slack_base_url: str
    smtp_url: str

    def as_argument(self) -> str:
        return json.dumps(asdict(self))


def now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    given = ProcessSettings(**json.loads(sys.argv[1]))
    never = threading.Event()
    pool: ConnectionPool[psycopg.Connection[TupleRow]] = ConnectionPool(
        given.database_url, min_size=1, max_size=4 * WORKERS, kwargs={"autocommit": True}, open=True
    )
    store, seal = Store(given.database_url), Seal(b"secret")
    runs, endpoints = ActionRuns(store), Endpoints(store)
    settings = DeliverySettings(
        slack_base_url=given.slack_base_url,
        allowed_hosts=AllowedHosts.parse(given.allowed_hosts),
        mail_server=MailServer.parse(given.smtp_url),
        mail_from="reports@vision.example.org",
    )
    delivering = Delivering(
        pool,
        runs,
        Targets(Integrations(store, seal), WebhookSecrets(store, seal), endpoints),
        endpoints,
        Sending(settings),
        now,
        public_url="https://vision.example.org",
    )
    for number in range(WORKERS):
        worker = Worker(pool, "delivery", delivering.work, f"worker {number}", lease_seconds=LEASE_SECONDS)
        threading.Thread(target=worker.run, args=[never], daemon=True).start()
    reaper = Reaper(pool, runs, now)
    while not never.wait(REAP_SECONDS):
        reaper.run()


if __name__ == "__main__":
    main()
