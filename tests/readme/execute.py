"""Runs the README's commands as printed, as a new user would: in a checkout without a home, against a server there.

Blocks fenced as `sh run` are one shell session, in order, ended by the first command that fails. An HTTP answer of 400
or more fails its curl. The server listens on port 8000, as printed; when that is taken, on a free one, which is put
into the commands then.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from api.embedded_postgres import EmbeddedPostgres  # noqa: E402
from tests.embedded_postgres.waiting import wait_until  # noqa: E402
from tests.readme.blocks import Block, blocks_to_run  # noqa: E402

PRINTED_PORT = 8000
READY = "Replay Vision is ready at"
DEMO_DONE = "Credentials:"
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
COMMANDS_SECONDS = 300.0


def main() -> int:
    """Exit code 0 when every marked command has worked, 1 when not."""
    readme = ROOT / "README.md"
    blocks = blocks_to_run(readme.read_text(encoding="utf-8")) if readme.exists() else []
    if not blocks:
        print("README.md has no blocks fenced as `sh run`: nothing to execute")
        return 0
    if shutil.which("curl") is None:
        print("README commands NOT RUN: there is no curl on this machine", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="replay-vision-readme-"))
    try:
        port = PRINTED_PORT if _free(PRINTED_PORT) else _free_port()
        _resemble_checkout(folder)
        with _server(folder, port):
            code = _execute(blocks, folder, port)
    finally:
        EmbeddedPostgres(folder / ".replay-vision").destroy()
        shutil.rmtree(folder)
    print("README commands: all worked" if code == 0 else f"README commands FAILED with exit code {code}")
    return min(code, 1)


def _resemble_checkout(folder: Path) -> None:
    """Everything that the commands may name, but none of a developer's own data."""
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".replay-vision", ".venv"}:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _server(folder: Path, port: int) -> Generator[None]:
    """`replay-vision up` in `folder`, ready and done with its demo; stopped at the end."""
    command = [str(Path(sys.prefix) / "bin" / "replay-vision"), "up", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said: list[str] = []
    reader = Thread(target=_repeat, args=(process.stdout, said), daemon=True)
    reader.start()
    try:
        wait_until(lambda: process.poll() is not None or _has_said(said, READY), READY_SECONDS)
        wait_until(lambda: process.poll() is not None or _has_said(said, DEMO_DONE), READY_SECONDS)
        if process.poll() is not None:
            raise SystemExit(f"replay-vision up ended with exit code {process.returncode}")
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        reader.join()


def _repeat(lines: IO[str], said: list[str]) -> None:
    for line in lines:
        said.append(line)
        print(f"  up | {line}", end="", flush=True)


def _has_said(said: list[str], text: str) -> bool:
    return any(text in line for line in said)


def _execute(blocks: list[Block], folder: Path, port: int) -> int:
    lines = ["set -eu"]
    for block in blocks:
        text = block.text.replace(f"127.0.0.1:{PRINTED_PORT}", f"127.0.0.1:{port}")
        text = text.replace(f"localhost:{PRINTED_PORT}", f"localhost:{port}")
        lines += [f"echo '== README.md line {block.line}'", "set -x", text, "{ set +x; } 2>/dev/null"]
    (folder / ".curlrc").write_text("fail\nshow-error\n", encoding="ascii")
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "CURL_HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        timeout=COMMANDS_SECONDS,
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
