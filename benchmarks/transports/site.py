"""Where it is measured: a database with production's durability, and a broker if there is one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations
from api.embedded_postgres import EmbeddedPostgres, Tuning
from consumers.transports.kafka.clients import Clients
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import KafkaSettings, LogSettings
from tests.servers.kafka import KafkaServer
from tests.servers.missing import ServerUnavailable

FETCH_BYTES = 1024 * 1024
"""Most of a partition that a client fetches at once: kafka-python's default, for bare clients and the transport alike.

The product's 16 MiB would bring a whole backlog before anything is measured."""


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no broker."""

    reason: str


@dataclass(frozen=True, slots=True)
class Database:
    url: str
    pool: ConnectionPool[psycopg.Connection[TupleRow]]

    def transport(self) -> PostgresTransport:
        """With topics that nobody else has: what a relay sends again to the old ones would be left out."""
        return PostgresTransport(self.url, self.pool, LogSettings(prefix=new_prefix()))


@dataclass(frozen=True, slots=True)
class Broker:
    """``prefix`` is that of the topics that all who measure on it share."""

    address: str
    database: Database
    prefix: str

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings([self.address])

    @property
    def clients(self) -> Clients:
        """kafka-python's own clients with the transport's settings."""
        return Clients(self.settings, LogSettings(prefix=self.prefix))

    @contextmanager
    def transport(self, prefix: str | None = None) -> Iterator[KafkaTransport]:
        log = LogSettings(prefix=prefix or self.prefix, handle_batch_bytes=FETCH_BYTES)
        with closing(KafkaTransport(self.database.url, self.database.pool, self.settings, log)) as transport:
            yield transport

    def make_topic(self) -> str:
        """A new one as the transport makes them; its full name, for bare clients."""
        prefix = new_prefix()
        with self.transport(prefix) as transport:
            transport.publish("bare", [])
        return f"{prefix}bare"


def new_prefix() -> str:
    return f"benchmark-{uuid4().hex[:12]}."


@contextmanager
def database(url: str | None) -> Iterator[Database]:
    """The one of an address, which is given the product's tables, or an embedded one that is removed again."""
    if url is None:
        with tempfile.TemporaryDirectory(prefix="replay-vision-benchmark-") as home:
            server = EmbeddedPostgres(Path(home), Tuning())
            try:
                with database(server.start()) as made:
                    yield made
            finally:
                server.destroy()
        return
    with psycopg.connect(url, autocommit=True) as conn:
        migrations().apply(conn)
    with ConnectionPool[psycopg.Connection[TupleRow]](
        url, min_size=4, max_size=8, kwargs={"autocommit": True}, open=True
    ) as pool:
        yield Database(url, pool)


@contextmanager
def broker(address: str | None, data: Database) -> Iterator[Broker | Missing]:
    """The one at an address, or one of the test suite's, which is removed again; ``Missing`` without Java or Maven.

    Raises StartFailed when the broker does not start.
    """
    if address is not None:
        yield Broker(address, data, new_prefix())
        return
    with tempfile.TemporaryDirectory(prefix="replay-vision-benchmark-") as folder:
        server = KafkaServer(Path(folder) / "kafka")
        try:
            try:
                server.start()
            except ServerUnavailable as error:
                yield Missing(str(error))
            else:
                yield Broker(server.bootstrap, data, new_prefix())
        finally:
            server.destroy()
