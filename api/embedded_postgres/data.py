"""The data directory: made whole or not at all, refused when it is not ours to read."""

import shutil

from api.embedded_postgres.binaries import Binaries
from api.embedded_postgres.errors import OtherMajorVersion, StartFailed
from api.embedded_postgres.folders import PRIVATE, make_folder
from api.embedded_postgres.place import Place

FIRST_WITH_BUILTIN_LOCALES = 17


def refuse_other_major_version(place: Place, programs: Binaries) -> None:
    """Raises OtherMajorVersion when the data was written by another major version, which cannot be read."""
    try:
        found = (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if found != str(programs.major_version):
        raise OtherMajorVersion(
            f"{place.data} was written by PostgreSQL {found}; this release of Replay Vision brings "
            f"{programs.major_version} and cannot read it. Nothing was changed. Either run the release that wrote it, "
            f"dump with its pg_dump, and load the dump into a new home; or run PostgreSQL {found} yourself and set "
            "REPLAY_VISION_DATABASE_URL; or begin with an empty database by choosing another folder with --home."
        )


def initialise(place: Place, programs: Binaries, role: str, *, crash_safe: bool) -> None:
    """Makes the data directory when there is none. One whose making was interrupted is made again.

    Text sorts by code point on every machine (builtin locale C.UTF-8): answers do not depend on the system's library.
    """
    if (place.data / "PG_VERSION").exists():
        return
    if place.data.exists():
        raise StartFailed(f"{place.data} exists but holds no database. Move it away and start again.")
    shutil.rmtree(place.unfinished_data, ignore_errors=True)
    make_folder(place.unfinished_data, PRIVATE)
    place.account.own(place.unfinished_data)
    arguments = [
        f"--username={role}",
        "--auth=reject",
        "--encoding=UTF8",
        "--no-locale",
        "--no-instructions",
    ]
    if programs.major_version >= FIRST_WITH_BUILTIN_LOCALES:
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not crash_safe:
        arguments.append("--no-sync")
    made = programs.run(place.account, place.unfinished_data, "initdb", *arguments)
    if made.returncode != 0:
        raise StartFailed(f"initdb failed in {place.unfinished_data}:\n{made.stdout}{made.stderr}")
    place.unfinished_data.rename(place.data)


def discard(place: Place) -> None:
    """Removes everything of a stopped database."""
    for folder in (place.data, place.unfinished_data, place.log, place.socket):
        if folder.exists():
            shutil.rmtree(folder)
    if place.account.drops_privileges and place.base.exists():
        shutil.rmtree(place.base)
