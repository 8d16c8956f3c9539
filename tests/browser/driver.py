"""The Chromium of this machine, driven through `visit.mjs`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple

from tests.browser.demo_site import MODULES

SCRIPT = Path(__file__).with_name("visit.mjs")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STEP_SECONDS = 60.0


class Chromium(NamedTuple):
    """What a visit takes: a browser, and Node to drive it."""

    browser: str
    node: str


def found() -> Chromium | str:
    """The browser, or why there is none here."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        return "there is no Chromium on this machine (Debian: apt install chromium)"
    node = shutil.which("node")
    if node is None:
        return "there is no Node.js on this machine (Debian: apt install nodejs npm)"
    if not (MODULES / "playwright-core").is_dir():
        return "the SDKs are not installed: npm ci --prefix tests/browser"
    return Chromium(browser, node)


@dataclass(frozen=True)
class Done:
    """What somebody really did on a visit."""

    address: str
    session_id: str
    clicks: int
    inputs: int
    """Changes of a field: one for each key."""
    urls: list[str]
    refused: list[str]
    """What the server answered with 400 or more."""
    kinds: list[str]
    """Content types of recordings that were taken."""


class Visit:
    """Visits that go on in a browser."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self._said: Queue[str] = Queue()
        assert process.stdout is not None
        Thread(target=self._listen, args=(process.stdout,), daemon=True).start()

    def said(self, name: str) -> dict[str, Any]:
        """The next line, which has to say that."""
        try:
            line = self._said.get(timeout=STEP_SECONDS)
        except Empty:
            line = ""
        assert line, f"no line that says {name}:\n{self._log.read_text()[-4000:]}"
        found: dict[str, Any] = json.loads(line)
        assert found.pop("said") == name, line
        return found

    def ended(self) -> Done:
        """What was done on the visit that ends next."""
        return Done(**self.said("ended"))

    def go_on(self) -> None:
        """Lets a visit that waits go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _listen(self, output: Any) -> None:
        for line in output:
            self._said.put(line)
        self._said.put("")


@contextmanager
def visiting(chromium: Chromium, log: Path, kind: str, *addresses: str) -> Iterator[Visit]:
    """A browser on visits of that kind, which is closed in the end however they went."""
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [chromium.node, SCRIPT, chromium.browser, kind, *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Visit(process, log)
            assert process.wait(STEP_SECONDS) == 0, log.read_text()[-4000:]
        finally:
            process.terminate()  # the driver ends its browser
