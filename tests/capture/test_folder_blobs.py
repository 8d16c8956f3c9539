"""What only a folder of recordings has: paths, permissions, and writes that break off."""

import os
import stat
from pathlib import Path

import pytest

from consumers.capture import blobs as module
from consumers.capture.blobs import FolderBlobs


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
