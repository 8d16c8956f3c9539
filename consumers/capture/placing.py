"""Where the bytes of new batches go: one blob a session, some of them written at the same time.

Writing a small blob is waiting: for the disk to have it safely, or for a store to answer. File systems make many such
waits one, so several threads write several blobs in the time of one. They pack the lines too, outside the interpreter's
lock, and the database works meanwhile.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import Self

from consumers.capture.blobs import Blobs
from consumers.capture.packing import pack
from consumers.capture.parts import Part
from consumers.capture.sessions import Placed

BLOB_TARGET_BYTES = 32 * 1024 * 1024
"""New batches of one session share a blob up to this many packed bytes."""

AT_ONCE = 8
"""Sessions whose blobs are written at the same time by one consumer."""

SMALL_BYTES = 1024 * 1024
"""Sessions with more lines are written one after the other: there the time goes into bytes, and each is copied."""


class Writing:
    """Blobs under way. Leave it, as a context, only when none is any more: whatever else went wrong meanwhile."""

    def __init__(self, under_way: Sequence[Future[list[Placed]]]) -> None:
        self._under_way = under_way

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._under_way)

    def placed(self) -> Iterator[Placed]:
        """Where every part lies, in order, once all would survive a power failure.

        Raises OSError when the store is away or full.
        """
        for each in self._under_way:
            yield from each.result()


class Placing:
    """Safe to share between threads. Its own threads are started when they are needed."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blobs")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large blobs")

    def begin(self, parts: Sequence[Part]) -> Writing:
        """Begins to pack and to store the lines of parts, those of a session beside each other."""
        members = [list(each) for _, each in groupby(parts, key=lambda part: part.session)]
        return Writing([self._threads_for(each).submit(self._put, each) for each in members])

    def _threads_for(self, parts: Sequence[Part]) -> ThreadPoolExecutor:
        return self._threads if sum(len(part.lines) for part in parts) <= SMALL_BYTES else self._large

    def _put(self, parts: Sequence[Part]) -> list[Placed]:
        """Of one session, in order: so nobody makes its folder at the same time."""
        placed: list[Placed] = []
        waiting: list[bytes] = []
        size = 0
        for part in parts:
            packed = pack(part.lines)
            if waiting and size + len(packed) > BLOB_TARGET_BYTES:
                self._write(parts[len(placed) :], waiting, placed)
                waiting, size = [], 0
            waiting.append(packed)
            size += len(packed)
        self._write(parts[len(placed) :], waiting, placed)
        return placed

    def _write(self, parts: Sequence[Part], packed: Sequence[bytes], placed: list[Placed]) -> None:
        """The first of the parts, one blob of them all, and notes where each lies."""
        key = self._blobs.put(*parts[0].session, b"".join(packed))
        offset = 0
        for part, each in zip(parts, packed, strict=False):
            placed.append(Placed(part, key, offset, len(each)))
            offset += len(each)
