"""A relay process for the tests: ``python -m tests.relay.relay_process DATABASE_URL BATCH``. Stops on SIGTERM."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from threading import Event

from commands.store.event_log import EventLog
from consumers.relay import Relay
from tests.transports.brokers import PostgresBroker


def main(database_url: str, batch: str) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        transport = PostgresBroker(database_url, stack).transport()
        Relay(database_url, EventLog(), transport, batch=int(batch)).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
