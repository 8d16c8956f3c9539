"""Starting, stopping, restarting and sharing one home."""

import multiprocessing
import os
import signal
from pathlib import Path

import psutil
import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, HomeInUse, StartFailed, Tuning
from api.embedded_postgres.parameters import LOG_FILES_KEPT
from api.embedded_postgres.place import Place, find, forsaken
from api.embedded_postgres.postmaster import postmaster_pid, server_processes
from tests.embedded_postgres.waiting import wait_until

QUICK = Tuning(crash_safe=False)


def place_of(home: Path) -> Place:
    place = find(home)
    assert place is not None
    return place


def pid_of(home: Path) -> int:
    pid = postmaster_pid(place_of(home).data)
    assert pid is not None
    return pid


def put(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


def kept(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY value")]


def test_data_outlives_a_stop(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home")
    url = postgres.start()
    put(url, 1)
    postgres.stop()
    assert not postgres.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert postgres.start() == url
    assert kept(url) == [1]
    postgres.stop()


def test_start_and_stop_may_be_repeated(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home", QUICK)
    postgres.stop()
    url = postgres.start()
    pid = pid_of(homes / "home")
    with psycopg.connect(url) as connection:
        assert postgres.start() == url == postgres.url
        assert connection.execute("SELECT 1").fetchone() == (1,), "a second start must not disturb sessions"
    assert pid_of(homes / "home") == pid
    postgres.stop()
    postgres.stop()
    assert not postgres.running
    assert server_processes(place_of(homes / "home").data) == []


def test_url_of_an_unused_home_says_what_to_do(homes: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="replay-vision up"):
        _ = EmbeddedPostgres(homes / "home").url
    assert not (homes / "home").exists()


def test_settings_are_production_like(homes: Path) -> None:
    with EmbeddedPostgres(homes / "home") as postgres, psycopg.connect(postgres.url) as connection:
        shown = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
        locale = connection.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        )
        assert locale.fetchone() == ("b", "C.UTF-8")
    assert {name: shown[name] for name in ("listen_addresses", "fsync", "full_page_writes", "synchronous_commit")} == {
        "listen_addresses": "",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
    }
    assert (shown["shared_buffers"], shown["max_connections"], shown["TimeZone"]) == ("16384", "100", "UTC")


def test_two_homes_run_side_by_side(homes: Path) -> None:
    with EmbeddedPostgres(homes / "one", QUICK) as one, EmbeddedPostgres(homes / "two", QUICK) as two:
        put(one.url, 1)
        put(two.url, 2)
        assert (kept(one.url), kept(two.url)) == ([1], [2])


def test_a_second_owner_of_a_home_is_told_who_has_it(homes: Path) -> None:
    with (
        EmbeddedPostgres(homes / "home", QUICK) as postgres,
        pytest.raises(HomeInUse, match=f"process {os.getpid()} is already running the home folder {homes / 'home'}"),
    ):
        EmbeddedPostgres(homes / "home", QUICK).start()
    assert not postgres.running


def test_a_command_borrows_the_running_server_or_starts_one(homes: Path) -> None:
    command = EmbeddedPostgres(homes / "home", QUICK)
    with command.borrowed() as url:
        put(url, 1)
    assert not command.running
    with EmbeddedPostgres(homes / "home", QUICK) as owner:
        with command.borrowed() as url:
            assert kept(url) == [1]
        assert owner.running


def test_destroy_leaves_nothing(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home", QUICK)
    postgres.start()
    place = place_of(homes / "home")
    put(postgres.url, 1)
    postgres.destroy()
    assert server_processes(place.data) == []
    assert not place.data.exists()
    assert not place.socket.exists()
    with postgres:
        assert kept_nothing(postgres.url)


def test_the_database_of_a_removed_home_is_named(homes: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As root it lies outside the home, and would stay unseen for ever."""
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: only root keeps data outside the home")
    with EmbeddedPostgres(homes / "gone", QUICK):
        name = place_of(homes / "gone").base.name
    (homes / "gone").rename(homes / "hidden")
    with EmbeddedPostgres(homes / "home", QUICK):
        assert "databases of homes that are gone" in caplog.text
        assert name in caplog.text
    caplog.clear()
    (homes / "hidden").rename(homes / "gone")
    with EmbeddedPostgres(homes / "home", QUICK):
        assert name not in caplog.text


def test_databases_without_a_home_come_latest_first(homes: Path) -> None:
    """Only the first few are named: a machine may have many."""
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: only root keeps data outside the home")
    for number in range(3):
        base = homes / "homes" / f"gone-{number}"
        base.mkdir(parents=True)
        (base / "home").write_text(str(homes / "nowhere"))
        os.utime(base, (number, number))
    (homes / "homes" / "no-database").mkdir()
    assert [base.name for base in forsaken(homes)] == ["gone-2", "gone-1", "gone-0"]


def test_a_failed_start_shows_the_log_and_frees_the_home(homes: Path) -> None:
    with pytest.raises(StartFailed, match='invalid value for parameter "shared_buffers"'):
        EmbeddedPostgres(homes / "home", Tuning(shared_buffers="much")).start()
    with EmbeddedPostgres(homes / "home", QUICK) as postgres:
        assert postgres.running


def test_an_interrupted_initdb_is_begun_again(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home", QUICK)
    postgres.start()
    place = place_of(homes / "home")
    postgres.stop()
    place.data.rename(place.unfinished_data)
    (place.unfinished_data / "PG_VERSION").unlink()
    if os.geteuid() != 0:
        assert find(homes / "home") is None
    postgres.start()
    assert kept_nothing(postgres.url)
    postgres.stop()


def kept_nothing(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('kept') IS NULL").fetchone() == (True,)


def test_only_the_newest_log_files_are_kept(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home", QUICK)
    with postgres:
        place = place_of(homes / "home")
        for number in range(LOG_FILES_KEPT + 3):
            (place.log / f"postgresql-20000101-00000{number}.log").write_text("old")
        postgres.trim_log()
        left = sorted(path.name for path in place.log.glob("postgresql-*.log"))
    assert len(left) == LOG_FILES_KEPT
    assert "postgresql-20000101-000000.log" not in left


def _own_until_killed(home: Path, ready: Path) -> None:
    url = EmbeddedPostgres(home, QUICK).start()
    put(url, 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        ready.touch()
        signal.pause()


def _killed_owner(home: Path, ready: Path) -> None:
    """Leaves a server behind whose owner has been killed by SIGKILL."""
    process = multiprocessing.get_context("spawn").Process(target=_own_until_killed, args=(home, ready))
    process.start()
    wait_until(ready.exists)
    with pytest.raises(HomeInUse, match=f"process {process.pid}"):
        EmbeddedPostgres(home, QUICK).start()
    process.kill()
    process.join()


def test_the_server_of_a_killed_owner_is_taken_over(homes: Path) -> None:
    _killed_owner(homes / "home", homes / "ready")
    left = pid_of(homes / "home")
    with EmbeddedPostgres(homes / "home", QUICK) as postgres:
        assert pid_of(homes / "home") == left
        assert kept(postgres.url) == [1]
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            free = "SELECT pg_try_advisory_lock(1)"
            wait_until(lambda: connection.execute(free).fetchone() == (True,))


def test_a_left_server_with_other_settings_is_restarted(homes: Path) -> None:
    _killed_owner(homes / "home", homes / "ready")
    left = pid_of(homes / "home")
    with EmbeddedPostgres(homes / "home", Tuning(max_connections=33)) as postgres:
        assert pid_of(homes / "home") != left
        assert kept(postgres.url) == [1]


def test_a_killed_server_recovers(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home")
    put(postgres.start(), 1)
    for pid in server_processes(place_of(homes / "home").data):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    assert kept(postgres.start()) == [1]
    os.kill(pid_of(homes / "home"), signal.SIGKILL)  # the postmaster alone: its children are still on their way out
    assert kept(postgres.start()) == [1]
    postgres.stop()


def test_a_stale_pid_file_may_name_any_process(homes: Path) -> None:
    postgres = EmbeddedPostgres(homes / "home", QUICK)
    put(postgres.start(), 1)
    place = place_of(homes / "home")
    lines = (place.data / "postmaster.pid").read_text().splitlines()
    postgres.stop()
    bystander = psutil.Popen(["sleep", "600"], **place.account.identity())
    try:
        (place.data / "postmaster.pid").write_text("\n".join([str(bystander.pid), *lines[1:]]))
        assert not postgres.running
        assert kept(postgres.start()) == [1]
        postgres.stop()
        assert bystander.is_running()
    finally:
        bystander.kill()
        bystander.wait()
