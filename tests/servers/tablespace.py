"""A folder in memory for the databases of tests, where the machine has one to spare.

A test's database is 600 files that live for a second. ext4 does not use the inode of a file again within minutes of
its deletion, and looks at every such inode before it makes a file: copying a template took 0.2 s of a processor after
some hundred tests, and takes 0.015 s in memory.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from api.embedded_postgres.account import current_account, server_account
from api.embedded_postgres.folders import PRIVATE, TRAVERSABLE, make_folder, make_own

MEMORY = Path("/dev/shm")
FREE_BYTES = 3 * 2**30
"""Less than this is left to others: a container often has 64 MiB there. A run of 8 workers uses some hundred MiB."""


def folder_in_memory(session: Path) -> Path | None:
    """The session's folder for a tablespace, made by whoever comes first; None on a machine that has no room."""
    folder = _place(session)
    if folder.exists():
        return folder
    try:
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except FileNotFoundError:
        return None
    if free < FREE_BYTES:
        return None
    account = server_account() if os.geteuid() == 0 else current_account()
    make_own(folder.parent, TRAVERSABLE)
    make_folder(folder, PRIVATE)
    account.own(folder)
    return folder


def remove_from_memory(session: Path) -> None:
    """Once the session's server has ended."""
    shutil.rmtree(_place(session), ignore_errors=True)


def _place(session: Path) -> Path:
    return MEMORY / session.parent.name / session.name
