"""The sign of life of a `worker`, which has no port to ask: a file in the home folder, touched while its loops run."""

from __future__ import annotations

import logging
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

FOLDER = "health"
LATE_SECONDS = 15.0
"""A heartbeat older than this is that of a process that hangs. It is longer than a worker may take to stop."""

log = logging.getLogger("replay_vision.heartbeat")


@dataclass(frozen=True, slots=True)
class Sign:
    """One heartbeat as found: whose it is, and how old it is in seconds."""

    pid: int
    roles: tuple[str, ...]
    age: float

    @property
    def late(self) -> bool:
        return self.age > LATE_SECONDS


class NoHeartbeat(Exception):
    """A file has the name of a heartbeat, of a process that exists, and cannot be read as one. Names the file."""


class Heartbeat:
    """The file of this process. Its name holds the host's: containers may share a home, but not their process ids."""

    def __init__(self, home: Path, roles: Sequence[str]) -> None:
        self._home = home
        self._path = home / FOLDER / f"{socket.gethostname()}-{os.getpid()}"
        self._roles = roles
        self._failing = False

    def beat(self) -> None:
        """Makes the heartbeat young. A home that cannot be written is logged once and ends no work."""
        try:
            if not self._path.is_file():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.write_text(" ".join(self._roles))
            os.utime(self._path)
        except OSError as error:
            if not self._failing:
                log.warning("there is no heartbeat, and `replay-vision health worker` will fail: %s", error)
            self._failing = True
        else:
            self._failing = False

    def end(self) -> None:
        """Takes the file away, with those that killed processes of this host have left."""
        try:
            self._path.unlink(missing_ok=True)
            for path, pid, touched in _of_this_host(self._home):
                if not _same_process(pid, touched):
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a heartbeat could not be taken away: %s", error)


def signs(home: Path) -> list[Sign]:
    """The heartbeats of the processes of this host that still exist, those that hang included.

    Raises NoHeartbeat.
    """
    found: list[Sign] = []
    for path, pid, touched in _of_this_host(home):
        if _same_process(pid, touched):
            try:
                roles = _roles_in(path)
            except FileNotFoundError:
                continue  # it has ended meanwhile
            found.append(Sign(pid, roles, time.time() - touched))
    return found


def _roles_in(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text("ascii")
    except UnicodeDecodeError:
        text = "\0"
    except PermissionError as error:
        raise NoHeartbeat(f"{path} cannot be read: {error.strerror}") from error
    if not text.isprintable():
        raise NoHeartbeat(f"{path} is no heartbeat: remove it")
    return tuple(text.split())


def _of_this_host(home: Path) -> Iterator[tuple[Path, int, float]]:
    folder, host = home / FOLDER, f"{socket.gethostname()}-"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        number = path.name.removeprefix(host)
        if not path.name.startswith(host) or not number.isdecimal():
            continue
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # it has ended meanwhile
        if stat.S_ISREG(found.st_mode):
            yield path, int(number), found.st_mtime


def _same_process(pid: int, touched: float) -> bool:
    """Whether the process that touched the file is still there: numbers of dead ones are given to others."""
    try:
        return psutil.Process(pid).create_time() <= touched
    except psutil.NoSuchProcess:
        return False
