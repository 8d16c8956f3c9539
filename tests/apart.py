"""A Replay Vision whose roles are processes of their own, several copies of each, killed and started again by tests."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.live import ROOT, Answered, Installation, bare_environment, free_port, request, wait_until

ROLES = ("relay", "projections", "capture", "scanning", "actions", "delivery", "scheduler")
SERVE = "serve"
START_SECONDS = 120
STOP_SECONDS = 15
COMMAND = [sys.executable, "-m", "api.cli.main"]


class Apart(Installation):
    """`copies` processes of each role and of `serve`, on a database and perhaps brokers that somebody else looks after.

    Settings are named without their prefix. A call goes to any copy of `serve` that answers.
    """

    def __init__(self, folder: Path, database_url: str, *, copies: int = 2, **settings: str) -> None:
        self.home = folder / "home"
        self.database_url = database_url
        self._folder = folder
        self._ports = [free_port() for _ in range(copies)]
        self._turn = itertools.count()
        given = {
            "DATABASE_URL": database_url,
            "HOME": str(self.home),
            "SECRET_KEY": "k" * 40,
            "BLOBS_URL": str(folder / "blobs"),
            **{name.upper(): value for name, value in settings.items()},
        }
        self.environment = {
            **bare_environment(),
            **{f"REPLAY_VISION_{name}": value for name, value in given.items()},
            "COLUMNS": "160",
        }
        self._processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}

    @property
    def members(self) -> list[tuple[str, int]]:
        """Every process that there should be: role and number."""
        return [(role, number) for role in (*ROLES, SERVE) for number in range(len(self._ports))]

    @property
    def running(self) -> list[tuple[str, int]]:
        """Those of the members that were started and that nobody has killed or stopped since."""
        return [member for member in self.members if member in self._processes]

    @property
    def address(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the copies of `serve` in turn; of those that run, if there are any."""
        running = [n for n in range(len(self._ports)) if (SERVE, n) in self._processes] or range(len(self._ports))
        return f"http://127.0.0.1:{self._ports[running[next(self._turn) % len(running)]]}"

    def __enter__(self) -> Self:
        self.run("admin", "bootstrap")
        for member in self.members:
            self.start(*member)
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for member in list(self._processes):
            self._processes[member].send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(STOP_SECONDS)
        self._processes.clear()

    def run(self, *words: str) -> str:
        """A command of the product on this installation; its output. Fails the test when it fails."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, role: str, number: int) -> None:
        words = [SERVE] if role == SERVE else ["worker", "--role", role]
        port = {"REPLAY_VISION_PORT": str(self._ports[number])}
        with (self._folder / f"{role}-{number}.log").open("ab") as log:
            self._processes[role, number] = subprocess.Popen(
                [*COMMAND, *words],
                cwd=ROOT,
                env={**self.environment, **port},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, role: str, number: int) -> None:
        """SIGKILL."""
        process = self._processes.pop((role, number))
        process.kill()
        process.wait(STOP_SECONDS)

    def freeze(self, role: str, number: int) -> None:
        """SIGSTOP: it believes that no time passes."""
        self._processes[role, number].send_signal(signal.SIGSTOP)

    def thaw(self, role: str, number: int) -> None:
        """SIGCONT."""
        self._processes[role, number].send_signal(signal.SIGCONT)

    def stop(self, role: str, number: int) -> int:
        """SIGTERM; the exit status."""
        process = self._processes.pop((role, number))
        process.send_signal(signal.SIGTERM)
        return process.wait(STOP_SECONDS)

    def dead(self) -> dict[tuple[str, int], str]:
        """Processes that ended although nobody ended them, with what they said last."""
        return {
            (role, number): (self._folder / f"{role}-{number}.log").read_text()[-3000:]
            for (role, number), process in self._processes.items()
            if process.poll() is not None
        }

    def revive(self) -> None:
        """Starts what was killed or stopped."""
        for member in self.members:
            if member not in self._processes:
                self.start(*member)

    def wait_until_ready(self) -> None:
        """Until every copy of `serve` says that all is well."""
        for port in self._ports:
            wait_until(lambda port=port: _ready(port), START_SECONDS, f"not ready: {self.dead()}")

    def readiness(self) -> Answered:
        return request("GET", f"{self.address}/readyz", None, {})

    def metrics(self) -> str:
        answer = request("GET", f"{self.address}/metrics", None, {})
        assert answer.status == 200, answer
        return answer.body


def _ready(port: int) -> bool:
    try:
        return request("GET", f"http://127.0.0.1:{port}/readyz", None, {}).status == 200
    except OSError:
        return False
