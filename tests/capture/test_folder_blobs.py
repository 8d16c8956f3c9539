"""What only a folder of recordings has: paths, permissions, and writes that break off."""

import os
import stat
from pathlib import Path

import pytest

from consumers.capture.store import blobs as module
from consumers.capture.store.blobs import FolderBlobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "", "a\0b", "🙂"])
def test_session_ids_never_become_paths(root: Path, session_id: str) -> None:
    FolderBlobs(root).put(1, session_id, b"x")
    (file,) = [path for path in root.parent.rglob("*") if path.is_file()]
    assert file.relative_to(root).parts[0] == "1"
    assert len(file.relative_to(root).parts) == 3


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


@pytest.mark.parametrize("ahead", [1, 4, 5, 100])
def test_pages_are_in_order_and_whole_however_much_one_listing_notes(
    root: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr(module, "AHEAD", ahead)
    blobs = FolderBlobs(root)
    keys = sorted(blobs.put(1, f"s-{number % 5}", b"%d" % number) for number in range(12))
    blobs.put(2, "s-1", b"another's")
    found, after = list[str](), ""
    while page := blobs.page(1, after, 2):
        found += [key for key, _ in page]
        after = found[-1]
        assert len(blobs.page(2, "", 10)) == 1, "another search meanwhile"
    assert found == keys
    assert [key for key, _ in blobs.page(1, keys[6], 100)] == keys[7:]
    assert blobs.page(3, "", 10) == blobs.page(3, f"3/{'0' * 64}/{'0' * 64}", 10) == []


def test_a_search_lists_the_sessions_of_an_environment_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FolderBlobs(root)
    keys = sorted(blobs.put(1, f"s-{number}", b"x") for number in range(30))
    listed: list[Path] = []
    for name in ("listdir", "scandir"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, original=original: (listed.append(Path(path)), original(path))[1])
    found, after = list[str](), ""
    while page := blobs.page(1, after, 3):
        found += [key for key, _ in page]
        after = found[-1]
    assert found == keys
    assert listed.count(root / "1") == 1
    later = blobs.put(1, "new", b"x")
    assert later in [key for key, _ in blobs.page(1, "", 100)]
