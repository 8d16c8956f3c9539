"""The second compression layer inside a recording: single fields of single rrweb events (capture 2, "the main trap").

posthog-js packs the heavy fields of full snapshots and mutations with gzip, rrweb's `packFn` whole events with zlib;
both put the bytes into a JSON string, one character a byte. Only the mirror of the page needs what is
packed; counting does not.
"""

from consumers.capture.wire.encodings import Json, gunzip, parse, unzlib
from consumers.capture.wire.refusals import CaptureRefused, Undecodable

MAX_FIELD_BYTES = 32 * 1024 * 1024
"""One packed field or event, unpacked: five times the largest buffer that the SDK sends (capture 3)."""

MAX_PART_BYTES = 128 * 1024 * 1024
"""Everything packed inside one batch, unpacked: 25 MB of small bombs would otherwise be 25 GB of work."""

LEAST_ROOM = 8 * 1024 * 1024
MOST_RATIO = 100
"""What a body, or a batch in its blob, may unpack to beside its packed bytes: what is packed once packs no further, so
that a body of packed events is about as long as they are. Pages pack to a tenth or a thirtieth. Packing bombs once more
makes next to nothing of them, and 26 KB were a minute of work."""

_DEFLATE_RATIO = 1_032
"""The most that deflate can make of a byte."""

_DEFLATE = 8
"""The method in the first byte of a zlib stream; what has another is refused unread."""

_FULL_SNAPSHOT, _INCREMENTAL = 2, 3
_PACKED_FIELDS = {0: ("texts", "attributes", "removes", "adds"), 8: ("adds", "removes")}
_PACKED_STARTS = ("\x1f\x8b", "\x78")
_EVENT_STARTS = ("\x1f\x8b", *map(chr, range(_DEFLATE, 0x80, 16)))
"""Of whole events: gzip, or zlib with any window."""


class Room:
    """How many bytes may still be unpacked: of a batch, of a body, or of a recording."""

    def __init__(self, left: int = MAX_PART_BYTES) -> None:
        self.left = left

    @classmethod
    def of_body(cls, wire_bytes: int) -> "Room":
        """For everything in one body that was sent as so many bytes."""
        return cls(min(MAX_PART_BYTES, max(LEAST_ROOM, MOST_RATIO * wire_bytes)))

    def grow(self, more: int) -> None:
        """Up to MAX_PART_BYTES."""
        self.left = max(self.left, min(MAX_PART_BYTES, self.left + more))

    def unpack(self, text: str) -> Json:
        """The JSON document that was gzipped (`cv`) or zlibbed (`packFn`) into a text.

        Raises Undecodable, or TooLarge over MAX_FIELD_BYTES or what is left.
        """
        raw = _as_bytes(text)
        limit = min(MAX_FIELD_BYTES, self.left)
        try:
            document = gunzip(raw, limit) if raw[:1] == b"\x1f" else unzlib(raw, limit)
        except CaptureRefused:
            if raw[:1] == b"\x1f" or (raw[:1] and raw[0] & 15 == _DEFLATE):
                self.left -= min(limit, len(raw) * _DEFLATE_RATIO)  # what it may have cost to find out
            raise
        self.left -= len(document)
        return parse(document)


def looks_packed(text: str) -> bool:
    """Whether `unpack` could make anything of a text, by its first bytes."""
    return text.startswith(_EVENT_STARTS)


def unpack(event: Json, room: Room | None = None) -> dict[str, Json]:
    """An rrweb event as an object: itself, or what `packFn` made a string of. Its fields may still be packed.

    Raises Undecodable or TooLarge when it is neither.
    """
    if isinstance(event, str):
        event = (room or Room()).unpack(event)
    if not isinstance(event, dict):
        raise Undecodable("An event is not an object.")
    return event


def inflate_event(event: dict[str, Json], room: Room | None = None) -> dict[str, Json]:
    """The event with its packed fields unpacked.

    Told by the value, not by the event's `cv` mark, because the SDK falls back to plain for single fields. A field that
    is damaged, or larger than MAX_FIELD_BYTES or the room, stays as it is: a lost mutation must not cost the recording.
    """
    room = room or Room()
    data = event.get("data")
    kind = event.get("type")
    if kind == _FULL_SNAPSHOT and isinstance(data, str):
        return {**event, "data": _unpacked(data, room)}
    if kind == _INCREMENTAL and isinstance(data, dict):
        source = data.get("source")
        fields = _PACKED_FIELDS.get(source, ()) if isinstance(source, int) else ()
        found = {name: value for name in fields if isinstance(value := data.get(name), str)}
        if found:
            return {**event, "data": {**data, **{name: _unpacked(value, room) for name, value in found.items()}}}
    return event


def _unpacked(value: str, room: Room) -> Json:
    if not value.startswith(_PACKED_STARTS):
        return value
    try:
        return room.unpack(value)
    except CaptureRefused:
        return value


def _as_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise Undecodable("A packed value has characters that are no bytes.") from error
