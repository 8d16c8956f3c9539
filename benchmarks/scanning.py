"""How fast recordings become evidence, and scans of them become answers, with the analyser that needs no model.

    python benchmarks/scanning.py CONNINFO [--rounds 5] [--folder FOLDER ...]

CONNINFO names an empty database that may be filled. The recordings are those of the repository, or of FOLDER. They are
imported as the endpoints would publish them, and stored by the capture consumer with its blobs in a folder. Then, on
one core, in each round, session by session:

* parse: orjson over the JSON lines `[window, event]` of the decoded recording, the baseline;
* evidence: the same lines parsed as they are needed, and made into evidence (`build_evidence`);
* stored: `evidence_of`, as a scan reads it: parts from PostgreSQL and blobs, unpacked, put in order, made evidence;
* scans: a monitor, a classifier, a scorer and a summarizer over every session, each from its leased job to the events
  of its ending, by one `ScanWorker` with `builtin`. Short sessions are scanned too.

MB are of decoded JSON lines. Times are processor time of this process, all of its threads; PostgreSQL's own is not in
it, and the garbage collector is set as in the role `scanning`. The first round is told apart: it meets every text for
the first time. Of all rounds the median is shown.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations
from benchmarks.inbox import Inbox
from commands.context import Context
from commands.observations import ObservationLimits, Observations
from commands.scanners import Scanners
from commands.store.application import Store
from commands.store.event_log import EventLog
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.importing.importer import import_files
from consumers.capture.messages.snapshot import TOPIC
from consumers.capture.reading.recording import Recording, recording_in_time
from consumers.capture.store.blobs import Blobs, FolderBlobs
from consumers.relay import outgoing
from consumers.scanning.collector import collect_less
from consumers.scanning.evidence import build_evidence
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.requests import JobMaker
from consumers.scanning.scan import Scanning
from consumers.scanning.session_evidence import evidence_of
from consumers.scanning.worker import ScanWorker
from consumers.transports.port import Record
from domain.eligibility import EligibilityLimits
from domain.event import Actor
from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine.installing import install
from projections.recordings import RECORDINGS

ROOT = Path(__file__).resolve().parent.parent
OWN = (ROOT / "recordings", ROOT / "tests/recordings", ROOT / "tests/scanning/fixtures")
TENANT = Tenant(1, UUID(int=7))
ROOM = 1_000_000
HANDLED = 200
CONFIGS: dict[str, dict[str, Any]] = {
    "monitor": {"prompt": "Did the visitor complete an order?"},
    "classifier": {"prompt": "How did the session end?", "tags": ["converted", "abandoned", "blocked", "browsing"]},
    "scorer": {"prompt": "How frustrated was the visitor?", "scale": {"min": 0, "max": 10}},
    "summarizer": {"prompt": "What happened?", "length": "medium"},
}

Pool = ConnectionPool[psycopg.Connection[TupleRow]]
Lines = list[bytes]


def now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--folder", action="append", type=Path, help="with recordings, instead of the repository's own")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    collect_less()
    with psycopg.connect(options.conninfo, autocommit=True) as connection:
        migrations().apply(connection)
        install(connection, [RECORDINGS, ACCOUNTS])
    with (
        tempfile.TemporaryDirectory() as folder,
        ConnectionPool[psycopg.Connection[TupleRow]](
            options.conninfo, min_size=1, max_size=4, kwargs={"autocommit": True}
        ) as pool,
    ):
        blobs = FolderBlobs(Path(folder))
        sessions = stored(pool, blobs, options.folder or OWN)
        recorded = {session: decoded(pool, blobs, session) for session in sessions}
        size = sum(len(line) + 1 for _, lines in recorded.values() for line in lines) / 1e6
        print(f"{len(sessions)} sessions, {size:.1f} MB of decoded JSON; {options.rounds} rounds")
        for name, work in (
            ("parse", lambda: [all(parsed(lines)) for _, lines in recorded.values()]),
            ("evidence", lambda: [build_evidence(Recording(w, None, parsed(lines))) for w, lines in recorded.values()]),
            ("stored", lambda: [read(pool, blobs, session) for session in sessions]),
        ):
            show(name, rounds(work, options.rounds), size, "MB/s")
        scans = Scans(options.conninfo, pool, blobs)
        show("scans", [scans.round(sessions) for _ in range(options.rounds)], scans.count, "sessions/s and core")
        scans.store.close()


def show(name: str, taken: Sequence[float], amount: float, unit: str) -> None:
    middle = statistics.median(taken)
    print(f"{name:9} {amount / middle:8.1f} {unit}   first round {amount / taken[0]:8.1f}", flush=True)


def rounds(work: Callable[[], object], count: int) -> list[float]:
    taken: list[float] = []
    for _ in range(count):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return taken


def stored(pool: Pool, blobs: Blobs, folders: Sequence[Path]) -> list[str]:
    """Imports every recording; the ids of those sessions that came whole."""
    inbox = Inbox()
    found: dict[str, None] = {}
    paths = [path for folder in folders for path in ([folder] if folder.is_file() else recordings_below(folder))]
    for result in import_files(paths, inbox, TENANT.environment_id, now()):
        if result.error is None:
            found.update(dict.fromkeys(session.session_id for session in result.sessions))
    handler = SnapshotHandler(blobs, pool, lambda _connection, _token: TENANT.environment_id)
    records = [
        Record(TOPIC, 0, n, message.key, message.value, message.all_headers(), now())
        for n, message in enumerate(inbox.messages)
    ]
    for start in range(0, len(records), HANDLED):
        with pool.connection() as connection, connection.transaction():
            handler(connection, records[start : start + HANDLED])
    return list(found)


def recordings_below(folder: Path) -> list[Path]:
    """Files of recordings, or folders of captured requests, as `sessions import` takes them."""
    captured = sorted(path.parent for path in folder.rglob("requests.jsonl"))
    return captured or sorted(path for path in folder.rglob("*.jsonl*") if path.is_file())


def decoded(pool: Pool, blobs: Blobs, session: str) -> tuple[tuple[str, ...], Lines]:
    with pool.connection() as connection:
        recording = recording_in_time(connection, blobs, TENANT.environment_id, session)
        return recording.windows, [orjson.dumps(pair) for pair in recording.events]


def parsed(lines: Lines) -> Iterator[tuple[str, Any]]:
    for line in lines:
        window, event = orjson.loads(line)
        yield window, event


def read(pool: Pool, blobs: Blobs, session: str) -> None:
    with pool.connection() as connection:
        evidence_of(connection, blobs, TENANT, session)


class Scans:
    """Asks for observations and does their jobs, in this process."""

    def __init__(self, conninfo: str, pool: Pool, blobs: Blobs) -> None:
        self.store = Store(conninfo)
        self.count = 0
        self._pool = pool
        self._observations = Observations(self.store, ObservationLimits(ROOM, ROOM, ROOM, 0, 0))
        self._scanners = Scanners(self.store, {"builtin": ("builtin",)})
        providers = {"builtin": BuiltinProvider()}
        limits = EligibilityLimits(0, 0, 10**9)
        self._scanning = Scanning(pool, self._observations, blobs, providers, limits, now)
        self._heard = 0

    def round(self, sessions: Sequence[str]) -> float:
        """Processor seconds of a scan of every session by a new scanner of each type."""
        jobs = sum(self._asked(kind, config, sessions) for kind, config in CONFIGS.items())
        self._hear()
        began, done = time.process_time(), self._ended()
        stop = Event()
        worker = Thread(target=ScanWorker(self._pool, self._scanning, "benchmark").run, args=(stop,))
        worker.start()
        while self._ended() < done + jobs:
            time.sleep(0.2)
        stop.set()
        worker.join()
        self.count = jobs
        return time.process_time() - began

    def _asked(self, kind: str, config: dict[str, Any], sessions: Sequence[str]) -> int:
        context = Context(Actor(type="user", user_id=1), now(), uuid4(), TENANT)
        made = self._scanners.create(
            context,
            name=str(uuid4()),
            scanner_type=kind,
            scanner_config=config,
            provider="builtin",
            model="builtin",
        )
        answers = self._observations.request(context, made.scanner.id, sessions, "on_demand")
        return sum(answer.outcome == "started" for answer in answers)

    def _hear(self) -> None:
        """Makes jobs of what was asked for, as the relay and the transport would."""
        with self._pool.connection() as connection, connection.transaction():
            for row in EventLog().read_raw(connection, self._heard, limit=ROOM):
                made = outgoing(row)
                record = Record("events", 0, row.position, made.key, made.value, made.all_headers(), now())
                JobMaker().handle(connection, [record])
                self._heard = row.position

    def _ended(self) -> int:
        ended = "SELECT count(*) FROM store.events WHERE topic IN ('ObservationSucceeded', 'ObservationFailed')"
        with self._pool.connection() as connection:
            row = connection.execute(ended).fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
