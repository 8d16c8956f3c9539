"""Serving the HTTP API."""

from __future__ import annotations

import gc
import logging

import uvicorn

from api.bootstrap import OUTAGES, Runtime
from api.bounded_headers import BoundedHeaders
from api.http.app import create_app
from api.metrics import register
from api.wiring import services_for
from commands.store.event_log import EventLog
from projections.engine.waiting import wait_for

GRACE_SECONDS = 5
ACCOUNTS_SECONDS = 10.0

log = logging.getLogger("replay_vision.serving")


def serve_http(running: Runtime) -> None:
    """Serves until SIGTERM or SIGINT, then finishes the requests in hand within GRACE_SECONDS.

    Begins when the read side knows everybody that the log does, which matters after the first set-up and after a crash,
    or after ACCOUNTS_SECONDS: who is not known until then is answered 503.

    No access log: keys may come in query parameters. No proxy headers: links are built from the public address.
    """
    register(running)
    _await_accounts(running)
    # It warns of each request line that is none, which a stranger could send for ever.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    app = create_app(services_for(running))
    spare_the_collector()
    uvicorn.run(
        app,
        http=BoundedHeaders,
        host=running.settings.host,
        port=running.settings.port,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


NEW_OBJECTS = 5_000
"""Before the cyclic collector comes. Python's own 700 are those of three posts. Not more, because a request of the API
that is refused leaves a hundred behind, and its body of up to a megabyte with them."""


def spare_the_collector() -> None:
    """Has the cyclic collector leave alone what is there until now, which is there until the end.

    It comes once in hundreds of new objects, which is each time a few posts are read, and looked through all modules,
    routes and models with them: a tenth of what a post cost (ADR 0019).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


def _await_accounts(running: Runtime) -> None:
    try:
        with running.pool.connection() as connection:
            head = EventLog().head(connection)
        if wait_for(running.pool, ["accounts"], head, ACCOUNTS_SECONDS):
            return
    except OUTAGES as error:
        log.warning("serving begins during an outage: %s", error)
    else:
        log.warning("serving begins although the projection of accounts is behind: are the workers running?")
