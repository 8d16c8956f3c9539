"""One service of compose.yaml as a process of this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.compose.images import Image
from tests.compose.network import Network

LOG_TAIL = 4000


class Container:
    """The service's own command, variables, mounts and health check, on the stand-in for its image.

    Left out is what only an engine can do: the service's user, limits, read-only root and network of its own.
    """

    def __init__(
        self, name: str, service: Mapping[str, Any], image: Image, network: Network, folder: Path, volumes: Path
    ) -> None:
        """`folder` is for what goes with the container, `volumes` holds the folders that are kept."""
        self.name = name
        self.depends_on: Mapping[str, Mapping[str, str]] = service.get("depends_on", {})
        self.keeps_running = service["restart"] != "no"
        self._service = service
        self._image = image
        self._network = network
        self._folder = folder
        self._volumes = volumes
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._paths = {**image.paths, **self._mounts()}
        self._path = re.compile(rf"(?<![\w./])({'|'.join(map(re.escape, self._paths))})(?![\w.-])")

    def start(self) -> None:
        for path in (self._folder, self._folder / "state", *self._mounts().values()):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._image.account.own(path)
        account = self._image.account
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account.uid if account.drops_privileges else None,
                group=account.gid if account.drops_privileges else None,
                extra_groups=[] if account.drops_privileges else None,
            )

    def run(self, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Another command in it, as by `docker compose exec`. Raises TimeoutExpired."""
        return subprocess.run(
            [self._local(word) for word in command],
            env=self._environment(),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **self._image.account.identity(),
        )

    def healthy(self) -> bool:
        """Whether its health check passes now."""
        kind, *command = self._service["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            command = ["/bin/sh", "-c", *command]
        try:
            return self.run(*command, seconds=_seconds(self._service["healthcheck"]["timeout"])).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    @property
    def started(self) -> bool:
        """Whether it was started since the stack came up last."""
        return self._process is not None

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs. Fails the test when it was never started."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Sends the signal that the service is stopped by."""
        assert self._process is not None
        self._process.send_signal(signal.Signals[self._service.get("stop_signal", "SIGTERM")])

    def stopped(self) -> int:
        """Its exit status, for which it is given its grace period. Raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(_seconds(self._service["stop_grace_period"]))

    def remove(self) -> None:
        """Takes it away when it has ended; what it has written outside volumes is gone."""
        assert self.status is not None, f"{self.name} still runs"
        self._process = None
        shutil.rmtree(self._folder)

    @contextmanager
    def frozen(self) -> Generator[None]:
        """It stays as it is and answers nobody, like one that hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it with whatever it has started; fine when there is nothing."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def output(self) -> str:
        """The end of what it has said."""
        return self._log.read_text(errors="replace")[-LOG_TAIL:] if self._log.exists() else ""

    def _command(self) -> list[str]:
        entry_point: Sequence[str] = self._service.get("entrypoint", self._image.entry_point)
        return [self._local(word) for word in (*entry_point, *self._service.get("command", ()))]

    def _environment(self) -> dict[str, str]:
        given = {**self._image.environment, **self._service.get("environment", {})}
        if given.get("REPLAY_VISION_HOST") == "0.0.0.0":
            # The one address that is written as two variables.
            port = self._network.port(self.name, int(given["REPLAY_VISION_PORT"]))
            given |= {"REPLAY_VISION_HOST": "127.0.0.1", "REPLAY_VISION_PORT": str(port)}
        if "PGDATA" in given:
            # PostgreSQL's port is known to the image only.
            given["PGPORT"] = str(self._network.port(self.name, 5432))
        programs = [self._image.scripts, *([self._image.programs] if self._image.programs else [])]
        here = {
            "PATH": os.pathsep.join([*map(str, programs), os.defpath]),
            "STATE": str(self._folder / "state"),
            "TMPDIR": str(self._mounts().get("/tmp", self._folder / "state")),
        }
        return {**{name: self._local(value) for name, value in given.items()}, **self._image.here, **here}

    def _mounts(self) -> dict[str, Path]:
        mounted = {}
        for each in self._service.get("tmpfs", ()):
            path = each.partition(":")[0]
            mounted[path] = self._folder / path.strip("/").replace("/", "-")
        for each in self._service.get("volumes", ()):
            volume, path = each.split(":")[:2]
            mounted[path] = self._volumes / volume
        return mounted

    def _local(self, text: str) -> str:
        """A text of the service with its addresses and paths as they are here."""
        return self._path.sub(lambda found: str(self._paths[found[1]]), self._network.local(text, self.name))


def _seconds(duration: str) -> float:
    found = re.fullmatch(r"(\d+)s", duration)
    assert found is not None, f"not a number of seconds: {duration}"
    return float(found[1])
