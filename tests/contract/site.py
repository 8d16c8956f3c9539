"""A live server for contract tests: real database, event store, commands, projections and HTTP on loopback."""

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import JsonValue

from api.bounded_headers import BoundedHeaders
from api.http.app import create_app
from api.http.services import Services
from commands.accounts import Accounts
from commands.context import Context
from commands.integrations import Integrations
from commands.observations import Lease, Success
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.messages.snapshot import Snapshot, to_messages
from consumers.capture.store.blobs import Blobs
from consumers.transports.port import Outgoing, Record
from domain.scanner_types import model_output, split_private
from domain.tenant import Tenant
from projections.catalogue import PROJECTIONS

CHEAP: dict[str, Any] = {"timeout": 30, "verify": False}
"""Options of clients on loopback: nothing is encrypted, and reading all certificates takes longer than a test."""

EVERY = ("*",)
ENVELOPE = {"type", "code", "detail", "attr"}

MONITOR = {
    "name": "Checkout dead ends",
    "scanner_type": "monitor",
    "scanner_config": {"prompt": "Did the visitor give up?"},
    "provider": "builtin",
    "model": "builtin",
}


def refusal(response: httpx.Response) -> tuple[int, str, str, str | None]:
    """(status, type, code, attr) of an answer in the envelope; fails for any other shape, and for a bare 503."""
    body = response.json()
    assert response.status_code != 503 or int(response.headers["retry-after"]) > 0
    extra = {"error"} if response.status_code == 503 else set()
    assert set(body) == ENVELOPE | extra, body
    assert isinstance(body["detail"], str), body
    assert body["detail"], body
    assert "Traceback" not in response.text
    return response.status_code, body["type"], body["code"], body["attr"]


@contextmanager
def serving(app: FastAPI) -> Generator[str]:
    """The address of a server on a free port. The access log is on, so that tests can look for keys in it."""
    config = uvicorn.Config(
        app, http=BoundedHeaders, host="127.0.0.1", port=0, log_config=None, access_log=True, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="http")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(services: Services, **headers: str) -> Generator[httpx.Client]:
    """A client of a second server over other services."""
    with serving(create_app(services)) as url, httpx.Client(base_url=url, headers=headers, **CHEAP) as client:
        yield client


@dataclass
class Site:
    """One organization with two environments and one user, and a second organization that has nothing to do with it."""

    url: str
    services: Services
    accounts: Accounts
    integrations: Integrations
    blobs: Blobs
    system: Context
    organization_id: UUID
    environment_id: int
    sibling_id: int
    foreign_id: int
    project_token: str
    email: str
    user_id: int
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.environment_id, self.organization_id)

    def key(self, *scopes: str, environments: Sequence[int] = (), email: str | None = None) -> str:
        """A new API key; every scope when none is named."""
        issued = self.accounts.issue_key(self.system, email or self.email, "test", scopes or EVERY, environments)
        self.caught_up(issued.position)
        return issued.key

    def caught_up(self, position: int | None) -> None:
        """Returns when accounts are readable that were written at `position`."""
        assert position is None or self.services.wait(position, ("accounts",))

    def standing(self) -> None:
        """Returns when every projection has passed everything that is in the log now."""
        with self.services.pool.connection() as conn:
            head = conn.execute("SELECT coalesce(max(notification_id), 0) FROM store.events").fetchone()[0]
        assert self.services.wait(head, [projection.name for projection in PROJECTIONS])

    def start(self, observation_id: str, subject: dict[str, Any] | None = None, run: int = 1) -> Lease:
        """What a scan worker does first."""
        lease = Lease(UUID(observation_id), run, uuid4())
        self.services.observations.start(self._worker(), lease, try_number=1, subject=subject)
        return lease

    def succeed(
        self,
        observation_id: str,
        scanner_type: str,
        config: dict[str, Any],
        answer: dict[str, Any],
        lease: Lease | None = None,
        evidence_digest: str = "e",
    ) -> None:
        """What a scan worker does with a provider's answer, up to the projections. Starts run 1 without a `lease`."""
        lease = lease or self.start(observation_id, {"distinct_id": "visitor-88", "email": "v@example.org"})
        structured, private = split_private(model_output(scanner_type, config, answer, 100_000))
        success = Success(
            result=cast("dict[str, JsonValue]", structured),
            private=private,
            subject="visitor-88",
            signals_count=0,
            evidence_digest=evidence_digest,
            prompt_digest="p",
            answer_digest="a",
            provider="builtin",
            model="builtin",
            input_tokens=1,
            output_tokens=1,
            cost_usd=Decimal(0),
            duration_ms=5,
        )
        self.services.observations.succeed(self._worker(), lease, success)
        self.standing()

    def fail(
        self,
        observation_id: str,
        kind: str = "validation_failed",
        message: str = "no: good",
        lease: Lease | None = None,
    ) -> None:
        """What a scan worker does when it gives up."""
        lease = lease or self.start(observation_id)
        self.services.observations.fail(self._worker(), lease, kind=kind, message=message)
        self.standing()

    def judge_ineligible(self, observation_id: str, lease: Lease | None = None) -> None:
        """What a scan worker does with a session that cannot be scanned."""
        lease = lease or self.start(observation_id)
        self.services.observations.judge_ineligible(self._worker(), lease, kind="too_short", message="3 s")
        self.standing()

    def _worker(self) -> Context:
        return replace(self.system, now=self.services.clock(), tenant=self.tenant)

    def bare(self) -> httpx.Client:
        """A client without a key, at the server's root."""
        client = httpx.Client(base_url=self.url, **CHEAP)
        self._clients.append(client)
        return client

    def client(
        self, key: str | None = None, environment: int | str | None = None, prefix: str = "environments"
    ) -> httpx.Client:
        """A client at `/api/{prefix}/{environment}/vision/` with a key of every scope unless another is given."""
        client = httpx.Client(
            base_url=f"{self.url}/api/{prefix}/{self.environment_id if environment is None else environment}/vision/",
            headers={"Authorization": f"Bearer {key or self.key()}"},
            **CHEAP,
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


def scanner(api: httpx.Client, name: str, **fields: Any) -> dict[str, Any]:
    """Creates a scanner; the monitor above unless fields say otherwise."""
    response = api.post("scanners/", json={**MONITOR, "name": name, **fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def record(
    site: Site, session_id: str, url: str = "https://shop.example/cart", environment_id: int = 0, ago: float = 60
) -> str:
    """What capture does with a visit to a page, so many seconds ago, and a click there; the session's id."""
    now = site.services.clock()
    began = 1_000 * int(now.timestamp() - ago)
    meta = {"type": 4, "data": {"href": url, "width": 800, "height": 600}, "timestamp": began}
    click = {"type": 3, "data": {"source": 2, "type": 2, "id": 5, "x": 1, "y": 1}, "timestamp": began + 20_000}
    messages = to_messages(
        Snapshot(
            token=site.project_token,
            environment_id=environment_id or site.environment_id,
            session_id=session_id,
            window_id="w-1",
            distinct_id="visitor-88",
            uuid=uuid4(),
            source="web",
            library="web",
            library_version="1.0",
            sent_at=None,
            received_at=now,
            items=[meta, click],
        )
    )
    handled(site, messages)
    return session_id


def handled(site: Site, messages: Sequence[Outgoing]) -> None:
    """What the consumer of recordings does with messages."""
    now = site.services.clock()
    handler = SnapshotHandler(site.blobs, cast("Any", site.services.pool), lambda *_: None, site.services.clock)
    records = [Record("snapshots", 0, 0, one.key, one.value, one.all_headers(), now) for one in messages]
    with site.services.pool.connection() as conn, conn.transaction():
        handler(conn, records)


def observe(api: httpx.Client, scanner_id: str, session_id: str) -> str:
    """Asks for a scan on demand; the id of its observation."""
    response = api.post(f"scanners/{scanner_id}/observe/", json={"session_id": session_id})
    assert response.status_code == 202, response.text
    identifier: str = response.json()["observation_id"]
    return identifier
