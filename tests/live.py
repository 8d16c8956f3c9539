"""A whole Replay Vision in processes of its own, started and killed by tests."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import psutil

from api.embedded_postgres import EmbeddedPostgres, place
from api.embedded_postgres.postmaster import postmaster_pid

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = sorted((ROOT / "recordings").glob("*.jsonl.gz"))
READY = "Replay Vision is ready at "
START_SECONDS = 90


@dataclass(frozen=True)
class Answered:
    """An HTTP answer; `body` is parsed JSON where there is any."""

    status: int
    body: Any
    headers: dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bare_environment() -> dict[str, str]:
    """The environment of this process without settings of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_VISION_")}


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of the condition; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(0.05)


class Installation:
    """A running Replay Vision, as its clients see it."""

    home: Path
    address: str
    database_url: str

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.home / "credentials.json").read_text())

    def call(
        self, method: str, path: str, body: object = None, key: str | None = None, timeout: float = 30
    ) -> Answered:
        """A call to `/api/environments/1/vision/<path>` with the first key. Raises OSError when nobody answers."""
        headers = {
            "Authorization": f"Bearer {key or self.credentials['api_key']}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        return request(method, f"{self.address}/api/environments/1/vision/{path}", data, headers, timeout)

    def post_recording(self, body: bytes, query: str = "", content_type: str = "text/plain") -> Answered:
        """One raw body of a browser SDK to POST /s/."""
        return request("POST", f"{self.address}/s/{query}", body, {"Content-Type": content_type}, 30)

    def observations(self, scanner_id: str) -> list[dict[str, Any]]:
        return self.call("GET", f"scanners/{scanner_id}/observations/?limit=1000").body["results"]


class Live(Installation):
    """`replay-vision up --no-demo` on a home folder of its own. Settings are named without their prefix."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = home.with_name(f"{home.name}.log")
        self._settings = {f"REPLAY_VISION_{name.upper()}": value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._options = ["--no-demo"]

    def start(self, *options: str) -> Self:
        """Starts and waits for the line that says it is ready."""
        command = [sys.executable, "-m", "api.cli.main", "up", "--home", str(self.home), "--port", str(self.port)]
        seen = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(options or self._options)],
                cwd=ROOT,
                env={**bare_environment(), **self._settings, "COLUMNS": "160"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"up ended with {self._process.returncode}:\n{self.output()[-4000:]}"
            return READY in self.output()[seen:]

        wait_until(ready, START_SECONDS, "not ready")
        return self

    def output(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self) -> int:
        """Asks `up` to end and returns its exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(40)
        self._process = None
        return status

    def kill(self) -> None:
        """SIGKILL to every process of the tree at once, PostgreSQL included."""
        assert self._process is not None
        family = [psutil.Process(self._process.pid)]
        family += family[0].children(recursive=True)
        postmaster = self.postmaster()
        family += [postmaster, *postmaster.children(recursive=True)]
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait(20)
        psutil.wait_procs(family, timeout=20)
        self._process = None

    def postmaster(self) -> psutil.Process:
        """The server process of this home's PostgreSQL; fails the test when there is none."""
        return postmaster_of(self.home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.destroy()

    def destroy(self) -> None:
        """Removes the database, which as root lies outside the home folder."""
        EmbeddedPostgres(self.home).destroy()

    @property
    def database_url(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return EmbeddedPostgres(self.home).url


def postmaster_of(home: Path) -> psutil.Process:
    """The server process of a home's PostgreSQL; fails the test when there is none."""
    found = place.find(home.resolve(), place.STATE_FOLDER)
    pid = postmaster_pid(found.data) if found else None
    assert pid is not None, "this home has no PostgreSQL running"
    return psutil.Process(pid)


def request(method: str, url: str, data: bytes | None, headers: dict[str, str], timeout: float = 30) -> Answered:
    """Any HTTP answer, errors included. Raises OSError when there is none."""
    asked = urllib.request.Request(url, data=data, method=method, headers=headers)  # noqa: S310 - our own address
    try:
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:  # noqa: S310
                return _answered(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return _answered(error.code, error.read(), dict(error.headers))
    except HTTPException as error:  # cut off in the middle of an answer, which is none
        raise OSError(f"half an answer: {error}") from error


def _answered(status: int, raw: bytes, headers: dict[str, str]) -> Answered:
    try:
        return Answered(status, json.loads(raw) if raw else None, headers)
    except ValueError:
        return Answered(status, raw.decode(errors="replace"), headers)


def posts(recording: Path, token: str) -> Iterator[tuple[bytes, str, str]]:
    """(body, query string, content type) of each recording POST in a sample, with the project token put in.

    A browser that was configured with this server's token would have sent these bytes; the token is the only change.
    """
    for line in gzip.decompress(recording.read_bytes()).splitlines():
        sent = json.loads(line)
        if not sent["path"].startswith("/s"):
            continue
        body = b64decode(sent["body"])
        if body[:2] == b"\x1f\x8b":
            body = gzip.compress(with_token(gzip.decompress(body), token))
        else:
            body = with_token(body, token)
        query = sent.get("query") or ""
        if isinstance(query, list):
            query = "&".join(f"{name}={value}" for name, value in query)
        elif isinstance(query, dict):
            query = "&".join(f"{name}={value}" for name, value in query.items())
        headers = {name.lower(): value for name, value in dict(sent["headers"]).items()}
        yield body, f"?{query}" if query else "", headers.get("content-type", "text/plain")


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The `$snapshot` events of a POST that `posts` yields."""
    events = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return events if isinstance(events, list) else [events]


def with_token(body: bytes, token: str) -> bytes:
    """The body with its project token replaced."""
    events = json.loads(body)
    for event in events if isinstance(events, list) else [events]:
        event["properties"]["token"] = token
    return json.dumps(events).encode("utf-8", "surrogatepass")
