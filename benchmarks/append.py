"""Append/s of our recorder against the library's stock recorder, interleaved in one run.

    python benchmarks/append.py CONNINFO [--seconds 2] [--rounds 3]

Each save is one new single-event aggregate of about 450 bytes, with fsync as the server has it. Quote the ratios:
absolute figures move with the machine.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from api.bootstrap import migrations
from commands.store.recorder import Datastore, EventRecorder

STATE = b'{"text": "' + b"x" * 430 + b'"}'


def stock_recorder(conninfo: str, threads: int) -> PostgresApplicationRecorder:
    """The library's recorder as shipped, in a schema of its own."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS stock")
    datastore = Datastore(conninfo, pool_size=threads)
    datastore.schema = "stock"
    recorder = PostgresApplicationRecorder(datastore, events_table_name="stored_events")
    recorder.create_table()
    return recorder


def appends(insert: Callable[[list[StoredEvent]], object], threads: int, seconds: float) -> float:
    """Saves a second, summed over the threads."""
    counts = [0] * threads
    deadline = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < deadline:
            insert([StoredEvent(uuid4(), 1, "Benchmarked", STATE)])
            counts[number] += 1

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as workers:
        for done in [workers.submit(work, number) for number in range(threads)]:
            done.result()
    return sum(counts) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with psycopg.connect(options.conninfo, autocommit=True) as connection:
        migrations().apply(connection)
    for threads in (1, 4):
        ours = EventRecorder(Datastore(options.conninfo, pool_size=threads))
        stock = stock_recorder(options.conninfo, threads)
        pairs = [
            (
                appends(stock.insert_events, threads, options.seconds),
                appends(ours.insert_events, threads, options.seconds),
            )
            for _ in range(options.rounds)
        ]
        ratio = statistics.median(our / stocks for stocks, our in pairs)
        print(
            f"{threads} thread(s): stock {statistics.median(p[0] for p in pairs):7.0f}/s   "
            f"ours {statistics.median(p[1] for p in pairs):7.0f}/s   ratio {ratio:.2f}"
        )
        ours.datastore.close()
        stock.datastore.close()


if __name__ == "__main__":
    main()
