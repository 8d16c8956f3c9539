"""The jars of a pom.xml, collected once for each checkout."""

import os
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path

from tests.servers.java import java
from tests.servers.locking import alone
from tests.servers.missing import ServerUnavailable

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTED = CHECKOUT / ".servers"
"""Git-ignored. Each server has a folder with its jars in `lib`."""
FETCH_SECONDS = 200
"""Less than the limit of the one test that pays for it, so that it fails with a reason rather than by that limit."""
STAMP = "pom.sha256"


def class_path(project: Path, seconds: float = FETCH_SECONDS, collected: Path = COLLECTED) -> str:
    """Java's class path of the jars that `project / "pom.xml"` names; fetched when they are not there yet.

    A pom collects into `${servers.lib}` in its phase `package`, and builds in `${servers.build}`. A changed pom is
    fetched anew. An interrupted fetch leaves nothing that is taken for whole.

    Raises ServerUnavailable: no Java 17, no Maven, or Maven failed or was not done after `seconds`.
    """
    java()
    home = collected / project.name
    home.mkdir(parents=True, exist_ok=True)
    lib = home / "lib"
    stamp = sha256((project / "pom.xml").read_bytes()).hexdigest()
    with alone(home / "lock"):
        if not _is_whole(lib, stamp):
            unfinished = home / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            _collect(project, unfinished, seconds)
            (unfinished / "lib" / STAMP).write_text(stamp)
            shutil.rmtree(lib, ignore_errors=True)
            (unfinished / "lib").rename(lib)
            shutil.rmtree(unfinished)
    return f"{lib}/*"


def _is_whole(lib: Path, stamp: str) -> bool:
    found = lib / STAMP
    return found.exists() and found.read_text() == stamp


def _collect(project: Path, unfinished: Path, seconds: float) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerUnavailable("no `mvn` on this machine (Debian and Ubuntu: apt install maven)")
    command = [maven, "-q", "-B", "-f", str(project / "pom.xml")]
    command += [f"-Dservers.lib={unfinished / 'lib'}", f"-Dservers.build={unfinished / 'build'}", "package"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            # `mvn` may be a script with Java as its child, which would go on writing.
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise ServerUnavailable(f"Maven had not fetched {project.name}'s jars after {seconds:.0f} s") from error
            raise
    if process.returncode != 0:
        complaints = [line for line in said.splitlines() if line.startswith("[ERROR]")] or said.splitlines()
        reason = complaints[0] if complaints else f"exit status {process.returncode}"
        raise ServerUnavailable(f"Maven cannot fetch {project.name}'s jars: {reason.removeprefix('[ERROR] ')}")
