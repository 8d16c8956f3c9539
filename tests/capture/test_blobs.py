import os
import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest

from consumers.capture import blobs as module
from consumers.capture.blobs import FolderBlobs, MissingBlob
from consumers.capture.refusals import TooLarge


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def test_what_is_put_can_be_read_listed_and_deleted(root: Path) -> None:
    blobs = FolderBlobs(root)
    key = blobs.put(1, "s-1", b"0123456789")
    assert blobs.put(1, "s-1", b"0123456789") == key
    other = blobs.put(1, "s-1", b"other")
    assert (blobs.get(key), blobs.get(key, 2, 3)) == (b"0123456789", b"234")
    assert set(blobs.list(1, "s-1")) == {key, other}
    blobs.delete(key)
    blobs.delete(key)
    assert list(blobs.list(1, "s-1")) == [other]
    with pytest.raises(MissingBlob):
        blobs.get(key)
    blobs.delete(other)
    assert list(blobs.list(1, "s-1")) == []


def test_nothing_is_shared_between_environments_and_sessions(root: Path) -> None:
    blobs = FolderBlobs(root)
    assert len({blobs.put(1, "a", b"x"), blobs.put(2, "a", b"x"), blobs.put(1, "b", b"x")}) == 3


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "", "a\0b", "🙂"])
def test_session_ids_never_become_paths(root: Path, session_id: str) -> None:
    FolderBlobs(root).put(1, session_id, b"x")
    (file,) = [path for path in root.parent.rglob("*") if path.is_file()]
    assert file.relative_to(root).parts[0] == "1"
    assert len(file.relative_to(root).parts) == 3


@pytest.mark.parametrize("key", ["", "../x", "/etc/passwd", "1/aa/bb", f"1/{'a' * 64}/../{'b' * 64}", f"{'a' * 64}"])
def test_what_is_no_key_is_refused(root: Path, key: str) -> None:
    blobs = FolderBlobs(root)
    with pytest.raises(ValueError, match="not a blob key"):
        blobs.get(key)
    with pytest.raises(ValueError, match="not a blob key"):
        blobs.delete(key)


def test_only_the_owner_can_read(root: Path) -> None:
    previous = os.umask(0)
    try:
        FolderBlobs(root).put(1, "s-1", b"x")
    finally:
        os.umask(previous)
    for path in (root, *root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_failed_write_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FolderBlobs(root)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        blobs.put(1, "s-1", b"x")
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_too_large_a_blob_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOB_BYTES", 3)
    with pytest.raises(TooLarge):
        FolderBlobs(root).put(1, "s-1", b"four")


def test_many_writers_of_the_same_bytes(root: Path) -> None:
    """Copies of the consumer may write the same blob at once."""
    blobs, start, keys = FolderBlobs(root), Barrier(8), list[str]()

    def write() -> None:
        start.wait()
        keys.append(blobs.put(1, "s-1", b"x" * 100_000))

    threads = [Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert set(keys) == set(blobs.list(1, "s-1"))
    assert blobs.get(keys[0]) == b"x" * 100_000
