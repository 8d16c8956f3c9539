"""One `$snapshot`: a batch of rrweb events that a browser flushed together, and its transport message.

The message has the form of the reference pipeline (capture 5, steps 1 and 2), so the consumer can also be pointed at an
existing topic of that form. Beyond it we write the header `environment_id`: the token was resolved when the body was
accepted, and may be rotated before the message is read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid5

from consumers.capture.messages.held import Held, pointer
from consumers.capture.wire.encodings import MAX_NESTING, MAX_VALUES, Json, compress, dump, exceeds, gunzip, parse
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.readable import readable
from consumers.capture.wire.refusals import Malformed, TooLarge, Undecodable
from consumers.transports.port import Outgoing, Record
from domain.ids import NAMESPACE

TOPIC = "snapshots"
EVENT = "$snapshot_items"
LEFT_OUT = "$snapshot_items_left_out"

MAX_DISTINCT_ID = 200
MAX_WINDOW_ID = 200
MAX_TOKEN = 200
MAX_LIBRARY = 100
MAX_ENVIRONMENT_DIGITS = 9

SPLIT_AT_BYTES = 4 * 1024 * 1024
"""JSON bytes of rrweb events in one message. A longer batch travels as several, one longer event alone."""

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""One message as published. A broker for this product takes 10 MB (capture 7). Larger ones lie in blobs (held.py)."""

MAX_PLAIN_BYTES = 128 * 1024 * 1024
"""The same before gzip, and of a blob: twice what a body may have, because JSON in a JSON string doubles its quotes."""

MAX_TEXT_BYTES = 32 * 1024 * 1024
"""Data that is made a text in a text to see whether it fits: that takes ten times its memory."""

MAX_MESSAGE_VALUES = 2 * MAX_VALUES
"""As MAX_VALUES, of a message: twice what a body may have, because an escaped comma (\\u002c) is none in the body."""

MAX_LEFT_OUT = 100_000
"""As many as a snapshot may have items (wire.MAX_ITEMS)."""

GZIP_FROM_BYTES = 64 * 1024
"""Shorter messages stay plain: packing them costs more than it saves."""

NO_EVENT = "No item of the snapshot is an rrweb event with a time."

TIMES = frozenset({"now", "timestamp", "sent_at"})
"""What differs in a message when a browser sends the same batch again."""

SESSION_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.:-]{1,128}")
_GZIP_MAGIC = b"\x1f\x8b"
_EVENT = EVENT.encode()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`items` are rrweb events as received: objects with fields that may be packed, or strings made by `packFn`."""

    token: str
    environment_id: int | None
    session_id: str
    window_id: str
    distinct_id: str | None
    uuid: UUID
    source: str
    library: str | None
    library_version: str | None
    sent_at: datetime | None
    received_at: datetime
    items: Sequence[Json]
    left_out: int = 0
    """How many items that are no events were left out of the message because they did not fit beside the others."""


@dataclass(slots=True)
class _Piece:
    """What one message will hold, as JSON texts. `room` is in bytes; `has_event` says whether one text is an event."""

    texts: list[bytes] = field(default_factory=list[bytes])
    room: int = 0
    left_out: int = 0
    has_event: bool = False

    def add_event(self, text: bytes) -> bool:
        """False when it belongs into another piece."""
        if len(text) > self.room and self.has_event:
            return False
        if len(text) > self.room:
            # Only items that are no events stand before it: they make room.
            self.left_out += len(self.texts)
            self.texts, self.room = [], SPLIT_AT_BYTES
        self._add(text)
        self.has_event = True
        return True

    def add_other(self, text: bytes) -> None:
        """Leaves it out when it does not fit."""
        if len(text) > self.room:
            self.left_out += 1
        else:
            self._add(text)

    def _add(self, text: bytes) -> None:
        self.texts.append(text)
        self.room -= len(text) + 1


def clean(value: Json, limit: int) -> str | None:
    """A text that PostgreSQL can hold, cut to `limit` characters; None when it is no text or blank."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        value = str(value)
    return value[:limit].replace("\0", "\ufffd").strip() or None


def legal_session_id(value: Json, rule: re.Pattern[str] = SESSION_ID) -> str:
    """Raises Malformed. Letters, digits and `_.:-` only, so an id can stand in a URL path and a log line as it is."""
    if not isinstance(value, str) or not rule.fullmatch(value):
        raise Malformed("The session id is missing, too long or has characters other than letters, digits and - .")
    return value


def instant(value: Json) -> datetime | None:
    """An ISO text, or milliseconds since 1970; None when it is neither or out of range."""
    try:
        if isinstance(value, str) and not value.isdecimal():
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def uuid_of(given: Json, items: Sequence[Json], session_id: str) -> UUID:
    """The batch's own uuid; from another text or from the content when there is none, so that a retry has the same."""
    if isinstance(given, str) and given:
        try:
            return UUID(given)
        except ValueError:
            return uuid5(NAMESPACE, f"snapshot/{session_id}/{given}")
    return uuid5(NAMESPACE, f"snapshot/{session_id}/{sha256(dump(list(items))).hexdigest()}")


def to_messages(snapshot: Snapshot) -> list[Outgoing]:
    """One message; several, with uuids derived from the first, when the batch is over SPLIT_AT_BYTES.

    Each has at least one readable event, for a message without any is nothing that the consumer could store: items that
    are no events travel beside an event where they fit, and are left out and counted (`left_out`) where they do not.
    A single event that does not fit into MAX_MESSAGE_BYTES becomes a Held. Raises TooLarge when one does not even fit
    into MAX_PLAIN_BYTES or is nested too deeply, and Malformed when no item is an event.
    """
    items = list(snapshot.items)
    whole = dump(items, MAX_NESTING + 1)
    if len(whole) <= SPLIT_AT_BYTES:
        room = Room()
        if not any(readable(item, room) for item in items):
            raise Malformed(NO_EVENT)
        return [_message(snapshot, whole)]
    del whole
    pieces = _split(items)
    return [
        _message(
            replace(snapshot, uuid=_piece_uuid(snapshot.uuid, index), left_out=piece.left_out),
            b"[" + b",".join(piece.texts) + b"]",
        )
        for index, piece in enumerate(pieces)
    ]


def from_message(record: Record) -> Snapshot:
    """The inverse of `to_messages`, for messages of the reference pipeline too.

    `environment_id` is None when the header is missing: the token says whose it is. Raises Undecodable, Malformed or
    TooLarge.
    """
    value = record.value
    plain = gunzip(value, MAX_PLAIN_BYTES) if value.startswith(_GZIP_MAGIC) else value
    outer = parse(plain, MAX_MESSAGE_VALUES)
    if not isinstance(outer, dict):
        raise Undecodable("The message is not an object.")
    data = outer.get("data")
    inner = parse(data, MAX_MESSAGE_VALUES) if isinstance(data, str) else data
    properties = inner.get("properties") if isinstance(inner, dict) and inner.get("event") == EVENT else None
    if not isinstance(properties, dict):
        raise Undecodable(f"The message is not a {EVENT}.")
    items = properties.get("$snapshot_items")
    if not isinstance(items, list) or not items:
        raise Malformed("The message has no snapshot items.")
    session_id = legal_session_id(properties.get("$session_id"))
    return Snapshot(
        token=clean(outer.get("token"), MAX_TOKEN) or "",
        environment_id=environment_in(record.headers),
        session_id=session_id,
        window_id=clean(properties.get("$window_id"), MAX_WINDOW_ID) or session_id,
        distinct_id=clean(properties.get("distinct_id"), MAX_DISTINCT_ID),
        uuid=uuid_of(outer.get("uuid"), items, session_id),
        source=clean(properties.get("$snapshot_source"), MAX_LIBRARY) or "web",
        library=clean(properties.get("$lib"), MAX_LIBRARY),
        library_version=clean(properties.get("$lib_version"), MAX_LIBRARY),
        sent_at=instant(outer.get("sent_at")),
        received_at=instant(outer.get("now")) or record.at,
        items=items,
        left_out=_left_out(properties.get(LEFT_OUT)),
    )


def from_held(message: Record, whole: Record) -> Snapshot:
    """What the blob of a message holds (held.resolved), with the message's own times. Raises as `from_message`."""
    outer = parse(message.value, MAX_MESSAGE_VALUES)
    times = outer if isinstance(outer, dict) else {}
    return replace(
        from_message(whole),
        sent_at=instant(times.get("sent_at")),
        received_at=instant(times.get("now")) or message.at,
    )


def _left_out(given: Json) -> int:
    return given if isinstance(given, int) and 0 < given <= MAX_LEFT_OUT else 0


def _piece_uuid(batch: UUID, index: int) -> UUID:
    return uuid5(batch, str(index)) if index else batch


def _split(items: Sequence[Json]) -> list[_Piece]:
    """Pieces of at most SPLIT_AT_BYTES, or of one longer event; each has an event.

    What is readable here is readable in its piece: there fewer items share what may be unpacked.
    """
    room = Room()
    pieces = [_Piece(room=SPLIT_AT_BYTES)]
    for item in items:
        text = dump(item)
        if readable(item, room) is None:
            pieces[-1].add_other(text)
        elif not pieces[-1].add_event(text):
            pieces.append(_Piece(room=SPLIT_AT_BYTES))
            pieces[-1].add_event(text)
    if not pieces[0].has_event:
        raise Malformed(NO_EVENT)
    return pieces


def _message(snapshot: Snapshot, items: bytes) -> Outgoing:
    properties: dict[str, Json] = {
        "distinct_id": snapshot.distinct_id or "",
        "$session_id": snapshot.session_id,
        "$window_id": snapshot.window_id,
        "$snapshot_source": snapshot.source,
        "$lib": snapshot.library,
        "$lib_version": snapshot.library_version,
    }
    if snapshot.left_out:
        properties[LEFT_OUT] = snapshot.left_out
    # The items are JSON already: put in as text, not parsed and written a second time.
    data = b'{"event":"%s","properties":%s,"$snapshot_items":%s}}' % (_EVENT, dump(properties)[:-1], items)
    uuid, now = str(snapshot.uuid), snapshot.received_at.isoformat()
    outer = dump(_outer(snapshot, uuid, now))
    if exceeds(MAX_MESSAGE_VALUES, data, outer):
        raise TooLarge(f"A message may have {MAX_MESSAGE_VALUES} values.")
    if len(data) <= MAX_TEXT_BYTES:
        value = _packed(b'%s,"data":"%s"}' % (outer[:-1], _as_text(data)))
        if len(value) <= MAX_MESSAGE_BYTES:
            return _outgoing(snapshot, value, uuid, now)
    return _held(snapshot, data, uuid, now)


def _as_text(document: bytes) -> bytes:
    """The inside of the JSON string that says a JSON document, which has no control characters to escape."""
    if document.isascii():  # four times as fast; and a quarter of it where the text is not
        return dump(document.decode("ascii"))[1:-1]
    return document.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _outer(snapshot: Snapshot, uuid: str, now: str) -> dict[str, Json]:
    """`uuid` and `now` are the snapshot's, as texts: each message says them several times."""
    outer: dict[str, Json] = {
        "uuid": uuid,
        "distinct_id": snapshot.distinct_id or "",
        "ip": "",  # part of the form; an address is personal and nothing here needs it
        "now": now,
        "token": snapshot.token,
        "event": EVENT,
        "timestamp": now,
    }
    if snapshot.sent_at is not None:
        outer["sent_at"] = snapshot.sent_at.isoformat()
    return outer


def _packed(value: bytes) -> bytes:
    return compress(value) if len(value) >= GZIP_FROM_BYTES else value


def _outgoing(snapshot: Snapshot, value: bytes, uuid: str, now: str) -> Outgoing:
    key = snapshot.session_id.encode()
    environment_id = str(snapshot.environment_id)
    headers = {
        "token": snapshot.token.encode(),
        "distinct_id": (snapshot.distinct_id or "").encode(),
        "session_id": key,
        "timestamp": b"%d" % (snapshot.received_at.timestamp() * 1000),
        "event": _EVENT,
        "uuid": uuid.encode(),
        "now": now.encode(),
    }
    if snapshot.environment_id is not None:
        headers["environment_id"] = environment_id.encode()
    # Tells environments and sessions apart: a uuid is the browser's word and must not displace another's batch.
    return Outgoing(key, value, f"{environment_id}/{snapshot.session_id}/{uuid}", headers)


def _held(snapshot: Snapshot, data: bytes, uuid: str, now: str) -> Outgoing:
    """A message that names the blob with the whole message, where the data is no text in a text but an object.

    The times are in the message alone: so the next try of the same batch has the same blob.
    """
    outer = _outer(snapshot, uuid, now)
    lasting = {name: value for name, value in outer.items() if name not in TIMES}
    plain = dump(lasting)[:-1] + b',"data":' + data + b"}"
    if snapshot.environment_id is None or len(plain) > MAX_PLAIN_BYTES:
        raise TooLarge(f"One rrweb event is larger than {MAX_PLAIN_BYTES} bytes as a message.")
    content = _packed(plain)
    short = _outgoing(snapshot, dump({**outer, "data": ""}), uuid, now)
    named = pointer(snapshot.environment_id, snapshot.session_id, content)
    return Held(
        key=short.key,
        value=short.value,
        event_id=short.event_id,
        headers={**short.headers, **{name: text.encode() for name, text in named.items()}},
        environment_id=snapshot.environment_id,
        session_id=snapshot.session_id,
        uuid=snapshot.uuid,
        content=content,
    )


def environment_in(headers: Mapping[str, bytes]) -> int | None:
    """The environment that the header of a message names; None without one. Raises Malformed."""
    raw = headers.get("environment_id")
    if raw is None:
        return None
    if not raw.isdigit() or len(raw) > MAX_ENVIRONMENT_DIGITS:
        raise Malformed("The header environment_id is not a number.")
    return int(raw)
