"""`replay-vision sessions import`: recordings in files go the way of a browser's, through the topic `snapshots`.

Analytics events that were posted with them go too, to the topic `analytics`.
What the consumer limits is limited for imports too (limits.py); the bytes of a day are counted but do not stop one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from consumers.capture.analytics.event import TOPIC as ANALYTICS
from consumers.capture.analytics.event import to_message
from consumers.capture.importing.files import bodies, recordings_in
from consumers.capture.messages.held import Publisher, content_bytes
from consumers.capture.messages.snapshot import TOPIC, Snapshot, to_messages
from consumers.capture.posting.posted import Found, found_in
from consumers.capture.wire.encodings import Json
from consumers.capture.wire.readable import readable
from consumers.capture.wire.refusals import CaptureRefused, Malformed
from consumers.transports.port import Outgoing

PUBLISHED_AT_ONCE = 100
"""Messages of one publish call."""

BYTES_AT_ONCE = 64 * 1024 * 1024
"""What they may have together, before the last of them."""

NOTHING = "There is no recording in it."

_NETWORK = "rrweb/network@1"


@dataclass(slots=True)
class ImportedSession:
    """How much of a session a file held: rrweb events, and bytes of the messages that carry them."""

    session_id: str
    events: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """One file: the sessions that it held in the order of their first batch, and why it stopped, if it did.

    What was published before an error stays; importing the file again adds only what is missing.
    """

    path: Path
    sessions: tuple[ImportedSession, ...]
    error: str | None


def import_files(
    paths: Sequence[Path],
    transport: Publisher,
    environment_id: int,
    now: datetime,
    *,
    ending: datetime | None = None,
) -> Iterator[Imported]:
    """Publishes the recordings and yields a result for each file, folders opened.

    With `ending` the times of each file are moved so that its newest event happens then (the demo). What is bad in a
    file is named in its error and does not stop the rest; what the transport raises (Unavailable) does.
    """
    for given in paths:
        try:
            found = recordings_in(given)
        except (CaptureRefused, OSError) as error:
            yield Imported(given, (), _reason(error))
            continue
        for path in found:
            yield _import(_File(path, environment_id, now), transport, ending)


class _File:
    """A recording, read as often as asked. Counts what is bad in it on each pass."""

    def __init__(self, path: Path, environment_id: int, now: datetime) -> None:
        self.path = path
        self.refused: list[str] = []
        self._environment_id = environment_id
        self._now = now

    def found(self) -> Iterator[Found]:
        """What each body holds. Raises a CaptureRefused or OSError when the file itself cannot be read on."""
        self.refused = []
        for body in bodies(self.path):
            try:
                # The token in the body is not asked: whoever imports has said where to.
                found = found_in(body.content, body.headers, body.query, self._now, lambda _: self._environment_id)
            except CaptureRefused as refusal:
                self.refused.append(refusal.message)
                continue
            self.refused += [refusal.message for refusal in found.refused]
            yield found

    def newest(self) -> int:
        """Milliseconds of the newest event. Raises Malformed when there is none."""
        snapshots = (snapshot for found in self.found() for snapshot in found.snapshots)
        moments = (readable(item) for snapshot in snapshots for item in snapshot.items)
        newest = max((found[0] for found in moments if found is not None), default=None)
        if newest is None:
            raise Malformed(self.error or NOTHING)
        return newest

    @property
    def error(self) -> str | None:
        if not self.refused:
            return None
        return f"{len(self.refused)} not taken; the first: {self.refused[0]}"


def _import(file: _File, transport: Publisher, ending: datetime | None) -> Imported:
    sessions: dict[str, ImportedSession] = {}
    waiting: list[Outgoing] = []
    room = BYTES_AT_ONCE
    try:
        shift_ms = 0 if ending is None else int(ending.timestamp() * 1000) - file.newest()
        for found in file.found():
            for snapshot in found.snapshots:
                messages = to_messages(_shifted(snapshot, shift_ms) if shift_ms else snapshot)
                session = sessions.setdefault(snapshot.session_id, ImportedSession(snapshot.session_id))
                session.events += len(snapshot.items)
                size = sum(content_bytes(message) for message in messages)
                session.bytes += size
                waiting += messages
                room -= size
                if len(waiting) >= PUBLISHED_AT_ONCE or room <= 0:
                    transport.publish(TOPIC, waiting)
                    waiting, room = [], BYTES_AT_ONCE
            if found.events:
                transport.publish(ANALYTICS, [to_message(event.moved(shift_ms)) for event in found.events])
        error = file.error if sessions or file.error else NOTHING
    except (CaptureRefused, OSError) as failure:
        error = _reason(failure)
    if waiting:
        transport.publish(TOPIC, waiting)
    return Imported(file.path, tuple(sessions.values()), error)


def _shifted(snapshot: Snapshot, shift_ms: int) -> Snapshot:
    """Every time that a reader of the recording relates to others: of events, and of the requests that pages made."""
    items: list[Json] = []
    for item in snapshot.items:
        found = readable(item)
        items.append(item if found is None else _shifted_event(found[1], shift_ms))
    return replace(snapshot, items=items)


def _shifted_event(event: Mapping[str, Json], shift_ms: int) -> dict[str, Json]:
    moved = {**event, **_moved(event, ("timestamp",), shift_ms)}
    data = event.get("data")
    payload = data.get("payload") if isinstance(data, dict) and data.get("plugin") == _NETWORK else None
    requests = payload.get("requests") if isinstance(payload, dict) else None
    if isinstance(data, dict) and isinstance(payload, dict) and isinstance(requests, list):
        later: list[Json] = [
            {**request, **_moved(request, ("timestamp", "timeOrigin"), shift_ms)}
            if isinstance(request, dict)
            else request
            for request in requests
        ]
        moved["data"] = {**data, "payload": {**payload, "requests": later}}
    return moved


def _moved(values: Mapping[str, Json], names: tuple[str, ...], shift_ms: int) -> dict[str, Json]:
    return {
        name: value + shift_ms
        for name in names
        if isinstance(value := values.get(name), int | float) and not isinstance(value, bool)
    }


def _reason(error: CaptureRefused | OSError) -> str:
    return error.message if isinstance(error, CaptureRefused) else error.strerror or type(error).__name__
