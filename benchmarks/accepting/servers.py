"""The three servers that are compared, each a process of its own."""

from __future__ import annotations

import multiprocessing
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from api.bootstrap import Runtime, now, prepare, runtime
from api.bounded_headers import BoundedHeaders
from api.cli.serve import CONNECTIONS
from api.http.app import create_app
from api.serving import spare_the_collector
from api.settings import Settings
from api.wiring import services_for
from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from projections.catalogue import PROJECTIONS
from projections.engine.runner import Runner
from projections.engine.waiting import wait_for

BACKLOG = 128
SECRET = b"of this measurement"
GZIP = 31


class Server(NamedTuple):
    """A process that serves."""

    port: int
    pid: int


@contextmanager
def plain_server() -> Iterator[Server]:
    """Reads each body and inflates it."""
    with _process(_serve_plain) as server:
        yield server


@contextmanager
def framework_server() -> Iterator[Server]:
    """The same as a handler of the framework that the product is built on."""
    with _process(_serve_framework) as server:
        yield server


@contextmanager
def accepting_server(conninfo: str) -> Iterator[tuple[Server, str]]:
    """The product's server on a database, which is set up if it is empty, and a project token."""
    with tempfile.TemporaryDirectory() as home, psycopg.connect(conninfo):
        with runtime(Settings(home=Path(home)), conninfo, SECRET, CONNECTIONS) as running:
            token = _environment(running)
        with _process(_serve_ours, conninfo, home) as server:
            yield server, token


async def _inflate(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    zlib.decompress(body, GZIP)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"15")]})
    await send({"type": "http.response.body", "body": b'{"status":"Ok"}'})


def _serve_plain(listening: socket.socket) -> None:
    _serve(_inflate, listening)


def _serve_framework(listening: socket.socket) -> None:
    app = FastAPI(openapi_url=None)

    @app.post("/s/")
    async def inflate(request: Request) -> Response:
        zlib.decompress(await request.body(), GZIP)
        return JSONResponse({"status": "Ok"})

    _serve(app, listening)


def _serve_ours(listening: socket.socket, conninfo: str, home: str) -> None:
    with runtime(Settings(home=Path(home)), conninfo, SECRET, CONNECTIONS) as running:
        _serve(create_app(services_for(running)), listening)


def _serve(app: Any, listening: socket.socket) -> None:
    """With the product's settings (api.serving)."""
    spare_the_collector()
    config = uvicorn.Config(
        app, http=BoundedHeaders, log_config=None, access_log=False, proxy_headers=False, server_header=False
    )
    uvicorn.Server(config).run([listening])


def _environment(running: Runtime) -> str:
    """Makes an environment and waits until it is known; returns its token."""
    prepare(running)
    runner = Runner(running.database_url, PROJECTIONS, EventLog(), CHANNEL)
    feeding = threading.Thread(target=runner.run)
    feeding.start()
    try:
        context = running.context("benchmark")
        organization = running.accounts.create_organization(context, f"Benchmark {now():%H:%M:%S}", None)
        made = running.accounts.create_environment(context, organization.id, "Accepting")
        assert made.position is not None
        assert wait_for(running.pool, ["accounts"], made.position, 30), "the environment is not known"
    finally:
        runner.stop()
        feeding.join()
    return made.project_token


@contextmanager
def _process(serve: Callable[..., None], *arguments: str) -> Iterator[Server]:
    # Named TCP: without that, asyncio would not switch off Nagle's algorithm, which costs 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(BACKLOG)
        port: int = listening.getsockname()[1]
        server = multiprocessing.get_context("fork").Process(target=serve, args=(listening, *arguments))
        server.start()
        try:
            time.sleep(0.1)  # connections wait in the backlog until the server takes them
            assert server.pid is not None
            yield Server(port, server.pid)
        finally:
            server.terminate()
            server.join()
