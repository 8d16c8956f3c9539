"""Reading a recording back."""

from collections.abc import Iterator

import psycopg

from consumers.capture.blobs import Blobs
from consumers.capture.encodings import MAX_VALUES, Json, gunzip, parse
from consumers.capture.inflate import Room, inflate_event
from consumers.capture.parts import MAX_LINES_BYTES
from consumers.capture.readable import readable

PAGE = 500
"""Parts looked up at once."""

_PARTS = """
    SELECT arrival, blob, blob_offset, blob_length
    FROM capture.part
    WHERE environment_id = %s AND session_id = %s AND arrival > %s
    ORDER BY arrival
    LIMIT %s
"""


def recording(
    conn: psycopg.Connection, blobs: Blobs, environment_id: int, session_id: str
) -> Iterator[tuple[str, dict[str, Json]]]:
    """(window id, rrweb event) in the order of arrival, unpacked, each batch once.

    Not in the order of time: see capture 3. Holds one part in memory (4 MB as a rule, MAX_LINES_BYTES at most).
    Empty for an unknown session. What is no event is left out. Raises MissingBlob when bytes are gone.
    """
    arrival = 0
    while page := conn.execute(_PARTS, (environment_id, session_id, arrival, PAGE)).fetchall():
        for arrival, blob, offset, length in page:  # noqa: B007 - the last one is where the next page starts
            yield from _events(blobs.get(blob, offset, length))


def _events(packed: bytes) -> Iterator[tuple[str, dict[str, Json]]]:
    room = Room()
    for line in gunzip(packed, MAX_LINES_BYTES).splitlines():
        match parse(line, 2 * MAX_VALUES):
            case [str(window), item]:
                found = readable(item, room)
                if found is not None:
                    yield window, inflate_event(found[1], room)
            case _:
                continue
