"""What the product publishes, made by the code that publishes it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from commands.store.event_log import StoredRow
from consumers.capture.analytics.event import to_message as to_event_message
from consumers.capture.messages import snapshot as snapshots
from consumers.capture.messages.snapshot import SPLIT_AT_BYTES, to_messages
from consumers.relay import outgoing
from consumers.signals import signal_of
from consumers.transports.port import Outgoing, Record
from domain.tenant import Tenant
from projections.queries.findings import Reported
from projections.queries.sessions import SessionRow, facts_of
from tests.capture.traffic import click, posted, recorded, recorded_events, snapshot

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = sorted(
    str(file.relative_to(ROOT))
    for folder in ("recordings", "tests/recordings")
    for file in (ROOT / folder).glob("*.jsonl.gz")
)
GZIP = b"\x1f\x8b"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def relayed() -> Iterator[Outgoing]:
    """The golden histories, which hold every event class in every version, as the relay publishes them.

    A later history begins with what an earlier one has; nobody publishes an event twice.
    """
    position, published = 0, set[tuple[str, int]]()
    for history in sorted((ROOT / "tests" / "golden").glob("v*.jsonl")):
        for line in map(json.loads, history.read_bytes().splitlines()):
            if (line["stream_id"], line["version"]) in published:
                continue
            published.add((line["stream_id"], line["version"]))
            position += 1
            yield outgoing(
                StoredRow(position, UUID(line["stream_id"]), line["version"], line["topic"], line["state"].encode())
            )


def captured() -> Iterator[Outgoing]:
    """The committed recordings as the endpoints publish them, and what those do not have.

    That is a message without a library or a time of sending, one that is long enough to be zipped, one with an event
    that rrweb's packFn made a text of, one with items that were left out, and one whose content lies in a blob.
    """
    for name in RECORDINGS:
        yield from recorded(name)
    yield from to_messages(snapshot([click(1_000)], "sparse", library=None, library_version=None, distinct_id=None))
    yield from to_messages(snapshot([click(at) for at in range(1_000, 3_000)], "long"))
    packed = zlib.compress(json.dumps({**click(1_000), "v": "v1"}).encode()).decode("latin-1")
    yield from to_messages(snapshot([packed], "packed"))
    yield from to_messages(snapshot([click(1_000), "x" * SPLIT_AT_BYTES, {"no": "event"}], "left-out", sent_at=AT))
    with patch.object(snapshots, "MAX_MESSAGE_BYTES", 100):
        yield from to_messages(snapshot([click(1_000)], "held"))


def posted_events() -> Iterator[Outgoing]:
    """Analytics events of committed recordings, and what those do not have: an event without session or visitor."""
    for name in RECORDINGS[-3:]:
        yield from recorded_events(name)
    sent: dict[str, Any] = {"event": "$identify", "properties": {"distinct_id": "d", "$set": {"plan": "pro"}}}
    yield to_event_message(replace(posted(sent), sent_at=AT))
    yield to_event_message(posted({"event": "e", "properties": {"$session_id": "s-1"}}))


def signals() -> Iterator[Outgoing]:
    """Findings of a session whose recording is there, and of one whose recording and visitor are gone."""
    texts = {"headline": "The card form refuses cards", "description": "Two cards were declined."}
    times = {"start_time": 40.0, "end_time": 48.5, "confidence": 0.9}
    found = Reported(
        scanner_id=UUID(int=5),
        scanner_name="Checkout",
        scanner_type="monitor",
        session_id="s-1",
        distinct_id="visitor-81",
        completed_at=AT,
        findings=[{"problem_type": kind, **times, **texts} for kind in ("bug", "ux_friction")],
    )
    counts = dict.fromkeys(SessionRow._fields, 0)
    plain = {"first_timestamp": 1_795_459_675_000, "last_timestamp": 1_795_459_735_500, "active_milliseconds": 30_000}
    lists = {"urls": [], "windows": [], "distinct_ids": []}
    texts_of = {"session_id": "s-1", "start_url": "http://shop.test/", "snapshot_source": "web", "snapshot_library": ""}
    row = SessionRow(**{**counts, **plain, **lists, **texts_of, "last_received_at": AT, "settled_at": AT})
    facts = facts_of(row, AT)
    yield signal_of(Tenant(1, UUID(int=7)), UUID(int=6), 0, found, facts)
    yield signal_of(Tenant(1, UUID(int=7)), UUID(int=6), 1, replace(found, distinct_id=None), None)


def value_of(record: Record | Outgoing) -> Any:
    """The JSON document in a record, gunzipped where it is packed."""
    value = record.value
    return json.loads(gzip.decompress(value) if value.startswith(GZIP) else value)
