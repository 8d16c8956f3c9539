"""Where the bytes of new batches go: one blob a session, some of them written at the same time.

Writing a small blob is waiting: for the disk to have it safely, or for a store to answer. File systems make many such
waits one, so several threads write several blobs in the time of one. They pack the lines too, outside the interpreter's
lock, and the database works meanwhile.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from itertools import groupby
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from consumers.capture.digest.parts import Part
from consumers.capture.digest.sessions import Placed, Session
from consumers.capture.store.blobs import Blobs
from consumers.capture.store.packing import pack

BLOB_TARGET_BYTES = 32 * 1024 * 1024
"""New batches of one session share a blob up to this many packed bytes."""

AT_ONCE = 8
"""Sessions whose blobs are written at the same time by one consumer."""

SMALL_BYTES = 1024 * 1024
"""Sessions with more lines are written one after the other: there the time goes into bytes, and each is copied."""


class Writing:
    """Blobs under way. Leave it, as a context, only when none is any more: whatever else went wrong meanwhile."""

    def __init__(self, under_way: Mapping[Session, Future[list[Placed]]]) -> None:
        self._under_way = under_way

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._under_way.values())

    def placed(self, wanted: Collection[Session]) -> Iterator[Placed]:
        """Where every part of some sessions lies, in order, once all would survive a power failure.

        Raises OSError when the store is away or full.
        """
        for session, placed in self._under_way.items():
            if session in wanted:
                yield from placed.result()


class Placing:
    """Safe to share between threads. Its own threads are started when they are needed."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._small = _Threads(AT_ONCE)
        self._large = _Threads(1)

    def begin(self, parts: Sequence[Part]) -> Writing:
        """Begins to pack and to store the lines of parts, those of a session beside each other."""
        under_way: dict[Session, Future[list[Placed]]] = {}
        for session, members in groupby(parts, key=lambda part: part.session):
            each = list(members)
            is_small = sum(len(part.lines) for part in each) <= SMALL_BYTES
            under_way[session] = (self._small if is_small else self._large).submit(partial(self._put, each))
        return Writing(under_way)

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


class _Threads:
    """Up to so many threads that end with the process, whatever they wait for: what they write was not acknowledged.

    Those of the standard library's pool are waited for, and a store that does not answer would hold up the end.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._starting = Lock()
        self._waiting: SimpleQueue[tuple[Future[list[Placed]], Callable[[], list[Placed]]]] = SimpleQueue()

    def submit(self, work: Callable[[], list[Placed]]) -> Future[list[Placed]]:
        future: Future[list[Placed]] = Future()
        self._waiting.put((future, work))
        with self._starting:
            if self._started < self._most:
                self._started += 1
                Thread(target=self._run, name="blobs", daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            future, work = self._waiting.get()
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result raises it
                future.set_exception(error)
            del future, work
