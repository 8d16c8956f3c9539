"""Numbered SQL migrations against a real database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, sql

from api import bootstrap
from commands.store.migrations import (
    ChangedMigration,
    FailedMigration,
    InvalidMigration,
    Migration,
    Migrations,
    UnknownMigration,
)

FIRST = "CREATE SCHEMA one;\nCREATE TABLE one.thing (id integer PRIMARY KEY);\n"
SECOND = "ALTER TABLE one.thing ADD COLUMN label text DEFAULT '100%';\n"


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    """A database of its own without any migration."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(database_url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def conn(empty_url: str) -> Iterator[Connection]:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        yield connection


def write(folder: Path, **files: str) -> Migrations:
    """Migrations of a folder with the given files: `m0001_first="..."` is 0001_first.sql."""
    for name, text in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text, encoding="utf-8")
    return Migrations.from_folders([folder])


def names(migrations: list[Migration]) -> list[str]:
    return [str(migration) for migration in migrations]


def exists(conn: Connection, table: str) -> bool:
    return conn.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone() == (True,)


def test_each_is_applied_once_in_the_order_of_its_number(conn: Connection, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write(two, m0010_later=SECOND)
    write(one, m0001_first=FIRST)
    migrations = Migrations.from_folders([two, one, tmp_path / "missing"])
    assert names(migrations.pending(conn)) == ["0001_first", "0010_later"]
    assert names(migrations.apply(conn)) == ["0001_first", "0010_later"]
    assert migrations.pending(conn) == migrations.apply(conn) == []
    rows = conn.execute(
        "SELECT number, name, length(checksum) FROM public.replay_vision_migration ORDER BY number"
    ).fetchall()
    assert rows == [(1, "first", 64), (10, "later", 64)]


def test_one_with_a_number_between_is_still_applied(conn: Connection, tmp_path: Path) -> None:
    write(tmp_path, m0001_first=FIRST, m0010_later=SECOND).apply(conn)
    migrations = write(tmp_path, m0002_between="CREATE TABLE one.between ();")
    assert names(migrations.apply(conn)) == ["0002_between"]


def test_a_dry_run_executes_and_leaves_nothing(conn: Connection, tmp_path: Path) -> None:
    migrations = write(tmp_path, m0001_first=FIRST, m0002_second=SECOND)
    assert names(migrations.apply(conn, dry_run=True)) == ["0001_first", "0002_second"]
    assert not exists(conn, "one.thing")
    assert not exists(conn, "public.replay_vision_migration")
    broken = write(tmp_path, m0003_broken="SELECT * FROM nowhere;")
    with pytest.raises(FailedMigration, match="0003_broken"):
        broken.apply(conn, dry_run=True)
    assert not exists(conn, "one.thing")


def test_a_failing_one_leaves_nothing_and_those_before_stay(conn: Connection, tmp_path: Path) -> None:
    migrations = write(tmp_path, m0001_first=FIRST, m0002_broken="CREATE TABLE one.half (); SELECT * FROM nowhere;")
    with pytest.raises(FailedMigration, match=r"0002_broken failed: relation \"nowhere\" does not exist"):
        migrations.apply(conn)
    assert exists(conn, "one.thing")
    assert not exists(conn, "one.half")
    mended = write(tmp_path, m0002_broken="CREATE TABLE one.half ();")
    assert names(mended.apply(conn)) == ["0002_broken"]


def test_a_changed_file_is_refused(conn: Connection, tmp_path: Path) -> None:
    write(tmp_path, m0001_first=FIRST).apply(conn)
    changed = write(tmp_path, m0001_first=FIRST + "-- a word\n")
    for attempt in (changed.pending, changed.apply):
        with pytest.raises(ChangedMigration, match=r"0001_first was applied .* Restore the file"):
            attempt(conn)


def test_line_ends_are_no_change(conn: Connection, tmp_path: Path) -> None:
    write(tmp_path, m0001_first=FIRST).apply(conn)
    (tmp_path / "0001_first.sql").write_bytes(FIRST.replace("\n", "\r\n").encode())
    assert Migrations.from_folders([tmp_path]).pending(conn) == []


def test_a_database_of_a_newer_release_is_refused(conn: Connection, tmp_path: Path) -> None:
    write(tmp_path, m0001_first=FIRST, m0002_second=SECOND).apply(conn)
    (tmp_path / "0002_second.sql").unlink()
    with pytest.raises(UnknownMigration, match="0002_second"):
        Migrations.from_folders([tmp_path]).apply(conn)


def test_names_and_numbers_are_checked(tmp_path: Path) -> None:
    write(tmp_path, m0001_first=FIRST)
    (tmp_path / "0001_again.sql").write_text(SECOND)
    with pytest.raises(InvalidMigration, match="0001_again and 0001_first have the same number"):
        Migrations.from_folders([tmp_path])
    (tmp_path / "0001_again.sql").rename(tmp_path / "2-again.sql")
    with pytest.raises(InvalidMigration, match=r"NNNN_name\.sql"):
        Migrations.from_folders([tmp_path])


def test_one_that_ends_its_transaction_is_refused(conn: Connection, tmp_path: Path) -> None:
    migrations = write(tmp_path, m0001_first=FIRST + "COMMIT;")
    with pytest.raises((InvalidMigration, FailedMigration)):
        migrations.apply(conn)
    assert conn.execute("SELECT count(*) FROM public.replay_vision_migration").fetchone() == (0,)


def test_a_connection_in_a_transaction_is_refused(conn: Connection, tmp_path: Path) -> None:
    with conn.transaction(), pytest.raises(ValueError, match="autocommit"):
        write(tmp_path, m0001_first=FIRST).apply(conn)


def test_many_processes_may_migrate_at_once(empty_url: str, tmp_path: Path) -> None:
    migrations = write(tmp_path, m0001_first=FIRST + "SELECT pg_sleep(0.1);", m0002_second=SECOND)

    def migrate(_: int) -> int:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            return len(migrations.apply(connection))

    with ThreadPoolExecutor(8) as threads:
        applied = list(threads.map(migrate, range(8)))
    assert sorted(applied) == [0] * 7 + [2]


def test_the_migrations_of_this_release_apply_to_an_empty_database(conn: Connection) -> None:
    migrations = bootstrap.migrations()
    assert migrations.apply(conn) == list(migrations.migrations)
    assert migrations.pending(conn) == []


def test_the_tests_run_on_the_migrations_of_this_release(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert bootstrap.migrations().pending(connection) == []
