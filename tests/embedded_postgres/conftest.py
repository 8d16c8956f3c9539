"""Homes for embedded servers, as the user who runs the tests and, when that is root, as ordinary users too."""

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.embedded_postgres import EmbeddedPostgres
from api.embedded_postgres.binaries import Binaries, copied_below, installed
from tests.embedded_postgres.other_user import OtherUser

ORDINARY_USERS = ("nobody", "daemon")


@pytest.fixture
def homes() -> Iterator[Path]:
    """A folder that every user can enter and write to; every database below it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rv-", dir="/tmp"))  # pytest's own tmp_path cannot be entered by other users
    folder.chmod(0o1777)
    yield folder
    for database in folder.glob("**/postgres"):
        if database.is_dir() and database.stat().st_uid == os.geteuid():
            EmbeddedPostgres(database.parent).destroy()
    shutil.rmtree(folder)


@pytest.fixture
def ordinary() -> OtherUser:
    """An ordinary user whom we can become."""
    return _user(0)


@pytest.fixture
def stranger() -> OtherUser:
    """Another ordinary user."""
    return _user(1)


def _user(number: int) -> OtherUser:
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: only root can act as another user of the machine; run the tests as root to cover this")
    pwd.getpwnam(ORDINARY_USERS[number])
    return OtherUser(ORDINARY_USERS[number])


@pytest.fixture(scope="session")
def readable_binaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Binaries]:
    """The programs where every user can run them: the virtual environment may be below a private folder."""
    if os.geteuid() != 0:
        yield installed()
        return
    folder = Path(tempfile.mkdtemp(prefix="rv-binaries-", dir="/tmp"))
    folder.chmod(0o755)
    yield copied_below(folder / "binaries", installed())
    shutil.rmtree(folder)


Modes = dict[Path, tuple[int, int, int]]


@pytest.fixture
def modes() -> Callable[..., Modes]:
    """Mode, owner and group of every existing folder above the given paths."""

    def read(*paths: Path) -> Modes:
        found: Modes = {}
        for path in paths:
            for folder in (path, *path.parents):
                if folder.exists():
                    status = folder.stat()
                    found[folder] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        return found

    return read
