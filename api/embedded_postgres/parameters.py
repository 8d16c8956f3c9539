"""The settings PostgreSQL is started with, and the two files that say who may connect."""

import hashlib
from dataclasses import dataclass

from api.embedded_postgres.binaries import Binaries
from api.embedded_postgres.folders import write_whole
from api.embedded_postgres.place import PORT, Place

ROLE = "replay_vision"
DATABASE = "replay_vision"
LOG_FILE_KILOBYTES = 10 * 1024
LOG_FILES_KEPT = 5
"""Older log files are removed at each start and by `EmbeddedPostgres.trim_log`."""


@dataclass(frozen=True)
class Tuning:
    """What may differ between one server and the next. The defaults are for production on one machine."""

    shared_buffers: str = "128MB"
    max_connections: int = 100
    crash_safe: bool = True
    """False only in tests: nothing is flushed to disk, so data survives a killed process but not a lost machine."""
    start_seconds: float = 600.0
    """Limit of a start, crash recovery included."""
    stop_seconds: float = 30.0
    """Limit of an orderly stop; then running statements are cut off."""


def parameters(place: Place, binaries: Binaries, tuning: Tuning) -> list[str]:
    """Command line arguments for `postgres`. They end with a fingerprint, by which a running server is known."""
    values = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{_quoted(str(place.socket))}"',
        "unix_socket_permissions": "0700",
        "hba_file": str(place.hba),
        "ident_file": str(place.ident),
        "shared_buffers": tuning.shared_buffers,
        "max_connections": str(tuning.max_connections),
        "synchronous_commit": "on",
        # Compiling a query costs more than the short queries of this product take.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": str(place.log),
        "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
        "log_file_mode": "0600",
        "log_rotation_age": "0",
        "log_rotation_size": str(LOG_FILE_KILOBYTES),
        "log_checkpoints": "off",
        # Statements and details of errors carry text about recorded people, which must not reach a log file.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if not tuning.crash_safe:
        values |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "autovacuum": "off",
        }
    print_of = hashlib.sha256(
        repr((sorted(values.items()), str(binaries.folder), binaries.release)).encode()
    ).hexdigest()[:12]
    values["cluster_name"] = f"replay-vision-{print_of}"
    return [argument for name, value in values.items() for argument in ("-c", f"{name}={value}")]


def cluster_name(arguments: list[str]) -> str:
    """The fingerprint inside `parameters`."""
    return arguments[-1].partition("=")[2]


def write_access_files(place: Place) -> None:
    """Lets in the users of the account by peer authentication, everybody else not at all. No passwords, no network."""
    readable = 0o644 if place.account.drops_privileges else 0o600
    write_whole(place.hba, f"local all all peer map={ROLE}\n", readable)
    lines = [f'{ROLE} "{_quoted(name)}" {ROLE}\n' for name in place.account.admits]
    write_whole(place.ident, "".join(lines), readable)


def _quoted(name: str) -> str:
    return name.replace('"', '""')
