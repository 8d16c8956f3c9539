"""A worker process for the suite: ``python -m tests.transports.worker GROUP TOPIC SLOW_MS KIND DATABASE_URL ...``.

Writes what it handles to the ledger, says ``handling`` when its first batch is written but not yet committed, and stops
on SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event

import psycopg

from consumers.transports.port import Record
from tests.transports.brokers import KafkaBroker, PostgresBroker
from tests.transports.ledger import enter


def main(group: str, topic: str, slow_ms: str, kind: str, *where: str) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    spoke = False

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        nonlocal spoke
        enter(conn, group, records, worker=str(os.getpid()))
        if not spoke:
            sys.stdout.write("handling\n")
            sys.stdout.flush()
            spoke = True
        # Stands for work: the batch stays open for a while, so that a kill meets it.
        time.sleep(int(slow_ms) / 1000)

    with ExitStack() as stack:
        broker = _kafka(stack, *where) if kind == "kafka" else PostgresBroker(where[0], stack)
        broker.transport().consume(group, [topic], handle, stop=stop, max_records=20)


def _kafka(stack: ExitStack, database_url: str, address: str, prefix: str) -> KafkaBroker:
    return KafkaBroker(database_url, stack, address, prefix=prefix)


if __name__ == "__main__":
    main(*sys.argv[1:])
