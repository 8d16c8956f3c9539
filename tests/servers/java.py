"""The Java that servers for tests run on: whichever is installed, if it is new enough."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.servers.missing import ServerUnavailable

OLDEST = 17
"""Kafka 4 and S3Proxy 4 are compiled for it."""
VERSION_SECONDS = 30
SMALL = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # Without it each thread keeps a buffer outside the heap as large as the largest record it has seen.
    "-Djdk.nio.maxCachedBufferSize=1048576",
    "-Djava.awt.headless=true",
)
"""Options of a short-lived Java on a small machine: it starts at once rather than running fast in the end."""


@cache
def java() -> str:
    """The `java` of JAVA_HOME, or of PATH. Raises ServerUnavailable when there is none, or one older than 17."""
    command = _tool("java")
    said = subprocess.run(
        [command, "-version"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=VERSION_SECONDS,
    )
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if found is None or int(found[1]) < OLDEST:
        lines = said.stderr.strip().splitlines() or [f"exit status {said.returncode}"]
        raise ServerUnavailable(f"Java {OLDEST} or newer is needed, and {command} says: {lines[0]}")
    return command


@cache
def keytool() -> str:
    """The `keytool` that comes with `java`. Raises ServerUnavailable."""
    beside = Path(java()).resolve().parent / "keytool"
    return str(beside) if beside.exists() else _tool("keytool")


def _tool(name: str) -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home else None
    found = found or shutil.which(name)
    if found is None:
        raise ServerUnavailable(f"no `{name}` on this machine (Debian and Ubuntu: apt install openjdk-17-jre-headless)")
    return found
