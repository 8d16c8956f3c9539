"""What holds for recordings wherever they lie: in a folder or in an S3-compatible store."""

from pathlib import Path
from threading import Barrier, Thread

import pytest

from consumers.capture.store import blobs as module
from consumers.capture.store.blobs import Blobs, FolderBlobs, MissingBlob
from consumers.capture.wire.refusals import TooLarge
from tests.capture.buckets import Bucket

DIGEST = "a" * 64


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.s3)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return Bucket.made(request.getfixturevalue("s3_server")).blobs()


def test_what_is_put_can_be_read_listed_and_deleted(blobs: Blobs) -> None:
    key = blobs.put(1, "s-1", b"0123456789")
    assert blobs.put(1, "s-1", b"0123456789") == key
    other = blobs.put(1, "s-1", b"other")
    assert blobs.get(key) == b"0123456789"
    assert set(blobs.list(1, "s-1")) == {key, other}
    blobs.delete(key)
    blobs.delete(key)
    assert list(blobs.list(1, "s-1")) == [other]
    with pytest.raises(MissingBlob):
        blobs.get(key)
    blobs.delete(other)
    assert list(blobs.list(1, "s-1")) == []


@pytest.mark.parametrize(
    ("offset", "length", "found"),
    [
        (0, None, b"0123456789"),
        (2, 3, b"234"),
        (0, 10, b"0123456789"),
        (9, 1, b"9"),
        (7, None, b"789"),
        (8, 50, b"89"),
        (0, 0, b""),
        (3, 0, b""),
        (10, 0, b""),
        (10, None, b""),
        (10, 1, b""),
        (99, None, b""),
        (99, 5, b""),
    ],
)
def test_any_stretch_of_a_blob_can_be_read(blobs: Blobs, offset: int, length: int | None, found: bytes) -> None:
    assert blobs.get(blobs.put(1, "s-1", b"0123456789"), offset, length) == found


@pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 0), (0, 5), (3, None)])
def test_a_blob_may_be_empty(blobs: Blobs, offset: int, length: int | None) -> None:
    assert blobs.get(blobs.put(1, "s-1", b""), offset, length) == b""


@pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 0), (2, 3), (3, None)])
def test_no_stretch_of_a_missing_blob_can_be_read(blobs: Blobs, offset: int, length: int | None) -> None:
    key = blobs.put(1, "s-1", b"0123456789")
    with pytest.raises(MissingBlob):
        blobs.get(f"{key[:-64]}{DIGEST}", offset, length)


def test_nothing_is_shared_between_environments_and_sessions(blobs: Blobs) -> None:
    keys = [blobs.put(1, "a", b"x"), blobs.put(2, "a", b"x"), blobs.put(1, "b", b"x"), blobs.put(11, "a", b"x")]
    assert len(set(keys)) == 4
    assert [list(blobs.list(*place)) for place in ((1, "a"), (2, "a"), (1, "b"), (11, "a"))] == [[key] for key in keys]
    blobs.delete(keys[0])
    assert [blobs.get(key) for key in keys[1:]] == [b"x"] * 3


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "", "a\0b", "🙂"])
def test_any_text_may_be_a_session_id(blobs: Blobs, session_id: str) -> None:
    key = blobs.put(1, session_id, b"x")
    assert list(blobs.list(1, session_id)) == [key]
    assert blobs.get(key) == b"x"


@pytest.mark.parametrize(
    "key",
    ["", "../x", "/etc/passwd", "1/aa/bb", f"1/{DIGEST}/../{DIGEST}", DIGEST, f"../1/{DIGEST}/{DIGEST}", f"1/{DIGEST}"],
)
def test_what_is_no_key_is_refused(blobs: Blobs, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        blobs.get(key)
    with pytest.raises(ValueError, match="not a blob key"):
        blobs.delete(key)


def test_too_large_a_blob_is_refused(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOB_BYTES", 3)
    with pytest.raises(TooLarge):
        blobs.put(1, "s-1", b"four")
    assert list(blobs.list(1, "s-1")) == []


def test_many_writers_of_the_same_bytes(blobs: Blobs) -> None:
    """Copies of the consumer may write the same blob at once."""
    start, keys = Barrier(8), list[str]()

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
