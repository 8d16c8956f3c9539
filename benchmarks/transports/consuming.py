"""Messages a second out of a backlog, to a handler that inserts a row for each in the transaction of its position.

Workers are threads, as in the product, and are given 200 records at once. The clock starts when each has handled its
first batch: how long a group takes to form is another matter (kafka-python: seconds, until the heartbeat that tells the
first member of the second). What a client fetched meanwhile is not on the clock, so clients fetch little ahead here
(``site.FETCH_BYTES``), and a backlog is a multiple of that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from uuid import uuid4

import psycopg

from benchmarks.transports.bare import event_id, poll_loop
from benchmarks.transports.load import records
from benchmarks.transports.rounds import Question, Variant
from benchmarks.transports.site import Broker, Database, Missing
from consumers.transports.kafka.client_types import Fetched
from consumers.transports.port import Outgoing, Record, Transport

LONGEST_SECONDS = 60.0
UNTIL_ALL_SECONDS = 0.25
"""How long a batch takes while some workers have nothing yet, so that most of the backlog is left when they have."""
BULK = 1_000
BACKLOG, RELAYED = "backlog", "relayed"
ROWS, NOTHING = "bare, a row each", "bare, no effect"

_INSERT = "INSERT INTO benchmark_effect SELECT unnest(%s::text[])"

Work = Callable[[Event], None]
"""One worker, until the stop is set."""


class Progress:
    """Counts what is handled, and takes the time from when all workers are at work."""

    def __init__(self, workers: int, expected: int) -> None:
        self.done = Event()
        self._workers, self._expected = workers, expected
        self._guard = threading.Lock()
        self._all_there = Event()
        self._seen: set[int] = set()
        self._handled = self._before = 0
        self._began = self._ended = 0.0

    def note(self, count: int) -> None:
        """Called by a worker's thread for each batch."""
        with self._guard:
            now = time.perf_counter()
            self._handled += count
            self._seen.add(threading.get_ident())
            if len(self._seen) == self._workers and not self._all_there.is_set():
                self._began, self._before = now, self._handled
                self._all_there.set()
            if self._handled >= self._expected:
                self._ended = now
                self.done.set()
        self._all_there.wait(UNTIL_ALL_SECONDS)

    def rate(self) -> float:
        assert self._handled == self._expected, f"{self._handled} of {self._expected} records were handled"
        assert self._all_there.is_set(), "not every worker had something to do"
        return (self._handled - self._before) / (self._ended - self._began)


class Backlogs:
    """The same records in each transport, published once; each measurement is a new group, which sees them all."""

    def __init__(self, database: Database, broker: Broker | Missing, count: int) -> None:
        self._database, self._broker, self._count = database, broker, count
        self._log = database.transport()
        backlog = records(count)
        _in_calls(self._log, BACKLOG, backlog)
        if isinstance(broker, Broker):
            with broker.transport() as transport:
                _in_calls(transport, BACKLOG, backlog)
                _in_calls(transport, RELAYED, records(count, relayed=True))

    def question(self, workers: int) -> Question:
        """``Kafka, relayed``: records with source ids, whose event ids no group has to remember.

        Bare loops that have no effect do not commit either, so there is only one of them.
        """
        against = [ROWS, NOTHING] if workers == 1 else [ROWS]
        variants = [
            Variant.on(self._broker, "Kafka", partial(self._kafka, BACKLOG, workers), against=against),
            Variant.on(self._broker, "Kafka, relayed", partial(self._kafka, RELAYED, workers), against=against),
            Variant("PostgreSQL log", partial(self._postgres, workers), against=against),
            Variant.on(self._broker, ROWS, partial(self._bare_rows, workers)),
        ]
        if workers == 1:
            variants.append(Variant.on(self._broker, NOTHING, self._bare_polls))
        return Question(f"consume, {workers} worker{'s'[: workers - 1]}", ["messages/s"], variants)

    def _kafka(self, topic: str, workers: int, broker: Broker) -> list[float]:
        with broker.transport() as transport:
            return [self._through(transport, topic, workers)]

    def _postgres(self, workers: int) -> list[float]:
        return [self._through(self._log, BACKLOG, workers)]

    def _through(self, transport: Transport, topic: str, workers: int) -> float:
        progress = Progress(workers, self._count)
        group = uuid4().hex

        def handle(conn: psycopg.Connection, batch: Sequence[Record]) -> None:
            conn.execute(_INSERT, ([record.event_id for record in batch],))
            progress.note(len(batch))

        return self._rate(
            lambda stop: transport.consume(group, [topic], handle, stop=stop), workers, progress, rows=True
        )

    def _bare_rows(self, workers: int, broker: Broker) -> list[float]:
        """A transaction for each poll, then its offsets to Kafka: rows come twice when the second is lost."""
        progress = Progress(workers, self._count)
        group = uuid4().hex

        def work(stop: Event) -> None:
            with psycopg.connect(self._database.url) as conn:

                def handle(batch: Sequence[Fetched]) -> None:
                    with conn.transaction():
                        conn.execute(_INSERT, ([event_id(record) for record in batch],))
                    progress.note(len(batch))

                poll_loop(broker, group, broker.prefix + BACKLOG, handle, stop, commits=True)

        return [self._rate(work, workers, progress, rows=True)]

    def _bare_polls(self, broker: Broker) -> list[float]:
        progress = Progress(1, self._count)

        def work(stop: Event) -> None:
            topic = broker.prefix + BACKLOG
            poll_loop(broker, uuid4().hex, topic, lambda batch: progress.note(len(batch)), stop, commits=False)

        return [self._rate(work, 1, progress, rows=False)]

    def _rate(self, work: Work, workers: int, progress: Progress, *, rows: bool) -> float:
        stop = Event()
        with psycopg.connect(self._database.url, autocommit=True) as conn, ThreadPoolExecutor(workers) as threads:
            conn.execute("CREATE TABLE IF NOT EXISTS benchmark_effect (event_id text)")
            conn.execute("TRUNCATE benchmark_effect")
            started = [threads.submit(work, stop) for _ in range(workers)]
            try:
                for worker in started:
                    worker.add_done_callback(lambda _: progress.done.set())  # it can only have failed
                progress.done.wait(LONGEST_SECONDS)
            finally:
                stop.set()
            for worker in started:
                worker.result()
            found = conn.execute("SELECT count(*), count(DISTINCT event_id) FROM benchmark_effect").fetchone()
            conn.execute("DROP TABLE benchmark_effect")
        assert not rows or found == (self._count, self._count), f"rows and different rows: {found}"
        return progress.rate()


def _in_calls(transport: Transport, topic: str, backlog: Sequence[Outgoing]) -> None:
    """One call has a few seconds, whatever it has to send."""
    for start in range(0, len(backlog), BULK):
        transport.publish(topic, backlog[start : start + BULK])
