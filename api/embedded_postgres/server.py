"""The embedded PostgreSQL server of one home folder."""

import logging
import shlex
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from api.embedded_postgres import place as places
from api.embedded_postgres.binaries import Binaries, installed
from api.embedded_postgres.data import discard, initialise, refuse_other_major_version
from api.embedded_postgres.errors import EmbeddedPostgresError, StartFailed
from api.embedded_postgres.folders import PRIVATE, make_folder, make_own
from api.embedded_postgres.lock import HomeLock
from api.embedded_postgres.parameters import (
    DATABASE,
    LOG_FILES_KEPT,
    ROLE,
    Tuning,
    cluster_name,
    parameters,
    write_access_files,
)
from api.embedded_postgres.place import Place
from api.embedded_postgres.postmaster import Stopping, postmaster_pid

CONNECT_SECONDS = 10
PROGRESS_SECONDS = 5.0
STARTUP_LOG = "startup.log"
LOG_TAIL_BYTES = 4000
MOST_NAMED = 5
"""Databases of homes that are gone; the rest is counted."""

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One PostgreSQL server for one home folder, reachable only through a socket that other users cannot open.

    `start` and `stop` may be called any number of times. While started, the home is locked against other processes.
    The server outlives a killed owner; the next `start` takes it over. Every method raises an EmbeddedPostgresError
    that says what to do.
    """

    def __init__(
        self,
        home: Path,
        tuning: Tuning | None = None,
        *,
        binaries: Binaries | None = None,
        state: Path = places.STATE_FOLDER,
    ) -> None:
        """`home` is made when missing; `binaries` default to the installed ones; `state` is only used as root."""
        self._home = home.expanduser().resolve()
        self._tuning = tuning or Tuning()
        self._binaries = binaries
        self._state = state
        self._lock = HomeLock(places.database_folder(self._home) / "lock")

    @property
    def running(self) -> bool:
        """True while the server's process lives, whoever has started it."""
        place = places.find(self._home, self._state)
        return place is not None and postmaster_pid(place.data) is not None

    @property
    def url(self) -> str:
        """The connection address, valid for psycopg and every libpq client while the server runs.

        Raises EmbeddedPostgresError when the home has never been set up.
        """
        place = places.find(self._home, self._state)
        if place is None:
            raise EmbeddedPostgresError(
                f"{self._home} has no database yet. Start it with: replay-vision up --home {self._home}"
            )
        return _url(place, DATABASE)

    def start(self, wait_seconds: float = 0.0) -> str:
        """Starts the server, or takes over the one a killed process has left, and returns `url`.

        Waits `wait_seconds` for another owner of the home to finish, then raises HomeInUse.
        """
        try:
            if self._lock.held and self._answers():
                return self.url
            self._make_home()
            self._lock.acquire(wait_seconds)
            return self._start_locked()
        except OSError as error:
            self._lock.release()
            raise EmbeddedPostgresError(f"PostgreSQL cannot be set up for {self._home}: {error}") from error
        except BaseException:
            self._lock.release()
            raise

    def stop(self) -> None:
        """Ends the server, within `Tuning.stop_seconds`, and gives the home back. Does nothing unless started here."""
        if not self._lock.held:
            return
        place = places.find(self._home, self._state)
        if place is not None:
            self._stopping(place, self._programs(place)).stop()
        self._lock.release()

    def detach(self) -> None:
        """Gives the home back and leaves the server running, for whoever starts it next."""
        self._lock.release()

    def destroy(self) -> None:
        """Stops the server and removes the database with all its data. Raises HomeInUse when another process has it."""
        if not places.database_folder(self._home).exists():
            return
        self._lock.acquire()
        place = places.find(self._home, self._state)
        self.stop()
        if place is not None:
            discard(place)
        (places.database_folder(self._home) / places.IDENTITY).unlink(missing_ok=True)

    @contextmanager
    def borrowed(self) -> Generator[str]:
        """The `url` of the running server, or of one started for the length of the block: for commands beside `up`."""
        if self.running and not self._lock.held:
            yield self.url
            return
        with self:
            yield self.url

    def trim_log(self) -> None:
        """Removes all but the newest LOG_FILES_KEPT log files (at most 10 MB each)."""
        place = places.find(self._home, self._state)
        if place is None:
            return
        for old in sorted(place.log.glob("postgresql-*.log"))[:-LOG_FILES_KEPT]:
            old.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        """A server whose process is just being killed still looks like a running one, but answers no more."""
        place = places.find(self._home, self._state)
        if place is None or postmaster_pid(place.data) is None:
            return False
        try:
            _connect(place).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_home(self) -> None:
        places.find(self._home, self._state)  # a home of another user is refused before anything is made in it
        if not self._home.exists():
            self._home.parent.mkdir(parents=True, exist_ok=True)
            make_folder(self._home, PRIVATE)
        make_own(places.database_folder(self._home))

    def _start_locked(self) -> str:
        source = self._binaries or installed()
        place, programs = places.prepare(self._home, source, self._state)
        if forsaken := places.forsaken(self._state):
            names = ", ".join(base.name for base in forsaken[:MOST_NAMED])
            more = f" and {len(forsaken) - MOST_NAMED} more" if len(forsaken) > MOST_NAMED else ""
            log.warning("databases of homes that are gone are kept in %s: %s%s", self._state / "homes", names, more)
        refuse_other_major_version(place, programs)
        arguments = parameters(place, programs, self._tuning)
        if not self._adopt(place, programs, cluster_name(arguments)):
            initialise(place, programs, ROLE, crash_safe=self._tuning.crash_safe)
            write_access_files(place)
            self.trim_log()
            self._launch(place, programs, arguments)
        _create_database(place)
        return _url(place, DATABASE)

    def _adopt(self, place: Place, programs: Binaries, name: str) -> bool:
        """True when the server of an earlier run is as we would start it and answers; otherwise it is made to end."""
        if postmaster_pid(place.data) is not None:
            self._wait_until_settled(place)
            if _take_over(place, name):
                log.info("took over the PostgreSQL that an earlier run has left running in %s", place.data)
                return True
            log.info("stopping the PostgreSQL that an earlier run has left in %s", place.data)
            self._stopping(place, programs).stop()
        self._stopping(place, programs).clear_stale_locks(place.socket)
        return False

    def _wait_until_settled(self, place: Place) -> None:
        """Waits while a server that was left behind is still recovering or on its way out."""
        deadline = time.monotonic() + self._tuning.start_seconds
        while postmaster_pid(place.data) is not None and _status(place) in {"", "starting", "stopping"}:
            if time.monotonic() >= deadline:
                return
            time.sleep(0.02)

    def _launch(self, place: Place, programs: Binaries, arguments: list[str]) -> None:
        startup = place.log / STARTUP_LOG
        startup.unlink(missing_ok=True)
        seconds = self._tuning.start_seconds
        command = [
            "start",
            "-s",
            "-w",
            "-t",
            str(int(seconds)),
            "-l",
            f"log/{STARTUP_LOG}",
            "-o",
            shlex.join(arguments),
        ]
        # pg_ctl leaves a server behind that would keep pipes of ours open, so it gets none.
        started = time.monotonic()
        process = subprocess.Popen(
            **programs.command(place.account, place.data, "pg_ctl", *command),  # type: ignore[call-overload]
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                code = process.wait(timeout=PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                log.warning("PostgreSQL is still starting after %.0f s (crash recovery)", time.monotonic() - started)
        if code != 0:
            tail = _log_tail(place)
            self._stopping(place, programs).stop()
            raise StartFailed(f"PostgreSQL did not start in {place.data}. The end of its log in {place.log}:\n{tail}")

    def _programs(self, place: Place) -> Binaries:
        return places.programs_of(place, self._binaries or installed(), self._state)

    def _stopping(self, place: Place, programs: Binaries) -> Stopping:
        return Stopping(programs, place.account, place.data, self._tuning.stop_seconds)


def _url(place: Place, database: str) -> str:
    # requirepeer: the client, too, makes sure who is at the other end of the socket.
    host, peer = quote(str(place.socket), safe=""), quote(place.account.name, safe="")
    return f"postgresql://{ROLE}@/{database}?host={host}&port={places.PORT}&requirepeer={peer}"


def _connect(place: Place) -> psycopg.Connection:
    return psycopg.connect(_url(place, "postgres"), autocommit=True, connect_timeout=CONNECT_SECONDS)


def _status(place: Place) -> str:
    """The last line of postmaster.pid: starting, stopping, ready or standby; empty while it is being written."""
    try:
        lines = (place.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    status_line = 8
    return lines[status_line - 1].strip() if len(lines) >= status_line else ""


def _take_over(place: Place, name: str) -> bool:
    """Checks that the server at the socket is ours, with the same settings, and ends sessions of a killed run."""
    try:
        with _connect(place) as connection:
            found = connection.execute(
                "SELECT current_setting('data_directory'), current_setting('cluster_name')"
            ).fetchone()
            if found != (str(place.data), name):
                return False
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return True
    except psycopg.Error as error:
        log.info("the PostgreSQL in %s does not answer: %s", place.data, error)
        return False


def _create_database(place: Place) -> None:
    with _connect(place) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _log_tail(place: Place) -> str:
    files = [place.log / STARTUP_LOG, *sorted(place.log.glob("postgresql-*.log"))[-1:]]
    return "\n".join(
        file.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_BYTES:] for file in files if file.exists()
    )
