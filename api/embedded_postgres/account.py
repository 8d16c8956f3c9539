"""Which operating system user PostgreSQL runs as. PostgreSQL refuses to run as root, so root needs a user for it."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.embedded_postgres.errors import NoServerAccount

SERVER_ACCOUNT = "replay-vision"
USERADD_SECONDS = 30.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Account:
    """The user that runs the PostgreSQL programs, and the users whom PostgreSQL lets in."""

    name: str
    uid: int
    gid: int
    admits: tuple[str, ...]
    """Operating system user names that may connect (peer authentication)."""
    drops_privileges: bool
    """True when this process is root and has to become `name` to run a program."""

    def identity(self) -> dict[str, Any]:
        """Arguments that make `subprocess` run a program as this account, with none of root's groups."""
        if not self.drops_privileges:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives a folder or file that this package has just made to the account."""
        if self.drops_privileges:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def current_account() -> Account:
    """The account of an ordinary user: PostgreSQL runs as the user that runs us.

    Raises NoServerAccount when the user id has no name, as in a container started with a bare number.
    """
    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NoServerAccount(
            f"the user id {uid} has no name on this machine, and PostgreSQL does not run as a user without a name. "
            f"Add the user (useradd --uid {uid} NAME), run as another user, or set REPLAY_VISION_DATABASE_URL."
        ) from None
    return Account(entry.pw_name, uid, os.getegid(), admits=(entry.pw_name,), drops_privileges=False)


def server_account(name: str = SERVER_ACCOUNT, programs: str = SYSTEM_PATH) -> Account:
    """The account that PostgreSQL runs as when we are root; created the first time, by `useradd` from `programs`.

    Raises NoServerAccount when it cannot be created or is root itself.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _create(name, programs)
        entry = pwd.getpwnam(name)
    if entry.pw_uid == 0:
        raise NoServerAccount(f"the user {name} is root under another name; PostgreSQL does not run as root.")
    root = pwd.getpwuid(0).pw_name
    return Account(name, entry.pw_uid, entry.pw_gid, admits=(root, name), drops_privileges=True)


def _create(name: str, programs: str) -> None:
    advice = (
        "PostgreSQL does not run as root and needs a user of its own. Create it yourself "
        f"(useradd --system {name}), run as an ordinary user, or set REPLAY_VISION_DATABASE_URL."
    )
    useradd = shutil.which("useradd", path=programs)
    if useradd is None:
        raise NoServerAccount(f"the user {name} does not exist and there is no useradd. {advice}")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    nologin = shutil.which("nologin", path=programs) or "/bin/false"
    try:
        made = subprocess.run(
            [useradd, *options, "--shell", nologin, name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=USERADD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoServerAccount(f"the user {name} could not be created: {error}. {advice}") from error
    already_there = 9  # useradd(8): another process has created it since we looked
    if made.returncode not in (0, already_there):
        raise NoServerAccount(f"the user {name} could not be created: {made.stderr.strip()}. {advice}")
