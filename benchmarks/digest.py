"""How fast recordings are digested, against plain gunzip and JSON parsing of the same bytes.

    python benchmarks/digest.py CONNINFO [--megabytes 100] [--rounds 3] [--folder FOLDER ...]

CONNINFO names an empty database that may be filled. The recordings are those of the repository, or of FOLDER. The
messages that the endpoints publish for them are handled again and again, with uuids and sessions of their own each
time, until there are `megabytes` of JSON. All sides see the same messages, one after the other in each round:

* plain: gunzip where packed, and Python's `json` over the message and over the JSON text inside it;
* orjson: the same with the faster parser that the consumer uses, a stricter measure;
* digest: what the consumer does with the processor alone: `from_message`, `part_of` (facts, lines), `pack` (zstd);
* stored: the whole handler, with PostgreSQL and blobs in a folder, in batches as the transports give them.

MB are of JSON, before packing. Quote the ratios: absolute figures move with the machine, and both with the size of the
messages (5 KB on average in the repository's recordings, 20 KB in captures/ of the whole corpus).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid5

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations
from benchmarks.inbox import Inbox
from consumers.capture.digest.handler import BATCH_RECORDS, SnapshotHandler
from consumers.capture.digest.parts import part_of
from consumers.capture.importing.importer import import_files
from consumers.capture.messages.snapshot import MAX_PLAIN_BYTES, TOPIC, from_message, to_messages
from consumers.capture.store.blobs import FolderBlobs
from consumers.capture.store.packing import pack
from consumers.capture.wire.encodings import gunzip
from consumers.transports.port import Outgoing, Record

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = 1
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    own = [ROOT / "tests/recordings", ROOT / "recordings"]
    parser.add_argument("--folder", action="append", type=Path, help="with recordings, instead of the repository's own")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with psycopg.connect(options.conninfo, autocommit=True) as connection:
        migrations().apply(connection)
    source = originals(options.folder or own)
    size = sum(len(plain(message.value)) for message in source)
    copies = max(1, round(options.megabytes * 1e6 / size))
    print(f"{len(source)} messages, {size / 1e6:.1f} MB of JSON, {copies} times a round")
    seconds: dict[str, list[float]] = {"plain": [], "orjson": [], "digest": [], "stored": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        ConnectionPool[psycopg.Connection[TupleRow]](
            options.conninfo, min_size=1, max_size=2, kwargs={"autocommit": True}
        ) as pool,
    ):
        handler = SnapshotHandler(FolderBlobs(Path(folder)), pool, lambda _conn, _token: ENVIRONMENT)
        warm_up(pool, handler, source)
        for number in range(options.rounds):
            batches = [copied(source, f"{number}-{copy}") for copy in range(copies)]
            seconds["plain"].append(timed(parsed_plainly, batches))
            seconds["orjson"].append(timed(parsed, batches))
            seconds["digest"].append(timed(digest, batches))
            seconds["stored"].append(timed(lambda records: store(pool, handler, records), batches))
    middles = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, middle in middles.items():
        shares = f"{middles['plain'] / middle:5.2f} of plain   {middles['orjson'] / middle:5.2f} of orjson"
        print(f"{name:8} {size * copies / 1e6 / middle:8.1f} MB/s   {shares}")


def originals(folders: Sequence[Path]) -> list[Outgoing]:
    inbox = Inbox()
    for result in import_files(folders, inbox, ENVIRONMENT, NOW):
        if result.error and result.sessions:
            raise SystemExit(f"{result.path}: {result.error}")
    return inbox.messages


def copied(messages: Sequence[Outgoing], mark: str) -> list[Record]:
    """The same batches, of sessions and with uuids that nothing else has."""
    found: list[Record] = []
    for message in messages:
        snapshot = from_message(record_of(message, 0))
        session_id, uuid = f"{snapshot.session_id}.{mark}", uuid5(snapshot.uuid, mark)
        found += [
            record_of(one, len(found)) for one in to_messages(replace(snapshot, session_id=session_id, uuid=uuid))
        ]
    return found


def record_of(message: Outgoing, offset: int) -> Record:
    return Record(TOPIC, 0, offset, message.key, message.value, message.all_headers(), NOW)


def plain(value: bytes) -> bytes:
    return gunzip(value, MAX_PLAIN_BYTES) if value.startswith(b"\x1f\x8b") else value


def parsed_plainly(records: Sequence[Record]) -> None:
    for record in records:
        json.loads(json.loads(plain(record.value))["data"])


def parsed(records: Sequence[Record]) -> None:
    for record in records:
        orjson.loads(orjson.loads(plain(record.value))["data"])


def digest(records: Sequence[Record]) -> None:
    for record in records:
        pack(part_of(from_message(record), ENVIRONMENT).lines)


def store(
    pool: ConnectionPool[psycopg.Connection[TupleRow]], handler: SnapshotHandler, records: Sequence[Record]
) -> None:
    for start in range(0, len(records), BATCH_RECORDS):
        with pool.connection() as conn, conn.transaction():
            handler(conn, records[start : start + BATCH_RECORDS])


def warm_up(
    pool: ConnectionPool[psycopg.Connection[TupleRow]], handler: SnapshotHandler, source: Sequence[Outgoing]
) -> None:
    """Some sessions, and what the planner knows of a table a minute after its first rows.

    Plans that were made for empty tables read all of them, until autovacuum has looked at them.
    """
    for number in range(4):
        store(pool, handler, copied(source, f"warm-{number}"))
    with pool.connection() as conn:
        conn.execute("ANALYZE")


def timed(work: Callable[[Sequence[Record]], None], batches: Sequence[Sequence[Record]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        work(batch)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
