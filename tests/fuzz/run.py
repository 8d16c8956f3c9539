"""Starts a server of its own, with a recording and a key, and lets the generated requests loose on it: `make fuzz`.

Everything after the first argument, the tools' Python, goes to tests/fuzz/attack.py.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.furnishing import furnish  # noqa: E402
from tests.live import RECORDINGS, Live, posts  # noqa: E402

SETTINGS = {
    "monthly_quota": "1000000",
    "in_flight_per_scanner": "100000",
    "in_flight_per_environment": "100000",
    "min_duration_seconds": "1",
    "min_active_seconds": "0",
    # No mail leaves: nothing listens there.
    "smtp_url": "smtp://127.0.0.1:9",
    "mail_from": "vision@shop.example",
}


def main() -> int:
    # Told to end, by CI's time limit say, it ends as by Ctrl-C: with its server stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    named, *options = sys.argv[1:]
    # As it is named and not as it resolves: that is what tells Python which environment it is in.
    python = str(Path(named).absolute())
    with (
        tempfile.TemporaryDirectory(prefix="replay-vision-fuzz-") as folder,
        Live(Path(folder) / "home", **SETTINGS) as live,
    ):
        for body, query, kind in posts(RECORDINGS[0], live.credentials["project_token"]):
            assert live.post_recording(body, query, kind).status == 200
        attack = str(ROOT / "tests" / "fuzz" / "attack.py")
        command = [python, attack, live.address, live.credentials["api_key"], "1", json.dumps(furnish(live))]
        done = subprocess.run([*command, *options], cwd=folder, check=False)
        log = live.output()
    if "Traceback" in log:
        print(log[-8000:])
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
