"""`worker`: background roles as a process of their own."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from api.bootstrap import runtime_when_up
from api.cli.logs import set_up_logs
from api.cli.opening import database, secret_of
from api.heartbeat import Heartbeat
from api.process_tree import end_with_parent
from api.roles import ROLES, run_roles
from api.settings import Settings
from domain.errors import Invalid

CONNECTIONS = 12
"""One for each waiting scan worker, one for each lease keeper, and some for the rest."""


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
    end_with_parent()
    with (
        database(settings) as url,
        runtime_when_up(settings, url, secret_of(settings), stop, CONNECTIONS) as running,
    ):
        if running is None:
            return
        heartbeat = Heartbeat(settings.home, names)
        clean = run_roles(running, names, stop, heartbeat.beat)
        heartbeat.end()
    sys.exit(0 if clean else 1)
