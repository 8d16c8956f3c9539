"""A reader that tails the log misses nothing, whatever the writers do (architecture 4, eventsourcing 1).

Four writer processes with mixed batches, refused saves and rolled-back ones; a reader that polls without a pause. It
must see every stored event exactly once. It only ever asks for higher positions than it has seen, so to miss nothing
means that positions are in the order of the commits.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg

from commands.store.event_log import EventLog

WRITER = Path(__file__).with_name("writer.py")
ROOT = WRITER.parents[2]
WRITERS = 4
SECONDS = 4.0


def writers(conninfo: str) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(
            [sys.executable, str(WRITER), conninfo, str(seed), str(SECONDS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(WRITERS)
    ]


def tail(conninfo: str, processes: list[subprocess.Popen[str]]) -> list[int]:
    """Positions in the order seen, until every writer has ended and nothing is left."""
    log, seen = EventLog(), list[int]()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while True:
            ended = all(process.poll() is not None for process in processes)
            page = log.read_raw(connection, seen[-1] if seen else 0, limit=500)
            seen += [row.position for row in page]
            if ended and not page:
                return seen


def test_a_tailing_reader_misses_nothing(database_url: str) -> None:
    processes = writers(database_url)
    try:
        seen = tail(database_url, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    told = [json.loads(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * WRITERS
    with psycopg.connect(database_url) as connection:
        stored = [row[0] for row in connection.execute("SELECT notification_id FROM store.events ORDER BY 1")]
    missed = set(stored) - set(seen)
    assert not missed, f"{len(missed)} of {len(stored)} missed"
    assert seen == stored
    assert len(stored) == sum(each["stored"] for each in told)
    assert min(each[what] for each in told for what in ("stored", "refused", "rolled_back")) > 0
    assert stored[-1] - stored[0] >= len(stored), "the run had no gap in its numbers to be fooled by"
