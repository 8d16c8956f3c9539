"""`serve`: the HTTP API as a process of its own."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from api.bootstrap import runtime_when_up
from api.cli.logs import set_up_logs
from api.cli.opening import database, secret_of
from api.process_tree import end_with_parent
from api.serving import serve_http
from api.settings import Settings

CONNECTIONS = 18
"""Requests served at a time: each may hold one connection. A third of them is for capture."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serves the HTTP API against a database that is set up."""
    set_up_logs()
    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = Settings(**given)
    # Ends in order at any moment: the HTTP server raises the signal that it was stopped by once more when it is done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_with_parent()
    with (
        database(settings) as url,
        runtime_when_up(settings, url, secret_of(settings), threading.Event(), CONNECTIONS) as running,
    ):
        if running is not None:
            serve_http(running)
