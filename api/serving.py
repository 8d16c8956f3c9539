"""Serving the HTTP API."""

from __future__ import annotations

import logging

import uvicorn

from api.bootstrap import Runtime
from api.bounded_headers import BoundedHeaders
from api.http.app import create_app
from api.metrics import register
from api.wiring import services_for

GRACE_SECONDS = 5


def serve_http(running: Runtime) -> None:
    """Serves until SIGTERM or SIGINT, then finishes the requests in hand within GRACE_SECONDS.

    No access log: keys may come in query parameters. No proxy headers: links are built from the public address.
    """
    register(running)
    # It warns of each request line that is none, which a stranger could send for ever.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    uvicorn.run(
        create_app(services_for(running)),
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
