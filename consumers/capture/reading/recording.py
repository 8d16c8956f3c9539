"""Reading a recording back, in the order of time."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from consumers.capture.digest.parts import MAX_LINES_BYTES
from consumers.capture.reading.time_order import Batch, in_time_order, moments_of, upper_median
from consumers.capture.store.blobs import Blobs
from consumers.capture.store.packing import unpack
from consumers.capture.wire.encodings import MAX_VALUES, Json, parse
from consumers.capture.wire.inflate import MOST_RATIO, Room, inflate_event
from consumers.capture.wire.readable import readable

PAGE = 500
"""Parts looked up at once."""

DAY_MS = 24 * 60 * 60 * 1000
"""A session lasts at most 24 h (capture 5)."""

_PARTS_IN_TIME = """
    SELECT first_timestamp, arrival, blob, blob_offset, blob_length
    FROM capture.part
    WHERE environment_id = %s AND session_id = %s AND (first_timestamp, arrival) > (%s, %s)
    ORDER BY first_timestamp, arrival
    LIMIT %s
"""

_WINDOWS = """
    SELECT window_id, min(first_timestamp), max(last_timestamp)
    FROM capture.part
    WHERE environment_id = %s AND session_id = %s
    GROUP BY window_id
    ORDER BY min(arrival)
"""

Event = tuple[str, dict[str, Json]]
"""Window id and rrweb event, unpacked."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in order of time, events of the same time in order of arrival. `events` can be read once.

    `windows` are in the order of arrival. `middle` is the time of the middle event (of an even number, the later one)
    where the events are more than DAY_MS apart, so that broken clocks can be told; elsewhere there are none: None.
    """

    windows: tuple[str, ...]
    middle: int | None
    events: Iterator[tuple[str, Any]]


def recording_in_time(
    conn: psycopg.Connection[TupleRow], blobs: Blobs, environment_id: int, session_id: str
) -> Recording:
    """(window id, rrweb event) in the order of time, unpacked, each batch once; none for an unknown session.

    What is no event is left out. In bounded memory (time_order), so read `events` before `conn` is given back.
    Raises MissingBlob, here or while the events are read.
    """
    rows = conn.execute(_WINDOWS, (environment_id, session_id)).fetchall()
    apart = max((last for _, _, last in rows), default=0) - min((first for _, first, _ in rows), default=0)
    middle = None
    if apart > DAY_MS:
        with closing(_batches(conn, blobs, environment_id, session_id, Room())) as batches:
            middle = upper_median(moments_of(batches))
    events = _in_time(conn, blobs, environment_id, session_id)
    return Recording(tuple(window for window, _, _ in rows), middle, events)


def _in_time(conn: psycopg.Connection[TupleRow], blobs: Blobs, environment_id: int, session_id: str) -> Iterator[Event]:
    room = Room()
    with closing(_batches(conn, blobs, environment_id, session_id, room)) as batches:
        for line in in_time_order(batches):
            if (found := _event(line, room)) is not None:
                yield found


def _batches(
    conn: psycopg.Connection[TupleRow], blobs: Blobs, environment_id: int, session_id: str, room: Room
) -> Generator[Batch]:
    """In the order that `in_time_order` asks for.

    `room` is for unpacking what is packed inside all of them, and grows with each by what its bytes allow: a session
    of many batches with a bomb in each is read as fast as another of its size.
    """
    after = (0, 0)
    while page := conn.execute(_PARTS_IN_TIME, (environment_id, session_id, *after, PAGE)).fetchall():
        for first, arrival, blob, offset, length in page:
            room.grow(MOST_RATIO * length)
            yield Batch(first, arrival, unpack(blobs.get(blob, offset, length), MAX_LINES_BYTES))
            after = (first, arrival)


def _event(line: bytes, room: Room) -> Event | None:
    match parse(line, 2 * MAX_VALUES):
        case [str(window), item]:
            found = readable(item, room)
            return None if found is None else (window, inflate_event(found[1], room))
        case _:
            return None
