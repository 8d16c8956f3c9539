"""How fast the transports are, Kafka and the PostgreSQL log, beside bare kafka-python; interleaved in one run.

    python -m benchmarks.transport [DATABASE_URL] [--kafka HOST:PORT] [--rounds 3] [--records 20000] [--backlog 40000]

Without addresses it starts servers of its own and removes them again: an embedded PostgreSQL with production's
durability, and the test suite's broker, for which it needs Java and Maven; without those Kafka is not measured, and the
table says so. A database or a broker that was named keeps what was written: topics whose names begin with `benchmark-`,
events of streams of their own. Values have 500 bytes and topics 6 partitions. PostgreSQL flushes every commit to disk;
a Kafka broker leaves that to its operating system. Quote the ratios: absolute figures move with the machine.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from rich.console import Console

from benchmarks.transports.consuming import Backlogs
from benchmarks.transports.latency import latency_question
from benchmarks.transports.rounds import measure
from benchmarks.transports.sending import publish_question, relay_question
from benchmarks.transports.site import Missing, broker, database

SINGLES = 400
LATENCIES = 300
COLUMNS = 110
"""Where there is no terminal to ask."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database_url", nargs="?")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that is there already")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=20_000, help="that the relay copies, and publishers publish")
    parser.add_argument("--backlog", type=int, default=40_000, help="records that consumers find")
    options = parser.parse_args()
    # Servers of its own are nobody's children: whoever ends this run has to let it remove them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.basicConfig(level=logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else COLUMNS)
    with database(options.database_url) as data, broker(options.kafka, data) as kafka:
        backlogs = Backlogs(data, kafka, options.backlog)
        questions = [
            relay_question(data, kafka, options.records),
            publish_question(data, kafka, threads=1, batch=1, count=SINGLES),
            publish_question(data, kafka, threads=4, batch=1, count=4 * SINGLES),
            publish_question(data, kafka, threads=1, batch=1_000, count=options.records),
            backlogs.question(1),
            backlogs.question(2),
            latency_question(data, kafka, LATENCIES),
        ]
        table = measure(questions, options.rounds, console)
    console.print(table)
    if isinstance(kafka, Missing):
        console.print(f"!!! KAFKA WAS NOT MEASURED: {kafka.reason}", style="bold red")


if __name__ == "__main__":
    main()
