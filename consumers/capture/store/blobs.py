"""Where recordings lie: content-addressed, private, durable before anything refers to them.

A key is `environment / SHA-256 of the session id / SHA-256 of the content` (architecture 10): ids from outside never
become paths, and nothing is shared between environments.
"""

import heapq
import os
import re
import secrets
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from consumers.capture.wire.refusals import TooLarge

MAX_BLOB_BYTES = 256 * 1024 * 1024
"""One blob. Capture writes the new batches of one session together: at most 200 records of 8 MB packed."""

_KEY = re.compile(r"\d{1,10}/[0-9a-f]{64}/[0-9a-f]{64}")


REFRESHED_AFTER = timedelta(hours=12)
"""Age from which a blob that is put again counts as new, so that nobody takes it for left over."""

AHEAD = 50_000
"""Names of session folders that one listing notes, for the pages that follow: some megabytes."""

Listed = list[tuple[str, datetime]]


class MissingBlob(LookupError):
    """No such blob: deleted, or never written here."""


class Blobs(Protocol):
    """Safe to share between threads and processes."""

    def put(self, environment_id: int, session_id: str, data: bytes) -> str:
        """Stores the bytes and returns their key, once they would survive a power failure.

        The same bytes again have the same key. Raises TooLarge over MAX_BLOB_BYTES, OSError when the store is away or
        full.
        """
        ...

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """A stretch of the blob, by default all of it. Raises MissingBlob, or ValueError for what is no key."""
        ...

    def delete(self, key: str) -> None:
        """Deleting what is not there is no error. Raises ValueError for what is no key."""
        ...

    def list(self, environment_id: int, session_id: str) -> Iterator[str]:
        """The keys of a session, in no order."""
        ...

    def page(self, environment_id: int, after: str, limit: int) -> Sequence[tuple[str, datetime]]:
        """An environment's keys above `after` in their order, at most `limit`, each with when it was last put.

        To within REFRESHED_AFTER: who puts the same bytes again sooner does not change the time. Raises OSError when
        the store is away.
        """
        ...


def key_of(environment_id: int, session_id: str, data: bytes) -> str:
    """Raises TooLarge over MAX_BLOB_BYTES."""
    if len(data) > MAX_BLOB_BYTES:
        raise TooLarge(f"A blob may have {MAX_BLOB_BYTES} bytes.")
    return f"{folder_of(environment_id, session_id)}/{sha256(data).hexdigest()}"


def folder_of(environment_id: int, session_id: str) -> str:
    """What the keys of a session have in common, without the slash that follows."""
    return f"{environment_id:d}/{sha256(session_id.encode()).hexdigest()}"


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def checked(key: str) -> str:
    """The key. Raises ValueError for what is no key."""
    if not is_key(key):
        raise ValueError("not a blob key")
    return key


@dataclass(frozen=True, slots=True)
class _Folders:
    """The first session folders of an environment from `start` on, in order; `last`: there were no more."""

    environment_id: int
    start: str
    names: Sequence[str]
    last: bool

    def has(self, environment_id: int, start: str) -> bool:
        """Whether it tells which folder is the next one from `start` on."""
        within = self.last or bool(self.names and start <= self.names[-1])
        return environment_id == self.environment_id and self.start <= start and within


class FolderBlobs:
    """Blobs in a local folder: folders 0700, files 0600; renamed into place, so a reader sees all or nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ahead = _Folders(0, "", (), last=False)
        self._safe = set[str]()
        """Environments whose folders have a name that this process has flushed."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, environment_id: int, session_id: str, data: bytes) -> str:
        key = key_of(environment_id, session_id, data)
        path = self._root / key
        if not path.exists():
            self._write(path, data)
        elif _changed(path) < datetime.now(UTC) - REFRESHED_AFTER:
            path.touch()
        # Also when it is there already: whoever wrote it may have died between the rename and this.
        _flush_folder(path.parent)
        return key

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        try:
            with self._path(key).open("rb") as file:
                file.seek(offset)
                return file.read(length if length is not None else -1)
        except FileNotFoundError as error:
            raise MissingBlob(key) from error

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            return  # other blobs of the session are still there

    def list(self, environment_id: int, session_id: str) -> Iterator[str]:
        folder = folder_of(environment_id, session_id)
        path = self._root / folder
        names = [entry.name for entry in os.scandir(path)] if path.is_dir() else []
        return (key for name in names if is_key(key := f"{folder}/{name}"))

    def page(self, environment_id: int, after: str, limit: int) -> Sequence[tuple[str, datetime]]:
        """Also drops what a crash has left half written.

        A listing is used for the pages that follow, or a search would list all sessions for each page: a session that
        is new since may be missing until `after` is empty again.
        """
        found: Listed = []
        for folder in self._folders(environment_id, after):
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                key = f"{environment_id:d}/{folder.name}/{path.name}"
                try:
                    changed = _changed(path)
                    if is_key(key) and key > after:
                        found.append((key, changed))
                    elif not is_key(key) and changed < datetime.now(UTC) - REFRESHED_AFTER:
                        path.unlink()
                except FileNotFoundError:
                    continue  # deleted meanwhile
                if len(found) == limit:
                    return found
        return found

    def _folders(self, environment_id: int, after: str) -> Iterator[Path]:
        """The session folders that may have keys above `after`, in order."""
        start = after.split("/")[1] if after else ""
        ahead = self._ahead
        if not after or not ahead.has(environment_id, start):
            ahead = self._list_ahead(environment_id, start)
        while True:
            for place in range(bisect_left(ahead.names, start), len(ahead.names)):
                yield self._root / f"{environment_id:d}" / ahead.names[place]
            if ahead.last:
                return
            start = f"{ahead.names[-1]}\0"  # the first name above it
            ahead = self._list_ahead(environment_id, start)

    def _list_ahead(self, environment_id: int, start: str) -> _Folders:
        place = self._root / f"{environment_id:d}"
        with os.scandir(place) if place.is_dir() else nullcontext(()) as entries:
            names = heapq.nsmallest(AHEAD, (entry.name for entry in entries if entry.name >= start))
        self._ahead = listed = _Folders(environment_id, start, names, last=len(names) < AHEAD)
        return listed

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        except FileNotFoundError:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)

    def _flush_name(self, folder: Path) -> None:
        _flush_folder(folder.parent)
        if folder.parent.name not in self._safe:
            _flush_folder(self._root)
            self._safe.add(folder.parent.name)

    def _write(self, path: Path, data: bytes) -> None:
        """The folder's own name is safe before there is a blob in it: where there is one, it is safe already.

        It is flushed after the file, for then most file systems have written it together with the file.
        """
        folder = path.parent
        self._make_folder(folder)
        with os.scandir(folder) as entries:
            is_first = all(entry.name.startswith(".") for entry in entries)
        beside = folder / f".{secrets.token_hex(8)}"
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if is_first:
                self._flush_name(folder)
            beside.rename(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
