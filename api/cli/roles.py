"""`serve` and `worker`: one process with some of the roles."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Annotated

import typer

from api.bootstrap import refuse_empty, runtime
from api.cli.logs import set_up_logs
from api.cli.opening import database, secret_of
from api.process_tree import UNTIL_EOF
from api.roles import ROLES, run_roles
from api.settings import Settings
from domain.errors import Invalid


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serves the HTTP API against a database that is set up."""
    set_up_logs()
    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = Settings(**given)
    _end_with_parent()
    from api.serving import serve_http  # noqa: PLC0415 - the other roles need no web framework

    with database(settings) as url:
        refuse_empty(url)
        with runtime(settings, url, secret_of(settings), connections=16) as running:
            serve_http(running)


def worker(
    role: Annotated[list[str] | None, typer.Option(help=f"One of: {', '.join(ROLES)}. Repeat for several.")] = None,
) -> None:
    """Runs background roles (all of them unless named) against a database that is set up."""
    set_up_logs()
    names = role or list(ROLES)
    for name in names:
        if name not in ROLES:
            raise Invalid("role", "invalid_choice", f"There is no role '{name}'; roles are: {', '.join(ROLES)}.")
    settings = Settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _end_with_parent()
    with database(settings) as url:
        refuse_empty(url)
        with runtime(settings, url, secret_of(settings), connections=12) as running:
            clean = run_roles(running, names, stop)
    sys.exit(0 if clean else 1)


def _end_with_parent() -> None:
    if not os.environ.get(UNTIL_EOF):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
