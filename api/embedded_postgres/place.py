"""Where the database of one home folder lives, for root and for an ordinary user."""

import fcntl
import hashlib
import os
import pwd
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.embedded_postgres.account import Account, current_account, server_account
from api.embedded_postgres.binaries import Binaries, copied_below
from api.embedded_postgres.errors import HomeBelongsToAnother, UnsafeFolder
from api.embedded_postgres.folders import PRIVATE, TRAVERSABLE, make_folder, make_own, require_own, write_whole

STATE_FOLDER = Path("/var/lib/replay-vision")
"""As root, everything of PostgreSQL is below this folder."""
PORT = 5432
"""Only part of the socket's file name: PostgreSQL listens on no network address."""
SOCKET_PATH_BYTES = 103
"""The shortest limit of the systems we run on for the path of a socket (macOS; Linux has 107)."""
SHORT_FOLDER = Path("/tmp")  # noqa: S108  a private folder of ours is made in it, and checked when it exists
DATABASE_FOLDER = "postgres"
IDENTITY = "identity"


@dataclass(frozen=True)
class Place:
    """All paths of one home's database. Below `base`, only `data`, `log` and `socket` are PostgreSQL's to write."""

    home: Path
    base: Path
    socket: Path
    account: Account

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "data"

    @property
    def unfinished_data(self) -> Path:
        """Where initdb works; renamed to `data` when it has succeeded."""
        return self.base / "data.new"

    @property
    def log(self) -> Path:
        """Folder of log files."""
        return self.base / "log"

    @property
    def hba(self) -> Path:
        """Who may connect, and how they prove who they are."""
        return self.base / "pg_hba.conf"

    @property
    def ident(self) -> Path:
        """Which operating system users are the database role."""
        return self.base / "pg_ident.conf"


def database_folder(home: Path) -> Path:
    """The folder below the home that is ours: lock, and data (ordinary user) or identity (root)."""
    return home / DATABASE_FOLDER


def find(home: Path, state: Path = STATE_FOLDER) -> Place | None:
    """The place of a home that has been set up, without changing anything; None when it has not been.

    Raises HomeBelongsToAnother when another operating system user has set it up.
    """
    ours = database_folder(home)
    try:
        owner = os.lstat(ours).st_uid
    except FileNotFoundError:
        return None
    if owner != os.geteuid():
        raise HomeBelongsToAnother(
            f"The database of {home} was set up by {_name(owner)}, and you are {_name(os.geteuid())}. "
            "Run as that user, or choose another folder with --home."
        )
    if owner != 0:
        return _beside(home) if (ours / "data").exists() else None
    identity = ours / IDENTITY
    return _below_state(home, identity.read_text(encoding="ascii").strip(), state) if identity.exists() else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with id {uid}"


def prepare(home: Path, binaries: Binaries, state: Path = STATE_FOLDER) -> tuple[Place, Binaries]:
    """Makes whatever is missing of a home's place, and returns it with the programs to run there.

    The caller holds the home's lock. Existing folders keep their permissions; one that others could change raises
    UnsafeFolder.
    """
    place = find(home, state)
    if os.geteuid() != 0:
        place = place or _beside(home)
        make_own(place.base)
    else:
        with _state_lock(state):
            binaries = copied_below(state / "binaries", binaries)
            place = place or _new_below_state(home, state)
            _make_base(place)
    for folder in (place.log, place.socket):
        if make_folder(folder, PRIVATE):
            place.account.own(folder)
        require_own(folder, place.account.uid, PRIVATE)
    return place, binaries


def programs_of(place: Place, binaries: Binaries, state: Path = STATE_FOLDER) -> Binaries:
    """The programs to use in a place that has been prepared."""
    if not place.account.drops_privileges:
        return binaries
    with _state_lock(state):
        return copied_below(state / "binaries", binaries)


def forsaken(state: Path = STATE_FOLDER) -> list[Path]:
    """As root: folders of databases whose home exists no more, the latest first. They stay until they are removed."""
    homes = state / "homes"
    if os.geteuid() != 0 or not homes.is_dir():
        return []
    found: list[tuple[float, Path]] = []
    for base in homes.iterdir():
        try:
            home, since = Path((base / "home").read_text(encoding="utf-8")), base.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            continue  # no database of a home, or removed at this moment
        if not database_folder(home).exists():
            found.append((since, base))
    return [base for _, base in sorted(found, reverse=True)]


def _beside(home: Path) -> Place:
    base = database_folder(home)
    return Place(home, base, _short_enough(base / "socket"), current_account())


def _short_enough(folder: Path) -> Path:
    """`folder`, or one of a short name that follows from user and home when a socket's path would be too long."""
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return SHORT_FOLDER / f"replay-vision-{os.geteuid()}-{digest}"


def _below_state(home: Path, identity: str, state: Path) -> Place:
    base = state / "homes" / identity
    return Place(home, base, base / "socket", server_account())


def _new_below_state(home: Path, state: Path) -> Place:
    identity = secrets.token_hex(8)
    write_whole(database_folder(home) / IDENTITY, identity, 0o600)
    return _below_state(home, identity, state)


def _make_base(place: Place) -> None:
    """The root-owned folder of one home below the state folder; remembers the home, to notice a copied one."""
    make_folder(place.base.parent, TRAVERSABLE)
    make_folder(place.base, TRAVERSABLE)
    require_own(place.base, 0, TRAVERSABLE)
    record = place.base / "home"
    if record.exists():
        recorded = Path(record.read_text(encoding="utf-8"))
        if recorded != place.home and _same_identity(recorded, place.home):
            raise HomeBelongsToAnother(
                f"{place.home} is a copy of {recorded}, and both name the same database. Remove "
                f"{database_folder(place.home)} to begin with an empty database there, or remove the other home."
            )
    write_whole(record, str(place.home), 0o644)


def _same_identity(one: Path, other: Path) -> bool:
    first, second = database_folder(one) / IDENTITY, database_folder(other) / IDENTITY
    return first.exists() and not one.samefile(other) and first.read_bytes() == second.read_bytes()


@contextmanager
def _state_lock(state: Path) -> Generator[None]:
    """Makes the state folder when missing and keeps other homes out of it while accounts and programs are set up."""
    for parent in state.parents:
        if not parent.stat().st_mode & 0o001:
            raise UnsafeFolder(
                f"{parent} cannot be entered by the user that PostgreSQL runs as, and its permissions are not ours to "
                "change. Run as an ordinary user, or set REPLAY_VISION_DATABASE_URL."
            )
    make_own(state, TRAVERSABLE)
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
