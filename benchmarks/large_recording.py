"""Peak memory of taking in and of reading one very large recording.

    python benchmarks/large_recording.py CONNINFO [--megabytes 500] [--windows 4] [--overlapping]

CONNINFO names an empty database that may be filled. The recording is made of the real ones in tests/recordings, again
and again with later times, in windows side by side, batches and events out of order; the same each time. It is taken
in by the capture handler in batches of 16 MB, as the transports give them, and read back to evidence, each phase in a
process of its own. With `--overlapping` every batch has an event of the session's first moment, so that all of them
overlap in time: what cannot be held goes through a temporary file (ADR 18).

`megabytes` are those of JSON lines, which is what a session's `size` counts. Prints a JSON document a phase: `peak_mb`
is the most memory (resident) that the whole process ever had.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from struct import Struct
from typing import Any, BinaryIO
from uuid import UUID, uuid5

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations
from benchmarks.inbox import Inbox
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.importing.importer import import_files
from consumers.capture.messages.snapshot import TOPIC, Snapshot, from_message, to_messages
from consumers.capture.reading.recording import recording_in_time
from consumers.capture.store.blobs import FolderBlobs
from consumers.scanning.evidence import build_evidence
from consumers.transports.port import Outgoing, Record

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("long_multi_page", "sdk_1_257_checkout")
ENVIRONMENT = 1
SESSION = "large"
NAMESPACE = UUID("6f5d0c0e-3c8e-4f6c-9d0e-0d8a4c3d2b10")
NOW = datetime(2026, 11, 27, tzinfo=UTC)

BATCH_BYTES = 100_000
"""JSON of one batch: heavier than those of the sources, so that 500 MB are 5,000 batches."""

SHUFFLED = 30
"""Batches of which the order is mixed up at a time: a minute and a half of recording."""

HANDLED_BYTES = 16 * 1024 * 1024
HANDLED = 200
"""What the transports hand to a handler at once, at most (LogSettings, MAX_BATCH_RECORDS)."""

_LENGTHS = Struct("<II")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--overlapping", action="store_true")
    parser.add_argument("--phase", choices=("make", "ingest", "read"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase is None:
        measured = measure(options.conninfo, options.megabytes, options.windows, overlapping=options.overlapping)
        for document in measured:
            print(json.dumps(document), flush=True)
        return
    began = time.perf_counter()
    if options.phase == "make":
        size = options.megabytes * 1_000_000
        found = make(options.folder, size, options.windows, overlapping=options.overlapping)
    elif options.phase == "ingest":
        found = ingest(options.conninfo, options.folder)
    else:
        found = read(options.conninfo, options.folder)
    print(json.dumps({"phase": options.phase, "peak_mb": peak_mb(), "seconds": _since(began), **found}))


def peak_mb() -> int:
    """Not getrusage's: that has what the process was before it became this program."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024)


def measure(conninfo: str, megabytes: int, windows: int, *, overlapping: bool = False) -> Iterator[dict[str, Any]]:
    """What each phase found."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        migrations().apply(connection)
    with tempfile.TemporaryDirectory() as folder:
        for phase in ("make", "ingest", "read"):
            command = [sys.executable, "-m", "benchmarks.large_recording", conninfo, "--phase", phase]
            command += ["--folder", folder, "--megabytes", str(megabytes), "--windows", str(windows)]
            command += ["--overlapping"] * overlapping
            done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
            yield json.loads(done.stdout)


def make(folder: Path, size: int, windows: int, *, overlapping: bool) -> dict[str, Any]:
    """Writes the messages to a file, in the order in which they will arrive."""
    chance = Random(0)
    written = batches = 0
    waiting: list[Snapshot] = []
    with (folder / "messages").open("wb") as file:
        for number, (batch, length) in enumerate(_batches(windows)):
            written += length
            batches = number + 1
            waiting.append(replace(batch, items=[*batch.items, _FIRST]) if overlapping else batch)
            if len(waiting) == SHUFFLED or written >= size:
                chance.shuffle(waiting)
                for one in waiting:
                    _write(file, to_messages(one))
                waiting.clear()
            if written >= size:
                break
    return {"batches": batches, "json_mb": round(written / 1e6, 1)}


def ingest(conninfo: str, folder: Path) -> dict[str, Any]:
    slowest, count = 0.0, 0
    with ConnectionPool[psycopg.Connection[TupleRow]](
        conninfo, min_size=1, max_size=2, kwargs={"autocommit": True}
    ) as pool:
        handler = SnapshotHandler(FolderBlobs(folder / "blobs"), pool, lambda _conn, _token: ENVIRONMENT)
        with (folder / "messages").open("rb") as file:
            for records in _handed(file):
                began = time.perf_counter()
                with pool.connection() as conn, conn.transaction():
                    handler(conn, records)
                count += len(records)
                slowest = max(slowest, (time.perf_counter() - began) / len(records))
        with pool.connection() as conn:
            row = conn.execute(
                "SELECT size, event_count, active_milliseconds, length(state::text) FROM capture.session"
            ).fetchone()
    assert row is not None
    named = dict(zip(("size", "event_count", "active_milliseconds", "state_length"), row, strict=True))
    return {"messages": count, "slowest_ms_a_message": round(slowest * 1000, 1), **named}


def read(conninfo: str, folder: Path) -> dict[str, Any]:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        found = build_evidence(recording_in_time(conn, FolderBlobs(folder / "blobs"), ENVIRONMENT, SESSION))
    return {
        "windows": found.windows,
        "minutes": round(found.duration_ms / 60_000),
        "lines": len(found.lines),
        "dropped_lines": found.dropped_lines,
        "skipped_events": found.skipped_events,
        "digest": found.digest,
    }


def _batches(windows: int) -> Iterator[tuple[Snapshot, int]]:
    """Endless: batches of all windows in turn, with the bytes of their JSON lines."""
    sources = _sources()
    first = min(_times(sources))
    span = max(_times(sources)) - first + 1_000
    chance = Random(1)
    number = turn = 0
    while True:
        for window in range(windows):
            shift = turn * span + window * 7_000 - first + 1_795_000_000_000
            items: list[dict[str, Any]] = []
            length = 0
            for source in sources:
                for item in source:
                    items.append({**item, "timestamp": item["timestamp"] + shift})
                    length += len(orjson.dumps(items[-1])) + len(f'["w{window}",]\n')
                    if length >= BATCH_BYTES:
                        yield _batch(items, window, number, chance), length
                        items, length, number = [], 0, number + 1
            if items:
                yield _batch(items, window, number, chance), length
                number += 1
        turn += 1


def _batch(items: list[dict[str, Any]], window: int, number: int, chance: Random) -> Snapshot:
    """Some of its events not in the order of time."""
    for at in (chance.randrange(len(items)) for _ in range(len(items) // 10)):
        items[at - 1], items[at] = items[at], items[at - 1]
    return replace(_SNAPSHOT, items=items, window_id=f"w{window}", uuid=uuid5(NAMESPACE, str(number)))


_SNAPSHOT = Snapshot(
    token="phc_any",  # noqa: S106 - a name for a token
    environment_id=ENVIRONMENT,
    session_id=SESSION,
    window_id="",
    distinct_id="somebody",
    uuid=NAMESPACE,
    source="web",
    library="web",
    library_version=None,
    sent_at=None,
    received_at=NOW,
    items=(),
)


_FIRST: dict[str, Any] = {"type": 3, "data": {"source": 14, "ranges": []}, "timestamp": 1_795_000_000_000}
"""A selection: it means nothing to anybody."""


def _sources() -> list[list[Any]]:
    """The events of each batch of the real recordings, one recording after the other in time."""
    found: list[list[Any]] = []
    ends = 0
    for name in SOURCES:
        inbox = Inbox()
        list(import_files([ROOT / "tests/recordings" / f"{name}.jsonl.gz"], inbox, ENVIRONMENT, NOW))
        batches: list[list[Any]] = [[*from_message(_record(message, 0)).items] for message in inbox.messages]
        shift = ends - min(_times(batches)) + 1_000
        found += [[{**item, "timestamp": item["timestamp"] + shift} for item in batch] for batch in batches]
        ends = max(_times(found))
    return found


def _times(batches: list[list[Any]]) -> list[int]:
    return [item["timestamp"] for batch in batches for item in batch]


def _write(file: BinaryIO, messages: Iterable[Outgoing]) -> None:
    for message in messages:
        headers = json.dumps({name: value.decode() for name, value in message.all_headers().items()}).encode()
        file.write(_LENGTHS.pack(len(headers), len(message.value)) + headers + message.value)


def _handed(file: BinaryIO) -> Iterator[list[Record]]:
    records: list[Record] = []
    size = offset = 0
    while lengths := file.read(_LENGTHS.size):
        headers, value = (file.read(length) for length in _LENGTHS.unpack(lengths))
        if records and (size + len(value) > HANDLED_BYTES or len(records) == HANDLED):
            yield records
            records, size = [], 0
        offset += 1
        size += len(value)
        named = {name: text.encode() for name, text in json.loads(headers).items()}
        records.append(Record(TOPIC, 0, offset, SESSION.encode(), value, named, NOW))
    if records:
        yield records


def _record(message: Outgoing, offset: int) -> Record:
    return Record(TOPIC, 0, offset, message.key, message.value, message.all_headers(), NOW)


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    main()
