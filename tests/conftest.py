"""One embedded PostgreSQL for the whole test session, and a fresh migrated database for each test that asks for one."""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations as all_migrations
from api.embedded_postgres import EmbeddedPostgres, Tuning
from api.embedded_postgres.folders import make_own
from commands.store.migrations import Migrations
from projections.accounts import ACCOUNTS
from projections.engine.installing import install
from projections.recordings import RECORDINGS
from tests.servers.server import kill_all
from tests.servers.tablespace import folder_in_memory, remove_from_memory

pytest_plugins = ["tests.servers.fixtures"]

FAST = Tuning(shared_buffers="128MB", max_connections=400, crash_safe=False)
DURABLE = Tuning(shared_buffers="64MB", max_connections=200)
POOL_CONNECTIONS = 10
REPORT_VARIABLE = "REPLAY_VISION_TEST_REPORT"
TABLESPACE = "in_memory"
NEEDED = {
    "browser": "a real browser",
    "broker": "a real Kafka broker",
    "s3": "a real S3-compatible server",
    "corpus": "the whole corpus of recordings, beside the repository in ../shared/recordings",
}
"""Marker of the tests that need it, and its name."""
EXAMPLES_VARIABLE = "REPLAY_VISION_TEST_EXAMPLES"
"""Examples that a property is tried on unless it says a number itself: half of the library's, for the sake of time."""
settings.register_profile("common", max_examples=int(os.environ.get(EXAMPLES_VARIABLE, "50")))
settings.load_profile("common")
SESSION = pytest.StashKey[Path]()
SESSION_LOCK = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """The controller makes the session's folder and tells workers. Servers start in it when a test needs one."""
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[SESSION] = Path(worker_input["postgres_session"])
        return
    # A run that is told to end (by CI's time limit, say) ends as by Ctrl-C: with its fixtures torn down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sessions = make_own(Path(tempfile.gettempdir()) / f"replay-vision-tests-{os.geteuid()}")
    session = make_own(sessions / f"{os.getpid()}-{uuid4().hex[:8]}")
    descriptor = os.open(session / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    config.stash[SESSION], config.stash[SESSION_LOCK] = session, descriptor
    _clear_dead_sessions(sessions)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """pytest-xdist: called in the controller for each worker."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    node.workerinput["postgres_session"] = str(config.stash[SESSION])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller ends whatever was started, also by workers that have crashed since."""
    descriptor = config.stash.get(SESSION_LOCK, None)
    if descriptor is None:
        return
    _clear(config.stash[SESSION])
    os.close(descriptor)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """For a whole run (make test): names what could not be run here, so that a green line is not taken for more."""
    if os.environ.get(REPORT_VARIABLE) != "1":
        return
    ran = {
        keyword
        for kind in ("passed", "failed")
        for report in terminalreporter.getreports(kind)
        for keyword in report.keywords
    }
    terminalreporter.section("NOT RUN HERE")
    for marker, what in NEEDED.items():
        if marker not in ran:
            terminalreporter.line(f"tests against {what}: none was run")
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")


def _clear_dead_sessions(sessions: Path) -> None:
    """A session that was killed keeps its folder and servers, but not its lock."""
    for session in sessions.iterdir():
        lock = session / "lock"
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except FileNotFoundError:
            continue  # being made, or being cleared, by another session
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(session)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _clear(session: Path) -> None:
    kill_all(session)
    for home in session.glob("server-*"):
        EmbeddedPostgres(home).destroy()
    remove_from_memory(session)
    shutil.rmtree(session)


@contextmanager
def _one_at_a_time(session: Path) -> Generator[None]:
    descriptor = os.open(session / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _in_database(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


class Server:
    """The session's server of one kind, with a template database for each state of the migration files."""

    def __init__(self, session: Path, name: str, tuning: Tuning) -> None:
        self._session = session
        self._postgres = EmbeddedPostgres(session / f"server-{name}", tuning)
        # Copying files is three times as fast as logging every block, but makes a checkpoint, costly with fsync on.
        self._strategy = sql.SQL("wal_log" if tuning.crash_safe else "file_copy")
        migrations = all_migrations()
        self._template = f"template_{migrations.checksum[:16]}"
        with _one_at_a_time(session):
            if not self._postgres.running:
                self._postgres.start()
                # Its owner is the session, not this worker, which may end or crash before the others do.
                self._postgres.detach()
            self.url = self._postgres.url
            self._tablespace = self._in_memory() if not tuning.crash_safe else sql.SQL("pg_default")
            self._make_template(migrations)

    def clone(self) -> str:
        """A new database with all migrations applied; returns its address."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(_in_database(self.url, "postgres"), autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {} TABLESPACE {}").format(
                    sql.Identifier(name), sql.Identifier(self._template), self._strategy, self._tablespace
                )
            )
        return _in_database(self.url, name)

    def drop(self, url: str) -> None:
        """Removes a clone, also when connections are still open to it."""
        name = urlsplit(url).path.removeprefix("/")
        with psycopg.connect(_in_database(self.url, "postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _in_memory(self) -> sql.Composable:
        """The tablespace for all databases of tests: in memory, or the server's own where there is too little."""
        folder = folder_in_memory(self._session)
        if folder is None:
            return sql.SQL("pg_default")
        with psycopg.connect(_in_database(self.url, "postgres"), autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_tablespace WHERE spcname = %s", (TABLESPACE,)).fetchone():
                admin.execute(
                    sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(TABLESPACE), str(folder))
                )
        return sql.Identifier(TABLESPACE)

    def _make_template(self, migrations: Migrations) -> None:
        unfinished = f"{self._template}_unfinished"
        with psycopg.connect(_in_database(self.url, "postgres"), autocommit=True) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self._template,)).fetchone():
                return
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(unfinished)))
            admin.execute(
                sql.SQL("CREATE DATABASE {} TABLESPACE {}").format(sql.Identifier(unfinished), self._tablespace)
            )
            with psycopg.connect(_in_database(self.url, unfinished), autocommit=True) as connection:
                migrations.apply(connection)
            admin.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(unfinished), sql.Identifier(self._template)
                )
            )


@contextmanager
def _cloned(server: Server) -> Generator[str]:
    url = server.clone()
    try:
        yield url
    finally:
        server.drop(url)


@pytest.fixture(scope="session")
def session_folder(pytestconfig: pytest.Config) -> Path:
    """Shared by all processes of this run, and removed at its end; servers in its folders are killed before."""
    return pytestconfig.stash[SESSION]


@pytest.fixture(scope="session")
def fast_server(pytestconfig: pytest.Config) -> Server:
    """The server that most tests share; it does not flush to disk."""
    return Server(pytestconfig.stash[SESSION], "fast", FAST)


@pytest.fixture(scope="session")
def durable_server(pytestconfig: pytest.Config) -> Server:
    """A server with production's durability, for tests of crash safety."""
    return Server(pytestconfig.stash[SESSION], "durable", DURABLE)


@pytest.fixture
def database_url(fast_server: Server) -> Iterator[str]:
    """The address of a fresh database with all migrations applied, for one test."""
    with _cloned(fast_server) as url:
        yield url


@pytest.fixture
def durable_database_url(durable_server: Server) -> Iterator[str]:
    """As `database_url`, on a server that flushes every commit to disk."""
    with _cloned(durable_server) as url:
        yield url


@pytest.fixture
def readable(database_url: str) -> None:
    """What is read of sessions rests on projections too: which were deleted, and how long an environment keeps them."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        install(connection, [RECORDINGS, ACCOUNTS])


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool]:
    """Connections in autocommit mode to `database_url`."""
    connections: ConnectionPool[psycopg.Connection[TupleRow]] = ConnectionPool(
        database_url, min_size=1, max_size=POOL_CONNECTIONS, kwargs={"autocommit": True}, open=True
    )
    try:
        # A connection that is made later rolls dice in a thread of its own, which generated tests take for theirs.
        connections.wait()
        yield connections
    finally:
        connections.close()
