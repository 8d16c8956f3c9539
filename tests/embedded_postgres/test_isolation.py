"""Who can reach the database, and that nothing that existed before has been opened up for it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres, HomeBelongsToAnother, NoServerAccount, Tuning, UnsafeFolder
from api.embedded_postgres.account import server_account
from api.embedded_postgres.binaries import Binaries, installed
from api.embedded_postgres.place import STATE_FOLDER, Place, find
from tests.embedded_postgres.conftest import Modes
from tests.embedded_postgres.other_user import OtherUser

QUICK = Tuning(crash_safe=False)


def place_of(home: Path) -> Place:
    place = find(home)
    assert place is not None
    return place


def refusal(url: str) -> str:
    """The server's or the system's reason for not letting us connect."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        return str(error)
    return "connected"


def start_and_stop(home: Path, binaries: Binaries) -> tuple[str, str]:
    with EmbeddedPostgres(home, QUICK, binaries=binaries) as postgres:
        return postgres.url, refusal(postgres.url)


def test_no_existing_folder_changes(homes: Path, modes: Callable[..., Modes]) -> None:
    home = homes / "a" / "b"
    home.mkdir(parents=True, mode=0o750)
    watched = (home, installed().folder, STATE_FOLDER, Path.home())
    before = modes(*watched)
    with EmbeddedPostgres(home, QUICK):
        during = modes(*before)
    assert during == before
    assert modes(*before) == before


def test_no_existing_folder_changes_for_an_ordinary_user(
    homes: Path, modes: Callable[..., Modes], ordinary: OtherUser, readable_binaries: Binaries
) -> None:
    home = homes / "a"
    home.mkdir()
    os.chown(home, ordinary.uid, -1)
    before = modes(home, readable_binaries.folder, STATE_FOLDER)
    url, answer = ordinary.run(start_and_stop, home, readable_binaries)
    assert answer == "connected"
    assert str(home).replace("/", "%2F") in url
    assert modes(*before) == before


def test_a_new_home_is_private(homes: Path, modes: Callable[..., Modes]) -> None:
    with EmbeddedPostgres(homes / "home", QUICK):
        place = place_of(homes / "home")
        made = modes(homes / "home", place.data, place.socket, place.log)
    assert {made[path][0] for path in (homes / "home", place.data, place.socket, place.log)} == {0o700}


def test_another_user_cannot_connect(homes: Path, stranger: OtherUser) -> None:
    with EmbeddedPostgres(homes / "home", QUICK) as postgres:
        place = place_of(homes / "home")
        assert "Permission denied" in stranger.run(refusal, postgres.url)
        # Were the folder ever opened by mistake, the server itself would still refuse.
        place.socket.chmod(0o755)
        (place.socket / ".s.PGSQL.5432").chmod(0o777)
        assert "Peer authentication failed" in stranger.run(refusal, postgres.url)


def test_another_user_cannot_connect_to_an_ordinary_users_server(
    homes: Path, ordinary: OtherUser, stranger: OtherUser, readable_binaries: Binaries
) -> None:
    def start() -> str:
        postgres = EmbeddedPostgres(homes / "home", QUICK, binaries=readable_binaries)
        url = postgres.start()
        postgres.detach()
        return url

    url = ordinary.run(start)
    try:
        assert "Permission denied" in stranger.run(refusal, url)
        assert ordinary.run(refusal, url) == "connected"
        assert "Peer authentication failed" in refusal(url)
    finally:
        ordinary.run(EmbeddedPostgres(homes / "home", QUICK, binaries=readable_binaries).destroy)


def test_nothing_listens_on_the_network(homes: Path) -> None:
    with EmbeddedPostgres(homes / "home", QUICK):
        files = {path.name for path in place_of(homes / "home").socket.iterdir()}
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect("postgresql://replay_vision@127.0.0.1:5432/replay_vision", connect_timeout=5)
    assert files == {".s.PGSQL.5432", ".s.PGSQL.5432.lock"}


@pytest.mark.parametrize("name", ["with space", "quo'te\"d $x", "ünïcode", "x" * 200])
def test_any_home_path_works(homes: Path, name: str) -> None:
    with EmbeddedPostgres(homes / name, QUICK) as postgres:
        assert refusal(postgres.url) == "connected"


@pytest.mark.parametrize("name", ["with space", "quo'te\"d $x", "ünïcode", "x" * 200])
def test_any_home_path_works_for_an_ordinary_user(
    homes: Path, name: str, ordinary: OtherUser, readable_binaries: Binaries
) -> None:
    def run() -> tuple[str, int]:
        postgres = EmbeddedPostgres(homes / name, QUICK, binaries=readable_binaries)
        with postgres:
            answer = refusal(postgres.url)
            mode = place_of((homes / name).resolve()).socket.stat().st_mode & 0o777
        postgres.destroy()
        return answer, mode

    assert ordinary.run(run) == ("connected", 0o700)


def test_a_socket_folder_that_others_have_made_is_refused(
    homes: Path, ordinary: OtherUser, stranger: OtherUser, readable_binaries: Binaries
) -> None:
    home = homes / ("x" * 200)

    def socket_folder() -> Path:
        postgres = EmbeddedPostgres(home, QUICK, binaries=readable_binaries)
        postgres.start()
        place = place_of(home)
        postgres.destroy()
        return place.socket

    def start() -> str:
        try:
            EmbeddedPostgres(home, QUICK, binaries=readable_binaries).start()
        except UnsafeFolder as error:
            return str(error)
        return "started"

    folder = ordinary.run(socket_folder)
    assert folder.is_relative_to("/tmp")
    stranger.run(folder.mkdir)
    try:
        assert f"{folder} belongs to user id {stranger.uid}" in ordinary.run(start)
    finally:
        folder.rmdir()


def test_a_home_of_another_user_is_refused_untouched(
    homes: Path, ordinary: OtherUser, readable_binaries: Binaries
) -> None:
    home = homes / "home"
    home.mkdir(mode=0o777)
    home.chmod(0o777)

    def start() -> str:
        try:
            EmbeddedPostgres(home, QUICK, binaries=readable_binaries).start()
        except HomeBelongsToAnother as error:
            return str(error)
        return "started"

    with EmbeddedPostgres(home, QUICK) as postgres:
        assert f"was set up by root, and you are {ordinary.name}" in ordinary.run(start)
        assert refusal(postgres.url) == "connected"


def test_a_copied_home_does_not_share_the_database(homes: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip(
            "NOT RUN: only root keeps data outside the home, so only root's homes can be copied without their data"
        )
    with EmbeddedPostgres(homes / "home", QUICK):
        pass
    shutil.copytree(homes / "home", homes / "copy")
    with pytest.raises(HomeBelongsToAnother, match="is a copy of"):
        EmbeddedPostgres(homes / "copy", QUICK).start()
    shutil.rmtree(homes / "copy")


def test_a_moved_home_keeps_its_database(homes: Path) -> None:
    with EmbeddedPostgres(homes / "home", QUICK) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept ()")
    (homes / "home").rename(homes / "moved")
    with EmbeddedPostgres(homes / "moved", QUICK) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("SELECT * FROM kept")


def test_root_without_useradd_is_told_what_to_do(homes: Path) -> None:
    with pytest.raises(NoServerAccount, match="useradd --system no-such-account"):
        server_account("no-such-account", programs=str(homes))


def test_root_is_no_server_account() -> None:
    with pytest.raises(NoServerAccount, match="root under another name"):
        server_account("root")
