"""A Java server in a folder of its own: started, ended in every way, and started again on the same data and ports."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

import psutil

from tests.servers.java import SMALL, java
from tests.servers.maven import class_path
from tests.servers.ports import free_ports

START_SECONDS = 60
STOP_SECONDS = 30
GONE_SECONDS = 10
STOPPED = "TtZX"
"""States of a thread that does nothing more, as proc(5) names them."""
POLL_SECONDS = 0.05
LOG_TAIL = 4000
START_ATTEMPTS = 3
PORT_TAKEN = ("Address already in use", "Failed to bind to")
PID, PORTS = "server.pid", "ports.json"
LAUNCH = """sh -c 'echo $$ >"$0" && exec "$@"' "$@" &"""
"""The server writes its own process id before it becomes itself, and is nobody's child: it neither ends nor warns when
the one who started it goes, and one who is killed in between leaves no server that the folder does not know of."""


class StartFailed(Exception):
    """The server ended, or did not answer in time; carries the end of its log."""


class StopFailed(Exception):
    """The server did not end in time when asked to, and was killed instead; carries the end of its log."""


class Server(ABC):
    """What is common to servers of every kind.

    Any process may hold an object for the same folder: what is so is read from the folder, and from the process whose
    command line names it. A process id alone may have been given away again.
    """

    project: ClassVar[Path]
    """The folder of its pom.xml and settings."""
    port_count: ClassVar[int]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._log = self.folder / "server.log"

    @abstractmethod
    def _prepare(self, jars: str) -> Sequence[str]:
        """Makes what the server needs in its folder unless it is there; gives options, main class and arguments."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server does its work now; False while nobody listens."""

    @property
    def ports(self) -> list[int]:
        """The server's ports, chosen when first asked for or at the first start, and kept."""
        file = self.folder / PORTS
        if not file.exists():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            file.write_text(json.dumps(free_ports(self.port_count)))
        return json.loads(file.read_text())

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return process_of(self.folder) is not None

    def start(self) -> Self:
        """Starts, and waits until the server answers. Data, ports and keys of an earlier start are used again.

        Raises StartFailed, and ServerUnavailable when Java, Maven or the jars are missing.
        """
        if self.running:
            raise StartFailed(f"{self.folder} has a running server already")
        jars = class_path(self.project)
        attempts = 1 if (self.folder / PORTS).exists() else START_ATTEMPTS
        while True:
            attempts -= 1
            self.folder.mkdir(mode=0o700, exist_ok=True)
            try:
                self._launch(jars, self._prepare(jars))
                self._await_answer()
            except StartFailed as failed:
                self.kill()
                # Nobody knows the ports of a first start yet: when another was faster, others will do.
                if not attempts or not any(text in str(failed) for text in PORT_TAKEN):
                    raise
                shutil.rmtree(self.folder)
            else:
                return self

    def stop(self) -> None:
        """Asks the server to end and waits for it, also when it is frozen. Raises StopFailed after 30 s."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        if not _within(STOP_SECONDS, lambda: not self.running):
            self.kill()
            raise StopFailed(f"{self.folder} did not stop within {STOP_SECONDS} s: {self.output()[-LOG_TAIL:]}")

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone. Nothing happens when there is none."""
        kill(self.folder)

    def freeze(self) -> None:
        """SIGSTOP: the process stays, its connections stay open, and nothing is answered until `thaw`.

        Returns when every thread stands still: on a busy machine the signal is taken a while after it is sent.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_SECONDS
        while not self._stands_still():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.folder} does not stand still")
            time.sleep(0.005)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def destroy(self) -> None:
        """Kills the server and removes its folder; fine when there is neither."""
        self.kill()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def output(self) -> str:
        """What the server has logged so far, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _launch(self, jars: str, arguments: Sequence[str]) -> None:
        (self.folder / PID).unlink(missing_ok=True)
        command = [java(), _named(self.folder), *SMALL, "-cp", jars, *arguments]
        with self._log.open("ab") as log:
            subprocess.run(
                ["/bin/sh", "-c", LAUNCH, "sh", str(self.folder / PID), *command],
                check=True,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not _within(GONE_SECONDS, lambda: _pid_in(self.folder) is not None):
            raise StartFailed(f"{self.folder} was not launched: {self.output()[-LOG_TAIL:]}")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running:
                raise StartFailed(f"{self.folder} ended: {self.output()[-LOG_TAIL:]}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.folder} has no answer after {START_SECONDS} s: {self.output()[-LOG_TAIL:]}")
            time.sleep(POLL_SECONDS)

    def _stands_still(self) -> bool:
        process = process_of(self.folder)
        if process is None:
            return True
        states = (status.read_text() for status in Path(f"/proc/{process.pid}/task").glob("*/stat"))
        return all(state.rpartition(")")[2].split()[0] in STOPPED for state in states)

    def _signal(self, number: signal.Signals) -> None:
        process = process_of(self.folder)
        if process is not None:
            with suppress(psutil.NoSuchProcess):  # it ended just now
                process.send_signal(number)


def process_of(folder: Path) -> psutil.Process | None:
    """The live process of the server in `folder`, when there is one."""
    pid = _pid_in(folder)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        # One that is dead and not yet collected by its parent has no command line any more.
        return process if _named(folder) in process.cmdline() else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None  # AccessDenied: the id is now that of another user's process


def kill(folder: Path) -> None:
    """SIGKILL to the server in `folder`, of whatever kind; returns when the process is gone. Raises StopFailed."""
    process = process_of(folder)
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if not _within(GONE_SECONDS, lambda: process_of(folder) is None):
        raise StopFailed(f"{folder} outlives SIGKILL")


def kill_all(session: Path) -> None:
    """Kills the servers in the folders of `session`, whoever started them."""
    for pid in session.glob(f"*/{PID}"):
        kill(pid.parent.resolve())


def _named(folder: Path) -> str:
    return f"-Dserver.folder={folder}"


def _pid_in(folder: Path) -> int | None:
    try:
        text = (folder / PID).read_text()
    except FileNotFoundError:
        return None
    return int(text) if text.endswith("\n") else None


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
