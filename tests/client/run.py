"""Makes a Python client from the committed OpenAPI document and uses it on a live server: `make client`.

The argument is the Python of the tools (requirements-schema.lock). The generator's warnings are errors.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.live import RECORDINGS, Live, posts  # noqa: E402

GENERATE_SECONDS = 120
USE_SECONDS = 120
SETTINGS = {"min_duration_seconds": "1", "min_active_seconds": "0"}


def main() -> int:
    # Told to end, by CI's time limit say, it ends as by Ctrl-C: with its server stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # As it is named and not as it resolves: that is what tells Python which environment it is in.
    python = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory(prefix="replay-vision-client-") as folder:
        home = Path(folder) / "home"
        _generate(python, Path(folder) / "replay_vision_client")
        with Live(home, **SETTINGS) as live:
            for body, query, kind in posts(RECORDINGS[0], live.credentials["project_token"]):
                assert live.post_recording(body, query, kind).status == 200
            session = RECORDINGS[0].name.partition(".")[0]
            command = [str(python), str(ROOT / "tests" / "client" / "use.py"), live.address]
            done = subprocess.run(
                [*command, live.credentials["api_key"], session],
                env={**os.environ, "PYTHONPATH": folder},
                timeout=USE_SECONDS,
                check=False,
            )
    return done.returncode


def _generate(python: Path, folder: Path) -> None:
    command = [str(python), "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    document = ["--path", str(ROOT / "docs" / "openapi.json"), "--output-path", str(folder)]
    # The generator calls ruff, which lies beside it.
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([*command, *document], env={**os.environ, "PATH": path}, timeout=GENERATE_SECONDS, check=True)


if __name__ == "__main__":
    sys.exit(main())
