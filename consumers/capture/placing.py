"""Where the bytes of new batches go: one blob a session, some of them written at the same time.

Writing a small blob is waiting: for the disk to have it safely, or for a store to answer. File systems make many such
waits one, so several threads write several blobs in the time of one. The database works meanwhile.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import Self

from consumers.capture.blobs import Blobs
from consumers.capture.parts import Part
from consumers.capture.sessions import Placed

BLOB_TARGET_BYTES = 32 * 1024 * 1024
"""New batches of one session share a blob up to this many packed bytes."""

AT_ONCE = 8
"""Sessions whose blobs are written at the same time by one consumer."""

SMALL_BYTES = 1024 * 1024
"""Sessions with more are written one after the other: there the time goes into bytes, and each is a copy in memory."""


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
        """Begins to store the packed bytes of parts, those of a session beside each other."""
        members = [list(each) for _, each in groupby(parts, key=lambda part: part.session)]
        return Writing([self._threads_for(each).submit(self._put, each) for each in members])

    def _threads_for(self, parts: Sequence[Part]) -> ThreadPoolExecutor:
        return self._threads if sum(len(part.packed) for part in parts) <= SMALL_BYTES else self._large

    def _put(self, parts: Sequence[Part]) -> list[Placed]:
        """Of one session, in order: so nobody makes its folder at the same time."""
        placed: list[Placed] = []
        for group in _by_size(parts):
            key = self._blobs.put(*group[0].session, b"".join(part.packed for part in group))
            offset = 0
            for part in group:
                placed.append(Placed(part, key, offset))
                offset += len(part.packed)
        return placed


def _by_size(parts: Sequence[Part]) -> list[list[Part]]:
    groups: list[list[Part]] = [[]]
    room = BLOB_TARGET_BYTES
    for part in parts:
        if groups[-1] and len(part.packed) > room:
            groups.append([])
            room = BLOB_TARGET_BYTES
        groups[-1].append(part)
        room -= len(part.packed)
    return groups
