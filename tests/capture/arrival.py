"""What is stored of a recording, read plainly: all of it, in the order of arrival."""

from collections.abc import Iterator

import psycopg

from consumers.capture.digest.parts import MAX_LINES_BYTES
from consumers.capture.store.blobs import Blobs
from consumers.capture.store.packing import unpack
from consumers.capture.wire.encodings import MAX_VALUES, Json, parse
from consumers.capture.wire.inflate import Room, inflate_event
from consumers.capture.wire.readable import readable

_PARTS = """
    SELECT blob, blob_offset, blob_length FROM capture.part WHERE environment_id = %s AND session_id = %s
    ORDER BY arrival
"""


def recording(
    conn: psycopg.Connection, blobs: Blobs, environment_id: int, session_id: str
) -> Iterator[tuple[str, dict[str, Json]]]:
    """(window id, rrweb event), unpacked, each batch once; none for an unknown session. What is no event is left out.

    Raises MissingBlob when bytes are gone.
    """
    for blob, offset, length in conn.execute(_PARTS, (environment_id, session_id)).fetchall():
        room = Room()
        for line in unpack(blobs.get(blob, offset, length), MAX_LINES_BYTES).splitlines():
            match parse(line, 2 * MAX_VALUES):
                case [str(window), item]:
                    found = readable(item, room)
                    if found is not None:
                        yield window, inflate_event(found[1], room)
                case _:
                    pass
