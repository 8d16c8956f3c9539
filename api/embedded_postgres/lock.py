"""One owner for each home folder."""

import fcntl
import os
import time
from pathlib import Path

import psutil

from api.embedded_postgres.errors import HomeInUse

DEAD_OWNER_GRACE_SECONDS = 10.0
"""How long to wait when the owner was killed and only its children still hold the lock: they are on their way out."""
POLL_SECONDS = 0.05


class HomeLock:
    """An advisory file lock that ends with its process, however that ends.

    Child processes that were forked while it is held share it: a home stays taken until the last of them is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """True when this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, wait_seconds: float = 0.0) -> None:
        """Takes the lock, or raises HomeInUse with the owner's process id after `wait_seconds`."""
        if self.held:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._wait(descriptor, wait_seconds)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; nothing happens when it is not held."""
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None

    def _wait(self, descriptor: int, wait_seconds: float) -> None:
        started = time.monotonic()
        while not _taken(descriptor):
            owner = _owner(descriptor)
            patience = wait_seconds
            if owner is not None and not psutil.pid_exists(owner):
                patience = max(wait_seconds, DEAD_OWNER_GRACE_SECONDS)
            if time.monotonic() - started >= patience:
                who = "another process" if owner is None else f"process {owner}"
                raise HomeInUse(
                    f"{who} is already running the home folder {self._path.parent.parent}. "
                    "Stop it first, or choose another folder with --home."
                )
            time.sleep(POLL_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
