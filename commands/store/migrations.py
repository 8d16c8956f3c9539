"""Numbered SQL migrations: each applied once, in the order of its number, in a transaction of its own."""

import hashlib
import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

FILE_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9]+(?:_[a-z0-9]+)*)\.sql")
LOCK_KEY = 0x5265706C6179  # "Replay": one number for every process that migrates this database
LOCK_WAIT_SECONDS = 300
"""How long to wait for another process that is migrating the same database."""

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS public.replay_vision_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
SELECT_APPLIED = "SELECT number, name, checksum, applied_at FROM public.replay_vision_migration ORDER BY number"
INSERT_APPLIED = "INSERT INTO public.replay_vision_migration (number, name, checksum) VALUES (%s, %s, %s)"


class MigrationError(Exception):
    """Base of everything that stops migrations; the text is meant for the operator."""


class InvalidMigration(MigrationError):
    """A file is misnamed, shares its number with another, or ends the transaction that it runs in."""


class ChangedMigration(MigrationError):
    """A file that has been applied is no longer what it was."""


class UnknownMigration(MigrationError):
    """The database has a migration that this release does not know: a newer release has been here."""


class FailedMigration(MigrationError):
    """The SQL of a migration failed; it left nothing behind, and those before it stay applied."""


class MigrationsBusy(MigrationError):
    """Another process has been migrating this database for longer than LOCK_WAIT_SECONDS."""


@dataclass(frozen=True, order=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its text with Unix line ends."""

    number: int
    name: str
    checksum: str
    text: str = field(repr=False)

    @staticmethod
    def from_file(path: Path) -> "Migration":
        """Reads `NNNN_name.sql`. Raises InvalidMigration for any other name."""
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise InvalidMigration(f"{path} is not named NNNN_name.sql")
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        return Migration(int(match["number"]), match["name"], checksum, text)

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


@dataclass(frozen=True)
class Applied:
    """One row of `public.replay_vision_migration`."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


@dataclass(frozen=True)
class Migrations:
    """All migrations of a release, by ascending number."""

    migrations: tuple[Migration, ...]

    @staticmethod
    def from_folders(folders: Iterable[Path]) -> "Migrations":
        """Every `*.sql` directly in the folders; a folder that does not exist has none.

        Raises InvalidMigration for a misnamed file and for two files with one number.
        """
        found = sorted(Migration.from_file(path) for folder in folders for path in folder.glob("*.sql"))
        for one, other in pairwise(found):
            if one.number == other.number:
                raise InvalidMigration(f"{one} and {other} have the same number")
        return Migrations(tuple(found))

    @property
    def checksum(self) -> str:
        """SHA-256 over the numbers, names and contents of all migrations."""
        lines = [f"{migration} {migration.checksum}\n" for migration in self.migrations]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def pending(self, conn: Connection) -> list[Migration]:
        """Those that have not been applied yet, in order; changes nothing.

        Raises ChangedMigration and UnknownMigration when the database and this release disagree about the past.
        """
        applied = {row.number: row for row in _applied(conn)}
        known = {migration.number: migration for migration in self.migrations}
        for row in applied.values():
            _compare(row, known.get(row.number))
        return [migration for migration in self.migrations if migration.number not in applied]

    def apply(self, conn: Connection, *, dry_run: bool = False) -> list[Migration]:
        """Applies what is pending and returns it; `conn` must be in autocommit mode (ValueError otherwise).

        A dry run executes the same statements in one transaction and rolls it back. Raises FailedMigration,
        MigrationsBusy, and what `pending` raises.
        """
        if not conn.autocommit or conn.info.transaction_status != TransactionStatus.IDLE:
            raise ValueError("migrations need a connection in autocommit mode with no transaction open")
        with _only_one(conn):
            pending = self.pending(conn)
            if dry_run:
                with conn.transaction(force_rollback=True):
                    _run_all(conn, pending)
            else:
                _run_all(conn, pending)
        return pending


def _applied(conn: Connection) -> Sequence[Applied]:
    exists = conn.execute("SELECT to_regclass('public.replay_vision_migration') IS NOT NULL").fetchone()
    if exists != (True,):
        return []
    return [Applied(*row) for row in conn.execute(SELECT_APPLIED)]


def _compare(row: Applied, migration: Migration | None) -> None:
    label = f"{row.number:04d}_{row.name}"
    if migration is None:
        raise UnknownMigration(
            f"the database has migration {label}, applied {row.applied_at:%Y-%m-%d %H:%M}, which this release does not "
            "know. Run the release that applied it, or a newer one."
        )
    if migration.checksum != row.checksum:
        raise ChangedMigration(
            f"migration {label} was applied {row.applied_at:%Y-%m-%d %H:%M} with checksum {row.checksum[:12]}, but the "
            f"file {migration}.sql now has {migration.checksum[:12]}. Restore the file and put the change into another."
        )


def _run_all(conn: Connection, migrations: Iterable[Migration]) -> None:
    conn.execute(CREATE_TABLE)
    for migration in migrations:
        try:
            with conn.transaction():
                _run(conn, migration)
        except psycopg.Error as error:
            raise FailedMigration(f"migration {migration} failed: {error}") from error


def _run(conn: Connection, migration: Migration) -> None:
    conn.execute(migration.text.encode())
    if conn.info.transaction_status != TransactionStatus.INTRANS:
        raise InvalidMigration(f"migration {migration} ends its transaction; take COMMIT and ROLLBACK out of it")
    conn.execute(INSERT_APPLIED, (migration.number, migration.name, migration.checksum))


@contextmanager
def _only_one(conn: Connection) -> Generator[None]:
    """Holds the database's migration lock; it also ends with the connection."""
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LOCK_WAIT_SECONDS}s",))
    try:
        conn.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationsBusy(
            f"another process has been migrating this database for {LOCK_WAIT_SECONDS} s; end it if it is stuck, then "
            "try again."
        ) from error
    finally:
        conn.execute("RESET lock_timeout")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))
