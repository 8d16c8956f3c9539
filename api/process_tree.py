"""The child processes of `up`: started together, restarted when one dies, ended together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from api.failures import Failure
from api.own_address import DIRECT

log = logging.getLogger("replay_vision.up")

ROOT = Path(__file__).resolve().parent.parent
UNTIL_EOF = "REPLAY_VISION_UNTIL_EOF"
"""Set for children: they end when their standard input does, so that none outlives a killed parent."""
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.5
MOST_RESTARTS = 5
RESTART_WINDOW_SECONDS = 60.0
"""A child that dies more often than MOST_RESTARTS in this time ends the whole tree."""


class ProcessTree:
    """Children hold the reading end of a pipe as standard input: when this process dies, however, they end too."""

    def __init__(self, commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> None:
        self._commands = commands
        self._environment = {**os.environ, **environment, UNTIL_EOF: "1", "PYTHONPATH": str(ROOT)}
        self._children: list[subprocess.Popen[bytes]] = []
        self._deaths: deque[float] = deque(maxlen=MOST_RESTARTS)

    def __enter__(self) -> Self:
        self._children = [self._start(command) for command in self._commands]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until_ready(self, address: str, seconds: float, stop: Event) -> bool:
        """True when requests are served; False after `seconds`, a stop, or the death of a child.

        Asks /healthz: a backlog that /readyz complains of is no reason to stop those who work it off.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not stop.is_set():
            if any(child.poll() is not None for child in self._children):
                return False
            if _answers(f"{address}/healthz"):
                return True
            stop.wait(0.05)
        return False

    def watch(self, stop: Event, look_after: Callable[[], None]) -> None:
        """Restarts children that die, until `stop` is set.

        `look_after` is called about twice a second, for what else must live as long as the tree. Raises Failure when
        children die too often.
        """
        while not stop.wait(LOOK_SECONDS):
            look_after()
            for index, child in enumerate(self._children):
                status = child.poll()
                if status is None:
                    continue
                log.error("a process ended with status %s: %s", status, " ".join(self._commands[index]))
                if self._too_often():
                    message = "processes die again and again; what they said is above"
                    raise Failure(message)
                self._children[index] = self._start(self._commands[index])

    def stop(self) -> None:
        """Asks every child to end, and kills what is left after STOP_SECONDS."""
        for child in self._children:
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process %s did not end in time and is killed", child.pid)
                child.kill()
                child.wait()
            if child.stdin is not None:
                child.stdin.close()

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A group of its own: Ctrl-C in the terminal reaches this process only, which then ends its children in order.
        return subprocess.Popen(
            # -P: not what the working folder calls api.
            [sys.executable, "-P", "-m", "api.cli.main", *command],
            stdin=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )

    def _too_often(self) -> bool:
        now = time.monotonic()
        often = len(self._deaths) == MOST_RESTARTS and now - self._deaths[0] < RESTART_WINDOW_SECONDS
        self._deaths.append(now)
        return often


def end_with_parent() -> None:
    """In a child of `up`: ends this process in order when standard input does, that is, when the parent is gone."""
    if not os.environ.get(UNTIL_EOF):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _answers(url: str) -> bool:
    try:
        with DIRECT.open(url, timeout=2) as answer:
            return answer.status == HTTPStatus.OK
    except (urllib.error.URLError, OSError):
        return False
