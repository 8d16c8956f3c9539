"""`up`: every role in one process tree, in the foreground, until it is told to stop."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api import bootstrap
from api.bootstrap import runtime
from api.cli.logs import set_up_logs
from api.credentials import Credentials
from api.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, Tuning
from api.failures import Failure, outage
from api.process_tree import ProcessTree
from api.settings import PREFIX, Settings

GROUPS = (
    ("serve",),
    ("worker", "--role", "relay", "--role", "projections", "--role", "capture", "--role", "scheduler"),
    ("worker", "--role", "scanning", "--role", "actions", "--role", "delivery"),
)
"""The processes of `up`: HTTP; the log's roles; the workers (architecture 3)."""

READY_SECONDS = 60.0
DEMO_STOP_SECONDS = 5.0
POSTGRES_STOP_SECONDS = 5.0
"""Then it is ended at once, which costs a recovery at the next start and no data."""

log = logging.getLogger("replay_vision.up")


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder for data and credentials.")] = None,
    demo: Annotated[bool | None, typer.Option("--demo/--no-demo", help="Show the sample sessions.")] = None,
) -> None:
    """Runs everything on this machine. The first start sets up an empty database and shows a demo."""
    set_up_logs()
    given = {"host": host, "port": port, "home": home, "demo": demo}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _refuse_taken_port(settings)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    console = Console(highlight=False)
    try:
        _run_on_database(settings, stop, console)
    except bootstrap.OUTAGES as error:
        raise outage(error) from error


def _run_on_database(settings: Settings, stop: threading.Event, console: Console) -> None:
    if settings.database_url is not None:
        _run(settings, settings.database_url, stop, console, look_after=lambda: None)
        return
    console.print("Starting PostgreSQL ...", style="dim")
    postgres = EmbeddedPostgres(settings.home, Tuning(stop_seconds=POSTGRES_STOP_SECONDS))
    url = postgres.start()
    try:
        _run(settings, url, stop, console, look_after=partial(_keep_running, postgres))
    finally:
        postgres.stop()


def _keep_running(postgres: EmbeddedPostgres) -> None:
    """Starts a server that has died; the children wait for it meanwhile."""
    if postgres.running:
        return
    log.error("PostgreSQL has ended and is started again")
    try:
        postgres.start()
    except EmbeddedPostgresError:
        log.exception("PostgreSQL does not start; trying again")


def _run(
    settings: Settings, url: str, stop: threading.Event, console: Console, *, look_after: Callable[[], None]
) -> None:
    secret = settings.secret(create=True)
    with runtime(settings, url, secret, connections=4) as running:
        first, credentials = bootstrap.prepare(running)
        bootstrap.choose_transport(running)
        tree = ProcessTree(GROUPS, _environment(settings, url, secret))
        with tree:
            if not tree.wait_until_ready(settings.address, READY_SECONDS, stop):
                if stop.is_set():
                    return
                message = "the server did not become ready; what its processes said is above"
                raise Failure(message)
            # Scripts wait for this line: it must be whole, unstyled and out at once.
            print(f"Replay Vision is ready at {settings.address}", flush=True)
            wanted = first if settings.demo is None else settings.demo
            show = partial(_demo_or_hint, running, credentials, console, stop, wanted=wanted)
            shown = threading.Thread(target=show, name="demo", daemon=True)
            shown.start()
            try:
                tree.watch(stop, look_after)
            finally:
                stop.set()
                shown.join(DEMO_STOP_SECONDS)
            console.print("Stopping ...", style="dim")


def _demo_or_hint(
    running: bootstrap.Runtime,
    credentials: Credentials | None,
    console: Console,
    stop: threading.Event,
    *,
    wanted: bool,
) -> None:
    """Runs beside the watch over the processes, which must go on during the demo too."""
    if credentials is None:
        return
    if wanted:
        from api.cli.demo import run_demo  # noqa: PLC0415 - a later start needs none of it and is quicker

        run_demo(running, credentials, console, stop)
    path = running.settings.home / "credentials.json"
    # One a line, and however long: a path that is broken in two cannot be copied.
    console.print(f"Credentials: {path}\nAPI: {running.settings.links}/docs/", style="dim", soft_wrap=True)


def _environment(settings: Settings, url: str, secret: bytes) -> dict[str, str]:
    """What the children need beyond what this process was given."""
    return {
        f"{PREFIX}DATABASE_URL": url,
        f"{PREFIX}SECRET_KEY": secret.decode(),
        f"{PREFIX}HOST": settings.host,
        f"{PREFIX}PORT": str(settings.port),
        f"{PREFIX}HOME": str(settings.home),
    }


def _refuse_taken_port(settings: Settings) -> None:
    """Raises Failure also for a host that is not this machine's, or none at all."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except (OSError, UnicodeError) as error:
        message = f"cannot listen on {settings.host}:{settings.port} {_why_not(error)}"
        raise Failure(message) from error


def _why_not(error: OSError | UnicodeError) -> str:
    """The reason, and what to change. A name that cannot be one at all is a UnicodeError."""
    if not isinstance(error, OSError):
        return f"(no name of a host); choose another host with --host or {PREFIX}HOST"
    reason = f"({error.strerror})"
    if error.errno == errno.EADDRINUSE:
        return f"{reason}; choose another with --port"
    if isinstance(error, PermissionError):
        return f"{reason}; ports below 1024 may need privileges"
    return f"{reason}; choose an address of this machine with --host or {PREFIX}HOST"
