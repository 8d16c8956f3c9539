"""Captured traffic, and the consumer without a transport around it."""

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from consumers.capture.analytics.event import AnalyticsEvent, Frame, event_of, to_message
from consumers.capture.analytics.handler import AnalyticsHandler
from consumers.capture.digest.handler import SnapshotHandler
from consumers.capture.messages.snapshot import Snapshot, clean, to_messages, uuid_of
from consumers.capture.posting.posted import accept, accept_rrweb
from consumers.capture.store.blobs import FolderBlobs
from consumers.capture.wire.encodings import Json
from consumers.transports.port import Outgoing, Record

ROOT = Path(__file__).resolve().parent.parent.parent
EXPECTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "expected.json").read_text())
ENVIRONMENT = 1
KNOWN_TOKEN, ITS_ENVIRONMENT = "phc_known", 7
ANALYTICS_PATHS = ("/e/", "/i/v0/e/", "/batch/")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def posts(name: str) -> list[dict[str, Any]]:
    """The requests of a committed recording, with `body` as bytes and `headers` and `query` as servers see them."""
    found = []
    for line in gzip.decompress((ROOT / name).read_bytes()).splitlines():
        entry = json.loads(line)
        entry["body"] = base64.b64decode(entry["body"])
        entry["headers"] = {key.lower(): value for key, value in entry["headers"]}
        entry["query"] = dict(entry["query"])
        found.append(entry)
    return found


def recorded(name: str, environment_id: int = ENVIRONMENT) -> list[Outgoing]:
    """What the HTTP endpoints publish for a committed recording."""
    messages: list[Outgoing] = []
    for post in posts(name):
        taking = {"/s/": accept, "/rrweb": accept_rrweb}.get(post["path"])
        if taking is not None:
            taken = taking(post["body"], post["headers"], post["query"], NOW, lambda _token: environment_id)
            assert not taken.refused
            messages += taken.messages
    return messages


def recorded_events(name: str, environment_id: int = ENVIRONMENT) -> list[Outgoing]:
    """The same of its analytics events, from whichever endpoint."""
    messages: list[Outgoing] = []
    for post in posts(name):
        if post["path"] in ANALYTICS_PATHS and post["body"]:
            taken = accept(post["body"], post["headers"], post["query"], NOW, lambda _token: environment_id)
            assert not taken.refused
            messages += taken.analytics
    return messages


def posted(event: dict[str, Any], environment_id: int | None = ENVIRONMENT, now: datetime = NOW) -> AnalyticsEvent:
    """An analytics event as the endpoints read it."""
    return event_of(event, Frame("phc_any", environment_id, None, now))


def snapshot(items: Sequence[Json], session_id: str = "s-1", uuid: str | None = None, **other: Any) -> Snapshot:
    values: dict[str, Any] = {
        "token": "phc_any",
        "environment_id": ENVIRONMENT,
        "session_id": session_id,
        "window_id": "w-1",
        "distinct_id": clean("somebody", 200),
        "uuid": uuid_of(uuid, items, session_id),
        "source": "web",
        "library": "web",
        "library_version": "1.0",
        "sent_at": None,
        "received_at": NOW,
        "items": items,
    }
    return Snapshot(**{**values, **other})


def click(at: int) -> dict[str, Json]:
    return {"type": 3, "data": {"source": 2, "type": 2, "id": 5, "x": 1, "y": 1}, "timestamp": at}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline, pause = monotonic() + seconds, Event()
    while not condition():
        assert monotonic() < deadline, "still not so"
        pause.wait(0.05)


class Capture:
    """Blobs, a database and a clock that stands still until it is moved."""

    def __init__(self, pool: ConnectionPool, folder: Path) -> None:
        self.pool = pool
        self.folder = folder
        self.blobs = FolderBlobs(folder)
        self.now = NOW
        known = {KNOWN_TOKEN: ITS_ENVIRONMENT}
        self.handler = SnapshotHandler(self.blobs, pool, lambda _conn, token: known.get(token), lambda: self.now)
        self.analytics = AnalyticsHandler(self.blobs, lambda _conn, token: known.get(token), lambda: self.now)
        self._offset = 0

    def record(self, message: Outgoing, topic: str = "snapshots") -> Record:
        self._offset += 1
        return Record(topic, 0, self._offset, message.key, message.value, message.all_headers(), self.now)

    def handle(self, messages: Iterable[Outgoing]) -> None:
        records = [self.record(message) for message in messages]
        with self.pool.connection() as conn, conn.transaction():
            self.handler(conn, records)

    def handle_events(self, messages: Iterable[Outgoing]) -> None:
        records = [self.record(message, "analytics") for message in messages]
        with self.pool.connection() as conn, conn.transaction():
            self.analytics(conn, records)

    def say(self, *events: AnalyticsEvent) -> None:
        self.handle_events([to_message(event) for event in events])

    def capture(self, *snapshots: Snapshot) -> None:
        self.handle([message for one in snapshots for message in to_messages(one)])

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def session(self, session_id: str, environment_id: int = ENVIRONMENT) -> dict[str, Any]:
        (row,) = self.rows(
            "SELECT * FROM capture.session WHERE environment_id = %s AND session_id = %s", environment_id, session_id
        )
        return row
