"""Batches of JSON lines into one order of time, in bounded memory (ADR 18).

A batch is opened when the time has come to its first event, and let go line by line as time passes its events, so what
is in memory is what overlaps in time: seconds of a recording as a rule. Where more overlaps than HELD_BYTES, what is
held goes, sorted, into a temporary file, from which it comes back a line at a time.
"""

import re
import struct
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from gzip import GzipFile
from heapq import heappop, heappush, heapreplace
from io import BufferedReader
from tempfile import TemporaryFile
from typing import NamedTuple

from consumers.capture.wire.encodings import MAX_VALUES, parse
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.readable import LAST_MOMENT_MS, readable

HELD_BYTES = 32 * 1024 * 1024
"""Lines in memory before they are put aside, LINE_BYTES for each included: eight batches of the usual size (4 MB)."""

LINE_BYTES = 250
"""What a line costs in memory beyond its own bytes."""

MAX_MOMENTS = 2_000_000
"""Times of which the middle is looked for: 16 MB, and 80 MB more for a moment."""

_RUN_BUFFER = 128 * 1024
"""Bytes read at once of what was put aside."""

_TIME_AT_THE_END = re.compile(rb'[{,]"timestamp":([1-9]\d{0,14})\}\]$')
"""Recorders write the time last: as the last key of the event with which the line ends. Inside a text the quotation
marks would be escaped."""

_TAIL = 40
_FRAME = struct.Struct("<qqqi")


class Batch(NamedTuple):
    """`first` is the time of its earliest event in milliseconds; `lines` JSON lines `[window, event]`."""

    first: int
    arrival: int
    lines: bytes


class _Line(NamedTuple):
    """Sorts by time, then in the order of arrival. No two have the same arrival and place."""

    at: int
    arrival: int
    place: int
    text: bytes


def in_time_order(batches: Iterable[Batch], held_bytes: int = HELD_BYTES) -> Iterator[bytes]:
    """The lines that are events, in order of (time, arrival, place in the batch).

    `batches` must come in order of (first, arrival). Holds `held_bytes` of lines and one batch; may write as much as
    overlaps, gzipped, to the folder for temporary files (TMPDIR). Raises OSError when that is full.
    """
    with ExitStack() as files:
        held = _Held(files)
        for batch in batches:
            yield from (line.text for line in held.before(batch.first))
            held.add(_lines(batch))
            if held.size > held_bytes:
                held.put_aside()
        yield from (line.text for line in held.before(None))


def moments_of(batches: Iterable[Batch]) -> Iterator[int]:
    """The times of all events, in any order."""
    for batch in batches:
        room = Room()
        for text in batch.lines.splitlines():
            if (at := _time(text, room)) is not None:
                yield at


def upper_median(moments: Iterable[int]) -> int | None:
    """The middle one (of an even number, the later of the two) of the first MAX_MOMENTS; None of none."""
    found = array("q")
    for moment in moments:
        if len(found) == MAX_MOMENTS:
            break
        found.append(moment)
    return sorted(found)[len(found) // 2] if found else None


class _Held:
    """Lines that are still to be given out: in memory, and in sorted runs that were put aside."""

    def __init__(self, files: ExitStack) -> None:
        self.size = 0
        self._files = files
        self._lines: list[_Line] = []
        self._runs: list[tuple[_Line, Iterator[_Line]]] = []

    def add(self, lines: list[_Line]) -> None:
        for line in lines:
            heappush(self._lines, line)
            self.size += len(line.text) + LINE_BYTES

    def before(self, moment: int | None) -> Iterator[_Line]:
        """Gives out, in order, what is earlier than `moment`; everything for None."""
        while self._lines or self._runs:
            aside = bool(self._runs) and (not self._lines or self._runs[0][0] < self._lines[0])
            line = self._runs[0][0] if aside else self._lines[0]
            if moment is not None and line.at >= moment:
                return
            if aside:
                self._step()
            else:
                heappop(self._lines)
                self.size -= len(line.text) + LINE_BYTES
            yield line

    def put_aside(self) -> None:
        """Everything in memory becomes a run in a file of its own, which is gone when the caller is done."""
        file = self._files.enter_context(TemporaryFile(buffering=_RUN_BUFFER))  # noqa: SIM115 - closed by the stack
        with GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as packed:
            for line in sorted(self._lines):
                packed.write(_FRAME.pack(line.at, line.arrival, line.place, len(line.text)) + line.text)
        self._lines, self.size = [], 0
        file.seek(0)
        run = _read(BufferedReader(self._files.enter_context(GzipFile(fileobj=file, mode="rb"))))
        heappush(self._runs, (next(run), run))

    def _step(self) -> None:
        _, run = self._runs[0]
        following = next(run, None)
        if following is None:
            heappop(self._runs)
        else:
            heapreplace(self._runs, (following, run))


def _read(file: BufferedReader) -> Iterator[_Line]:
    while frame := file.read(_FRAME.size):
        at, arrival, place, length = _FRAME.unpack(frame)
        yield _Line(at, arrival, place, file.read(length))


def _lines(batch: Batch) -> list[_Line]:
    room = Room()
    return [
        _Line(at, batch.arrival, place, text)
        for place, text in enumerate(batch.lines.splitlines())
        if (at := _time(text, room)) is not None
    ]


def _time(text: bytes, room: Room) -> int | None:
    """Of an event; None for what is none. `room` is for unpacking all of a batch."""
    if (found := _TIME_AT_THE_END.search(text, max(0, len(text) - _TAIL))) is not None:
        at = int(found[1])
        return at if at <= LAST_MOMENT_MS else None
    match parse(text, 2 * MAX_VALUES):
        case [str(), item]:
            event = readable(item, room)
            return None if event is None else event[0]
        case _:
            return None
