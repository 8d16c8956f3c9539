"""Events/s of our projection engine against the library's stock ProjectionRunner, interleaved in one run.

    python benchmarks/projection.py CONNINFO [--events 20000] [--rounds 3]

CONNINFO names an empty database that may be filled. Both sides catch up over the same events, one upsert a row into one
table beside the position, with fsync as the server has it. Quote the ratios: absolute figures move with the machine.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection as StockProjection
from eventsourcing.projection import ProjectionRunner
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

from commands.store.application import Store
from commands.store.event_log import EventLog
from commands.store.mapper import EventMapper
from commands.store.migrations import Migrations
from commands.store.recorder import CHANNEL
from domain.event import Actor, Stamp
from domain.scanner import Scanner, ScannerCreated
from projections.engine import Projection, Runner, install, wait_for
from projections.engine.projection import Recorded
from projections.engine.table import Table

ROOT = Path(__file__).resolve().parent.parent
BULK = 500


@dataclass(slots=True)
class Row:
    id: UUID
    name: str
    version: int


ROWS = Table("scanner_name", Row, ("id",), {"id": "uuid", "name": "text", "version": "bigint"})
CREATE = "CREATE TABLE {} (id uuid PRIMARY KEY, name text NOT NULL, version bigint NOT NULL)"


def apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    """Ours: fold to the last state per key, then one set-based upsert."""
    rows: dict[UUID, Row] = {}
    for item in recorded:
        event = item.event
        assert isinstance(event, ScannerCreated)
        rows[event.originator_id] = Row(event.originator_id, event.name, event.originator_version)
    ROWS.put(connection, list(rows.values()))


def ours(conninfo: str, number: int, head: int) -> float:
    """Seconds to catch up through the Runner as it is used, from start to the last position."""
    name = f"ours_{number}"
    projection = Projection(
        name=name, handles=frozenset({ScannerCreated}), apply=apply, sql=CREATE.format("scanner_name")
    )
    with psycopg.connect(conninfo, autocommit=True) as connection:
        install(connection, [projection])
    runner = Runner(conninfo, [projection], EventLog(), CHANNEL)
    with ConnectionPool[Connection[TupleRow]](conninfo, min_size=1, max_size=1, kwargs={"autocommit": True}) as pool:
        return timed(runner.run, runner.stop, lambda: wait_for(pool, [name], head, 600))


class NameView(PostgresTrackingRecorder):
    """The library's way: a row and the tracking position in one transaction an event."""

    def __init__(self, datastore: Any, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        table = f"{kwargs['tracking_table_name']}_rows"
        self.sql_create_statements.append(SQL(CREATE).format(Identifier(datastore.schema, table)))
        self._upsert = SQL(
            "INSERT INTO {} (id, name, version) VALUES (%s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version"
        ).format(Identifier(datastore.schema, table))

    def put(self, event: ScannerCreated, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, (event.originator_id, event.name, event.originator_version), prepare=True)


class NameProjection(StockProjection[NameView]):
    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.put(domain_event, tracking)


class Scanners(Application[UUID]):
    """Reads a copy of the same log through the stock recorder."""

    name = "stock"


def stock(conninfo: str, number: int, head: int) -> float:
    """Seconds for the stock runner over the same events."""
    NameProjection.name = f"stock_{number}"
    with ProjectionRunner(
        application_class=Scanners, projection_class=NameProjection, view_class=NameView, env=environment(conninfo)
    ) as runner:
        began = time.perf_counter()
        while (runner.projection.view.max_tracking_id("stock") or 0) < head:
            time.sleep(0.005)
        return time.perf_counter() - began


def environment(conninfo: str) -> dict[str, str]:
    given = conninfo_to_dict(conninfo)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given.get("dbname", "")),
        "POSTGRES_HOST": str(given.get("host", "")),
        "POSTGRES_PORT": str(given.get("port", "5432")),
        "POSTGRES_USER": str(given.get("user", "")),
        "POSTGRES_PASSWORD": str(given.get("password", "")),
        "POSTGRES_SCHEMA": "stock",
        "MAPPER_TOPIC": f"{__name__}:StockMapper",
    }


class StockMapper(EventMapper):
    """Our codec, so that both sides decode alike."""

    def __init__(self, **_: Any) -> None:
        super().__init__()


def timed(run: Callable[[], None], stop: Callable[[], None], until: Callable[[], bool]) -> float:
    thread = threading.Thread(target=run)
    began = time.perf_counter()
    thread.start()
    assert until()
    seconds = time.perf_counter() - began
    stop()
    thread.join()
    return seconds


def fill(conninfo: str, events: int) -> int:
    """Makes the log, and a copy of it where the stock application looks; returns the head."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rooms = [folder for room in ("commands", "projections") for folder in (ROOT / room).rglob("schema")]
        Migrations.from_folders(rooms).apply(connection)
        store = Store(conninfo, pool_size=1)
        for _ in range(0, events, BULK):
            store.save(*(scanner() for _ in range(BULK)))
        store.close()
        connection.execute("CREATE SCHEMA IF NOT EXISTS stock")
        Scanners(environment(conninfo)).close()
        connection.execute("""
            INSERT INTO stock.stock_events (originator_id, originator_version, topic, state)
            SELECT originator_id, originator_version, topic, state FROM store.events ORDER BY notification_id
        """)
        connection.execute("ANALYZE")
        return EventLog().head(connection)


def scanner() -> Scanner:
    stamp = Stamp(datetime.now(UTC), Actor(type="system", role="benchmark"), uuid4(), 1, uuid4())
    return Scanner.create(
        uuid4(), stamp, name="A name", scanner_type="monitor", scanner_config={"prompt": "Did the visitor give up?"},
        provider="builtin", model="builtin",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    head = fill(options.conninfo, options.events)
    pairs: list[tuple[float, float]] = []
    for number in range(options.rounds):
        pairs.append((head / stock(options.conninfo, number, head), head / ours(options.conninfo, number, head)))
        print(f"round {number + 1}: stock {pairs[-1][0]:7.0f} events/s   ours {pairs[-1][1]:7.0f} events/s")
    ratio = statistics.median(our / stocks for stocks, our in pairs)
    print(f"median ratio {ratio:.1f}")


if __name__ == "__main__":
    main()
