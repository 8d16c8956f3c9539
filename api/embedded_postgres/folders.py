"""Making folders that nobody else can change, without touching the permissions of any folder that exists."""

import os
import stat
from pathlib import Path

from api.embedded_postgres.errors import UnsafeFolder

PRIVATE = 0o700
TRAVERSABLE = 0o755


def make_folder(path: Path, mode: int) -> bool:
    """Makes one folder with exactly `mode`, whatever the umask. False, and nothing done, when it exists."""
    try:
        path.mkdir(mode=PRIVATE)
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


def require_own(path: Path, uid: int, mode: int) -> None:
    """Raises UnsafeFolder unless `path` is a real folder of `uid` that grants nobody more than `mode`."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolder(f"{path} is not a folder. Move it away and start again.")
    if found.st_uid != uid:
        raise UnsafeFolder(f"{path} belongs to user id {found.st_uid} and not to {uid}. Move it away and start again.")
    granted = stat.S_IMODE(found.st_mode)
    if granted & ~mode & 0o777:
        raise UnsafeFolder(
            f"{path} has mode {granted:04o}, which lets others in; at most {mode:04o} is safe. "
            f"Run: chmod {mode:04o} {path}"
        )


def make_own(path: Path, mode: int = PRIVATE) -> Path:
    """A folder of the running user with at most `mode`: made, or found and checked. Raises UnsafeFolder."""
    if not make_folder(path, mode):
        require_own(path, os.geteuid(), mode)
    return path


def write_whole(path: Path, text: str, mode: int) -> None:
    """Replaces a file by a complete new one, so that no reader ever sees half of it."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    new.replace(path)
