"""How fast the PostgreSQL log is: ``python -m benchmarks.transport [DATABASE_URL]``.

Without an address it starts an embedded server of its own, with production's durability, and removes it again. With one
it needs a database that has the product's tables; it writes to topics of its own and leaves their records behind.
Stops by itself, after less than a minute.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool
from rich.console import Console
from rich.table import Table

from api.embedded_postgres import EmbeddedPostgres, Tuning
from commands.store.migrations import Migrations
from consumers.transports.port import Outgoing, Record
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import LogSettings

SCHEMA = Path(__file__).resolve().parents[1] / "consumers" / "transports" / "schema"
VALUE = os.urandom(250).hex().encode()  # 500 bytes
KEYS = [f"key-{n}".encode() for n in range(200)]
RECORDS = 20_000
SINGLES = 500
LATENCIES = 500
LONGEST_SECONDS = 60.0


def outgoing(count: int) -> list[Outgoing]:
    run = uuid4().hex
    return [Outgoing(KEYS[n % len(KEYS)], VALUE, f"{run}:{n}", {"type": b"benchmark"}) for n in range(count)]


@contextmanager
def database() -> Iterator[str]:
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    home = Path(tempfile.mkdtemp(prefix="replay-vision-benchmark-"))
    server = EmbeddedPostgres(home, Tuning())
    try:
        url = server.start()
        with psycopg.connect(url, autocommit=True) as conn:
            Migrations.from_folders([SCHEMA]).apply(conn)
        yield url
    finally:
        server.destroy()
        shutil.rmtree(home, ignore_errors=True)


def publish_rate(transport: PostgresTransport, topic: str, *, batch: int, count: int, threads: int = 1) -> float:
    """Records a second over all threads, each of which publishes its share in batches."""
    shares = [outgoing(count // threads) for _ in range(threads)]

    def publish(share: Sequence[Outgoing]) -> None:
        for start in range(0, len(share), batch):
            transport.publish(topic, share[start : start + batch])

    publish(outgoing(1))  # makes the topic
    workers = [threading.Thread(target=publish, args=(share,)) for share in shares]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(len(share) for share in shares) / (time.perf_counter() - began)


def consume_rate(transport: PostgresTransport, topic: str, *, workers: int, batch: int, writes: bool) -> float:
    """Handled records a second, from a backlog; with ``writes`` the handler inserts a row for each record."""
    transport.publish(topic, outgoing(RECORDS))
    left, stop, guard = [RECORDS], Event(), threading.Lock()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        if writes:
            conn.execute(
                "INSERT INTO benchmark_effect SELECT unnest(%s::text[])", ([record.event_id for record in records],)
            )
        with guard:
            left[0] -= len(records)
            if left[0] <= 0:
                stop.set()

    seconds = _consume(transport, topic, handle, stop, workers=workers, batch=batch)
    assert left[0] <= 0, "not everything was handled in time"
    return RECORDS / seconds


def _consume(
    transport: PostgresTransport,
    topic: str,
    handle: Callable[[psycopg.Connection, Sequence[Record]], None],
    stop: Event,
    *,
    workers: int,
    batch: int,
) -> float:
    """Seconds from the start until the handler sets the stop."""
    group = uuid4().hex
    threads = [
        threading.Thread(
            target=transport.consume, args=(group, [topic], handle), kwargs={"stop": stop, "max_records": batch}
        )
        for _ in range(workers)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    stop.wait(LONGEST_SECONDS)
    seconds = time.perf_counter() - began
    stop.set()
    for thread in threads:
        thread.join()
    return seconds


def latencies(transport: PostgresTransport, topic: str) -> list[float]:
    """Milliseconds from before a publish until the handler has the record, one record at a time."""
    seen: dict[str, float] = {}
    arrived = threading.Semaphore(0)
    stop = Event()

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        now = time.perf_counter()
        for record in records:
            seen[record.event_id] = now
            arrived.release()

    consumer = threading.Thread(target=transport.consume, args=(uuid4().hex, [topic], handle), kwargs={"stop": stop})
    consumer.start()
    taken: list[float] = []
    for record in outgoing(LATENCIES + 20):
        began = time.perf_counter()
        transport.publish(topic, [record])
        assert arrived.acquire(timeout=10), "a record did not arrive"
        taken.append((seen[record.event_id] - began) * 1000)
    stop.set()
    consumer.join()
    return taken[20:]  # without the start


def main() -> None:
    console = Console()
    table = Table("measure", "result", title="PostgreSQL log, 500-byte values, 6 partitions")
    with (
        database() as url,
        ConnectionPool[psycopg.Connection[TupleRow]](
            url, min_size=4, max_size=8, kwargs={"autocommit": True}, open=True
        ) as pool,
    ):
        with pool.connection() as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS benchmark_effect (event_id text)")
        transport = PostgresTransport(url, pool, LogSettings(prefix="benchmark."))
        table.add_row("publish/s, one a call", f"{publish_rate(transport, 'one', batch=1, count=SINGLES):,.0f}")
        four = publish_rate(transport, "four", batch=1, count=4 * SINGLES, threads=4)
        table.add_row("publish/s, one a call, 4 threads", f"{four:,.0f}")
        for batch in (100, 1_000):
            rate = publish_rate(transport, f"batch-{batch}", batch=batch, count=RECORDS)
            table.add_row(f"publish/s, {batch} a call", f"{rate:,.0f}")
        for workers, batch, writes in ((1, 200, False), (1, 200, True), (2, 200, True), (1, 500, True)):
            rate = consume_rate(transport, f"c-{workers}-{batch}-{writes}", workers=workers, batch=batch, writes=writes)
            what = f"consume/s, {workers} worker{'s'[: workers - 1]}, batches of {batch}, "
            table.add_row(what + ("a row each" if writes else "no effect"), f"{rate:,.0f}")
        taken = latencies(transport, "latency")
        centiles = statistics.quantiles(taken, n=100)
        table.add_row("publish to handled, ms p50 / p99", f"{centiles[49]:.1f} / {centiles[98]:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
