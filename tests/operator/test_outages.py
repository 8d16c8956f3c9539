"""What commands say when something that they need is away: which part it is, and why."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from api.bootstrap import OUTAGES
from api.failures import outage
from consumers.transports.port import Unavailable
from tests.live import RECORDINGS, ROOT, Live, free_port, wait_until


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Unavailable("the brokers are away"), "the transport is not available: the brokers are away"),
        (
            psycopg.OperationalError("connection refused\nIs it running?"),
            "the database does not answer: connection refused",
        ),
        (psycopg.OperationalError(), "the database does not answer: OperationalError"),
    ],
)
def test_an_outage_is_one_line_that_names_the_part(error: Exception, says: str) -> None:
    assert isinstance(error, OUTAGES)
    assert str(outage(error)) == says


@pytest.mark.timeout(240)
def test_an_import_says_that_the_brokers_are_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "api.cli.main", "sessions", "import", str(RECORDINGS[0]), "--environment", "1"]
    with Live(tmp_path_factory.mktemp("outage") / "home") as live:
        wait_until(lambda: live.call("GET", "scanners/").status == 200, 30, "the environment is not known")
        with psycopg.connect(live.database_url, autocommit=True) as connection:
            connection.execute("UPDATE log.installation SET transport = 'kafka'")
        done = subprocess.run(
            [*command, "--home", str(live.home)],
            cwd=ROOT,
            env={**os.environ, "REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS": nobody},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("replay-vision: the transport is not available: ")
    assert done.stderr.endswith(f"no broker could be used at {nobody}: 111 ECONNREFUSED\n")
    assert len(done.stderr.splitlines()) == 1
