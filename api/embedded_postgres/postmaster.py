"""The running server of a data directory: finding it, and ending it."""

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from api.embedded_postgres.account import Account
from api.embedded_postgres.binaries import Binaries
from api.embedded_postgres.errors import StopFailed

POLL_SECONDS = 0.02
IMMEDIATE_SECONDS = 10.0
KILL_SECONDS = 5.0


def postmaster_pid(data: Path) -> int | None:
    """Process id of the live server of `data`; None when there is none, whatever a stale postmaster.pid says.

    The number in the file may since have been given to any other process: it counts only when that one works in `data`.
    """
    try:
        first = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    if not first.isdigit() or not _works_in(int(first), data):
        return None
    return int(first)


def server_processes(data: Path) -> list[int]:
    """Process ids of everything that works in `data`: the server, or what a killed server has left behind."""
    return [process.pid for process in psutil.process_iter() if _works_in(process.pid, data)]


def _works_in(pid: int, data: Path) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        folder = process.cwd()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return bool(folder) and Path(folder) == data


@dataclass(frozen=True)
class Stopping:
    """Ends the server of a data directory, each step with a limit in seconds: fast, immediate, kill."""

    binaries: Binaries
    account: Account
    data: Path
    fast_seconds: float

    def stop(self) -> None:
        """Stops the server if it runs and ends what a killed one has left. Raises StopFailed if any lives on."""
        for mode, seconds in (("fast", self.fast_seconds), ("immediate", IMMEDIATE_SECONDS)):
            pid = postmaster_pid(self.data)
            if pid is None:
                break
            # pg_ctl runs as the server's account, so a forged pid file could not make root signal another process.
            self.binaries.run(self.account, self.data, "pg_ctl", "stop", "-W", "-s", "-m", mode)
            self._gone([pid], seconds)
        self._end_orphans()

    def clear_stale_locks(self, socket: Path) -> None:
        """Removes the lock files of a server that is gone, after making sure that none of its processes lives on.

        PostgreSQL refuses to start when the number in such a file belongs by now to any other process of the same user.
        """
        stale = [self.data / "postmaster.pid", *socket.glob(".s.PGSQL.*")]
        if postmaster_pid(self.data) is not None or not any(path.exists() for path in stale):
            return
        self._end_orphans()
        for path in stale:
            path.unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """Server processes whose postmaster was killed end by themselves; those that are too busy are killed."""
        left = server_processes(self.data)
        if not left or self._gone(left, IMMEDIATE_SECONDS / 2):
            return
        for pid in left:
            self.binaries.run(self.account, self.data, "pg_ctl", "kill", "KILL", str(pid))
        if not self._gone(left, KILL_SECONDS):
            raise StopFailed(f"PostgreSQL processes {left} of {self.data} do not end, even when killed.")

    def _gone(self, pids: list[int], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(_works_in(pid, self.data) for pid in pids):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True
