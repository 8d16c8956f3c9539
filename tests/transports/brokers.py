"""What the contract suite runs on: a transport that can be opened, cut off and restarted, whatever is beneath.

A new adapter brings one more ``Broker`` and one more parameter of the fixture ``broker``; the suite stays as it is.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from kafka import KafkaAdminClient
from psycopg import sql
from psycopg_pool import ConnectionPool

from api.bootstrap import MeasuredTransport
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.poison import PoisonCap
from consumers.transports.port import MAX_BATCH_RECORDS, Handler, Transport
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import Backoff, KafkaSettings, LogSettings
from tests.servers.cutting import Cut

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
POISON_IN_A_ROW = 5


class Broker(Protocol):
    """Makes transports of one kind. Handlers write to ``database_url`` whatever the transport."""

    database_url: str

    def transport(self) -> MeasuredTransport: ...

    def adjusted(self, settings: LogSettings) -> MeasuredTransport: ...

    def spawn(self, group: str, topic: str, *, slow_ms: int = 0) -> subprocess.Popen[str]:
        """A worker process that writes what it handles to the ledger; see ``worker``."""
        ...

    def outage(self) -> AbstractContextManager[None]:
        """A context during which nobody reaches the transport, and all connections to it are cut."""
        ...


def suite_settings(prefix: str = "vision.") -> LogSettings:
    """Production's, with waiting times that a test can sit out."""
    return LogSettings(
        prefix=prefix,
        partitions=PARTITIONS,
        publish_seconds=1.5,
        failed=Backoff(first=0.1, longest=0.5),
        away=Backoff(first=0.05, longest=0.3),
        poison=PoisonCap(in_a_row=POISON_IN_A_ROW),
        retention=timedelta(days=1),
    )


class _Processes:
    """A database, and what was started on it and is to be ended."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self.database_url = database_url
        self._stack = stack

    def pool(self) -> ConnectionPool:
        made: ConnectionPool = ConnectionPool(
            self.database_url, min_size=0, max_size=4, kwargs={"autocommit": True}, reconnect_timeout=5, open=True
        )
        return self._stack.enter_context(made)

    def spawn_worker(self, where: Sequence[str], group: str, topic: str, slow_ms: int) -> subprocess.Popen[str]:
        """``where``: the kind of broker and how to reach it."""
        command = [sys.executable, "-m", "tests.transports.worker", group, topic, str(slow_ms), *where]
        worker = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
        self._stack.callback(_end, worker)
        return worker


class PostgresBroker(_Processes):
    """The log in the test's own database; an outage of that database is one of the broker."""

    def transport(self) -> PostgresTransport:
        return self.adjusted(suite_settings())

    def adjusted(self, settings: LogSettings) -> PostgresTransport:
        return PostgresTransport(self.database_url, self.pool(), settings)

    def spawn(self, group: str, topic: str, *, slow_ms: int = 0) -> subprocess.Popen[str]:
        return self.spawn_worker(["postgres", self.database_url], group, topic, slow_ms)

    @contextmanager
    def outage(self) -> Generator[None]:
        """The database refuses and drops its connections; others on the server are left alone."""
        name = urlsplit(self.database_url).path.removeprefix("/")
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        elsewhere = urlsplit(self.database_url)._replace(path="/postgres").geturl()
        with psycopg.connect(elsewhere, autocommit=True) as admin:
            admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
            try:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                yield
            finally:
                admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


class KafkaBroker(_Processes):
    """Topics of the test's own on the session's broker, reached through a connection that can be cut."""

    def __init__(
        self, database_url: str, stack: ExitStack, address: str, cut: Cut | None = None, prefix: str | None = None
    ) -> None:
        super().__init__(database_url, stack)
        self.address = address
        self.prefix = prefix or f"t{uuid4().hex[:12]}."
        self._cut = cut

    def transport(self) -> KafkaTransport:
        return self.adjusted(suite_settings())

    def adjusted(self, settings: LogSettings, kafka: KafkaSettings | None = None) -> KafkaTransport:
        mine = replace(settings, prefix=self.prefix)
        made = KafkaTransport(self.database_url, self.pool(), kafka or self.settings(), mine)
        self._stack.callback(made.close)
        return made

    def settings(self) -> KafkaSettings:
        return KafkaSettings([self.address], session_seconds=2, answer_seconds=1.5, reconnect_seconds=0.2)

    def spawn(self, group: str, topic: str, *, slow_ms: int = 0) -> subprocess.Popen[str]:
        return self.spawn_worker(["kafka", self.database_url, self.address, self.prefix], group, topic, slow_ms)

    @contextmanager
    def outage(self) -> Generator[None]:
        """The broker cannot be reached; the database can."""
        assert self._cut is not None
        self._cut.cut()
        try:
            yield
        finally:
            self._cut.restore()


def admin_of(kafka: KafkaBroker) -> closing[Any]:
    """Any: the types that tools know are those of the client's release 2."""
    return closing(KafkaAdminClient(bootstrap_servers=kafka.address))


def _end(worker: subprocess.Popen[str]) -> None:
    if worker.poll() is None:
        worker.kill()
    worker.wait()
    if worker.stdout:
        worker.stdout.close()


@contextmanager
def consuming(
    transport: Transport,
    group: str,
    topics: Collection[str],
    handler: Handler,
    *,
    workers: int = 1,
    max_records: int = MAX_BATCH_RECORDS,
    park_keys: bool = False,
) -> Iterator[Sequence[threading.Thread]]:
    """Workers in threads, stopped at the end. Fails if one died or does not stop in time."""
    stop = Event()
    died: list[BaseException] = []

    def work() -> None:
        try:
            transport.consume(group, topics, handler, stop=stop, max_records=max_records, park_keys=park_keys)
        except BaseException as error:
            died.append(error)
            raise

    threads = [threading.Thread(target=work, name=f"{group}-{n}") for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert not died, died
    assert not any(thread.is_alive() for thread in threads)
