"""The composition root: builds every part from the settings and hands it what it needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Protocol
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from api import credentials
from api.credentials import Credentials
from api.failures import Failure
from api.settings import PREFIX, Settings
from commands.accounts import Accounts, FirstAccounts, new_key, new_token
from commands.action_runs import ActionRuns
from commands.actions import Actions
from commands.context import Context
from commands.endpoints import Endpoints
from commands.integrations import Integrations
from commands.observations import Observations
from commands.recordings import Recordings
from commands.scanners import Scanners
from commands.sealing import Seal
from commands.store.application import STORE_OUTAGES, Store
from commands.store.event_log import EventLog
from commands.store.migrations import Migration, Migrations
from commands.webhook_secrets import WebhookSecrets
from consumers.capture.messages.held import Holding
from consumers.capture.store.blobs import Blobs, FolderBlobs
from consumers.scanning.providers.models.catalogue import BadCatalogue, Catalogue
from consumers.transports.gauges import Measured
from consumers.transports.installation import Unsafe, refuse_other, settle_on
from consumers.transports.port import Transport, Unavailable
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import LogSettings
from domain.errors import Conflict
from domain.event import Actor
from projections.catalogue import PROJECTIONS, named
from projections.engine.completeness import Behind
from projections.engine.installing import install
from projections.engine.rebuilding import rebuild

ROOT = Path(__file__).resolve().parent.parent
FIRST_USER = "admin@localhost.localdomain"

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, *STORE_OUTAGES, PoolTimeout, Unavailable, Behind)
"""What means "not now": the database or the transport is away, or the read side lacks what is asked. HTTP: 503."""

DATABASE_WAIT_SECONDS = 2.0

log = logging.getLogger("replay_vision.bootstrap")

Pool = ConnectionPool[psycopg.Connection[TupleRow]]


def now() -> datetime:
    return datetime.now(UTC)


class MeasuredTransport(Transport, Measured, Protocol):
    """A transport that also tells how it is."""


class NotSetUp(Failure):
    """The database is empty: `up` or `admin bootstrap` must set it up first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything a process of ours works with. Thread-safe; one per process."""

    settings: Settings
    database_url: str
    pool: Pool
    store: Store
    transport: MeasuredTransport
    blobs: Blobs
    secret: bytes
    scanners: Scanners
    actions: Actions
    action_runs: ActionRuns
    integrations: Integrations
    webhook_secrets: WebhookSecrets
    endpoints: Endpoints
    observations: Observations
    recordings: Recordings
    accounts: Accounts
    models: Catalogue
    """What scanners may name."""
    clock: Callable[[], datetime] = now

    @property
    def sender(self) -> Holding:
        """Where recordings are published: what is too large for the transport goes by the blobs."""
        return Holding(self.transport, self.blobs, self.pool, self.clock)

    def context(self, role: str) -> Context:
        """A command context of the system acting in a role, without a tenant."""
        return Context(actor=Actor(type="system", role=role), now=self.clock(), correlation_id=uuid4())


@contextmanager
def runtime(settings: Settings, database_url: str, secret: bytes, connections: int = 8) -> Iterator[Runtime]:
    """Opens the parts and closes them again. Raises Failure for an address that makes no sense.

    `connections` bounds the shared pool; the store has half as many more.
    """
    try:
        conninfo_to_dict(database_url)
    except psycopg.ProgrammingError as error:
        message = "the address of the database is not one that PostgreSQL understands"
        raise Failure(message) from error
    blobs, models = _blobs(settings), _models(settings)
    pool: Pool = ConnectionPool(
        database_url,
        min_size=1,
        max_size=connections,
        kwargs={"autocommit": True, "application_name": "replay-vision"},
        check=ConnectionPool.check_connection,
        timeout=10,
        reconnect_timeout=5,
        open=False,
    )
    with ExitStack() as closing:
        closing.callback(pool.close)
        pool.open()
        store = Store(database_url, pool_size=max(2, connections // 2))
        closing.callback(store.close)
        transport = _transport(settings, database_url, pool)
        closing.callback(transport.close)
        yield Runtime(
            settings=settings,
            database_url=database_url,
            pool=pool,
            store=store,
            transport=transport,
            blobs=blobs,
            secret=secret,
            scanners=Scanners(store, models.ids),
            actions=Actions(store, mail=settings.mail, allowed_hosts=settings.allowed_hosts),
            action_runs=ActionRuns(store),
            integrations=Integrations(store, Seal(secret)),
            webhook_secrets=WebhookSecrets(store, Seal(secret)),
            endpoints=Endpoints(store),
            observations=Observations(store, settings.observation_limits),
            recordings=Recordings(store),
            accounts=Accounts(store, secret),
            models=models,
        )


def _blobs(settings: Settings) -> Blobs:
    bucket = settings.blobs_bucket
    if bucket is None:
        return FolderBlobs(settings.blobs_folder)
    # Without a bucket nothing of the client of S3 is imported.
    from consumers.capture.store.s3_blobs import S3Blobs  # noqa: PLC0415

    try:
        return S3Blobs(bucket)
    except ValueError as error:
        raise Failure(str(error)) from error


def _models(settings: Settings) -> Catalogue:
    try:
        return settings.models()
    except BadCatalogue as error:
        raise Failure(f"{PREFIX}MODELS_FILE: {error}") from error


def _transport(settings: Settings, database_url: str, pool: Pool) -> MeasuredTransport:
    log = LogSettings(prefix=settings.kafka_topic_prefix)
    in_database = PostgresTransport(database_url, pool, log)
    if settings.kafka is None:
        return in_database
    # Without Kafka nothing of its client is imported.
    from consumers.transports.handover import HandingOver  # noqa: PLC0415
    from consumers.transports.kafka.transport import KafkaTransport  # noqa: PLC0415

    existing = [settings.kafka_snapshots_topic] if settings.kafka_snapshots_topic else []
    kafka = KafkaTransport(database_url, pool, settings.kafka, replace(log, existing=existing))
    return HandingOver(in_database, kafka, log.away)


def migrations() -> Migrations:
    """All numbered migrations of all rooms."""
    rooms = ("commands", "projections", "consumers")
    return Migrations.from_folders(folder for room in rooms for folder in sorted((ROOT / room).rglob("schema")))


def migrate(database_url: str, *, dry_run: bool = False) -> list[Migration]:
    """Applies what is missing and returns it; with `dry_run` everything is rolled back at the end."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        return migrations().apply(connection, dry_run=dry_run)


def set_up(running: Runtime) -> Credentials | None:
    """Sets up an empty database once; returns the credentials of this home, None when another home did it.

    The credentials are on disk before the append that makes them valid, so a crash in between loses nothing: the
    draft becomes the file when the database says that its organization is the one that was set up.
    """
    home, path = running.settings.home, credentials.path_in(running.settings.home)
    draft = home / "credentials.pending.json"
    if not running.accounts.is_set_up:
        fresh = Credentials(
            url=running.settings.links,
            environment_id=1,
            api_key=new_key(),
            project_token=new_token(),
            organization_id=str(uuid4()),
            user_email=FIRST_USER,
        )
        credentials.write(draft, fresh)
        first = FirstAccounts(fresh.organization, fresh.project_token, fresh.api_key, fresh.user_email)
        try:
            running.accounts.set_up(running.context("bootstrap"), first)
        except Conflict:
            draft.unlink()
    pending = credentials.read(draft)
    if pending is not None and running.accounts.set_up_organization == pending.organization:
        draft.replace(path)
    return credentials.read(path)


def prepare(running: Runtime) -> tuple[bool, Credentials | None]:
    """Migrates the database, installs the projections and sets up an empty database.

    Returns whether this call found it empty, and this home's credentials.
    """
    migrate(running.database_url)
    with psycopg.connect(running.database_url, autocommit=True) as connection:
        outdated = install(connection, PROJECTIONS)
    for name in outdated:
        rebuild(running.database_url, named(name), EventLog())
    first = not running.accounts.is_set_up
    return first, set_up(running)


def refuse_empty(running: Runtime) -> None:
    """Raises NotSetUp unless the database is migrated to exactly these files and set up."""
    with running.pool.connection() as connection:
        pending = migrations().pending(connection)
    if pending:
        message = f"the database lacks {len(pending)} migrations; run `replay-vision admin bootstrap` or `up` first"
        raise NotSetUp(message)
    if not running.accounts.is_set_up:
        message = "the database is not set up; run `replay-vision admin bootstrap` or `up` first"
        raise NotSetUp(message)


def choose_transport(running: Runtime) -> None:
    """Notes the transport of the settings, for the processes of the installation.

    Raises Failure when the change would leave records behind.
    """
    with _transport_of(running) as (connection, transport, prefix):
        settle_on(connection, transport, prefix)


def refuse_other_transport(running: Runtime) -> None:
    """Raises Failure when a command is set to another transport than the installation's processes were."""
    with _transport_of(running) as (connection, transport, prefix):
        refuse_other(connection, transport, prefix)


@contextmanager
def _transport_of(running: Runtime) -> Iterator[tuple[psycopg.Connection[TupleRow], str, str]]:
    transport = "postgres" if running.settings.kafka is None else "kafka"
    try:
        with running.pool.connection() as connection:
            yield connection, transport, running.settings.kafka_topic_prefix
    except Unsafe as error:
        raise Failure(str(error)) from error


def wait_for_database(database_url: str, stop: Event) -> bool:
    """Waits until the database accepts connections; False when `stop` was set before. Says every time why it waits."""
    while not stop.is_set():
        try:
            psycopg.connect(database_url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            log.warning("waiting for the database: %s", str(error).splitlines()[0])
            stop.wait(DATABASE_WAIT_SECONDS)
        else:
            return True
    return False


@contextmanager
def runtime_when_up(
    settings: Settings, database_url: str, secret: bytes, stop: Event, connections: int
) -> Iterator[Runtime | None]:
    """For a process that lives long: as `runtime`, `refuse_empty` and `choose_transport`, through outages.

    None when `stop` was set before.
    """
    while wait_for_database(database_url, stop):
        with ExitStack() as opened:
            try:
                running = opened.enter_context(runtime(settings, database_url, secret, connections))
                refuse_empty(running)
                choose_transport(running)
            except OUTAGES as error:
                log.warning("it went away again: %s", next(iter(str(error).splitlines()), type(error).__name__))
                continue
            yield running
            return
    yield None
