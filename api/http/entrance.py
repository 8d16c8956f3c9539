"""The outermost layer: what happens to every request before a route is looked up, and to every answer on its way out.

* One address per route: the trailing slash is optional, without a redirect (contract 1).
* HEAD is answered wherever GET is.
* A key in the query string is taken out before anything can log, trace or link it (architecture 10).
* Whatever escapes the routes becomes the 500 envelope and a log line with the correlation id; never a traceback.
"""

import asyncio
import logging
import time
from random import getrandbits
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from uuid import UUID

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import measures
from api.http.errors import Refusal, echo, envelope, parse_error, server_error, unavailable

log = logging.getLogger("replay_vision.http")

CORRELATION = "Replay-Vision-Correlation-Id"
"""Header of every answer; the same id is on the log lines and the events of the request."""

_CORRELATION = CORRELATION.lower().encode()
_VISIT = "replay_vision.visit"
_KEY = b"personal_api_key"


class Visit(NamedTuple):
    """A request as it came: method and path before they are changed, and the API key that stood in its query string."""

    correlation_id: UUID
    method: str
    path: str
    query_key: str | None


def visit(scope: Scope) -> Visit:
    """The Visit of a request that came through the entrance."""
    found: Visit = scope[_VISIT]
    return found


def asked_path(scope: Scope) -> str:
    """The path as the client wrote it, with or without its last slash."""
    return visit(scope).path


class Entrance:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["query_string"], query_key = take_key(scope["query_string"])
        path = scope["path"]
        here = Visit(_new_id(), scope["method"], path, query_key)
        inner: dict[str, Any] = {**scope, _VISIT: here, "path": path if path.endswith("/") else path + "/"}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        way_out = _WayOut(send, here, bodiless=scope["method"] == "HEAD")
        started = time.perf_counter()
        try:
            await self.app(inner, receive, way_out.send)
        except ClientDisconnect:
            await way_out.refuse(parse_error("the client left before the body was complete"), inner, receive)
        except asyncio.CancelledError:
            # The server stops and has waited long enough for this request.
            await way_out.refuse(unavailable(), inner, receive)
        except Exception:
            log.exception("request failed: %s %s [%s]", scope["method"], echo(path), here.correlation_id)
            await way_out.refuse(server_error(), inner, receive)
        finally:
            route = getattr(inner.get("route"), "path_format", "unmatched")
            measures.answered(route, scope["method"], way_out.status, time.perf_counter() - started)


class _WayOut:
    """Watches the answer: adds the correlation header, drops the body of HEAD, knows whether an answer has begun."""

    def __init__(self, send: Send, here: Visit, *, bodiless: bool) -> None:
        self._send = send
        self._here = here
        self._bodiless = bodiless
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = (_CORRELATION, str(self._here.correlation_id).encode())
            message = {**message, "headers": [*message.get("headers", ()), extra]}
        elif message["type"] == "http.response.body" and self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive) -> None:
        """Answers with the envelope, unless half of another answer is already on its way."""
        if not self.status:
            await envelope(refusal)(scope, receive, self.send)


def _new_id() -> UUID:
    """Nobody's secret, so it needs no system call: the event loop would give way in it to whichever thread is busy."""
    return UUID(int=getrandbits(128), version=4)


def take_key(query: bytes) -> tuple[bytes, str | None]:
    """The query string without `personal_api_key`, and the last value that stood there."""
    if b"personal" not in query and b"%" not in query:
        return query, None
    kept: list[bytes] = []
    key = None
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        # Names that are too short or too long to be it, with each character escaped or none, are not even decoded.
        if len(_KEY) <= len(name) <= 3 * len(_KEY) and unquote_plus(name.decode("latin-1")).encode() == _KEY:
            key = unquote_plus(value.decode("latin-1"))
        else:
            kept.append(pair)
    return b"&".join(kept), key or None
