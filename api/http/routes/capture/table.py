"""The route table of capture: each path once, and a second time below the configured prefix."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from fastapi import Request, Response
from starlette.routing import Route

from api.http.application import Application
from api.http.batches import Batches
from api.http.body import BODY_SECONDS
from api.http.deadlines import Deadlines
from api.http.line import Line
from api.http.routes.capture import flags, remote_config
from api.http.routes.capture.asking import ask
from api.http.routes.capture.cross_origin import CrossOrigin, preflight
from api.http.routes.capture.posting import (
    Endpoint,
    Place,
    Together,
    answered,
    in_thread,
    publisher_of,
    taking,
)
from api.http.routes.capture.sdk_files import sdk_file
from api.http.services import Services
from api.http.shortcut import Shortcut
from consumers.capture.posting.at_once import Reader
from consumers.capture.posting.posted import accept, accept_rrweb
from consumers.capture.posting.posts import take

WAITING = 250
"""Requests that wait for a thread: what a crowd of browsers posts at the same moment."""
WAITING_SECONDS = 10.0
"""Browsers give up later than that."""
TOGETHER = 64
"""Small bodies that are taken in one go: all that came while the batch before them was on its way."""
BATCHES = 1
"""At a time. A second would be read in turn with the first and the event loop anyway, and commit for fewer each."""
BYTES_IN_HAND = 128 * 1024 * 1024
"""Bodies that arrive, wait or are being taken, together: four of the largest, and thousands of common ones."""


class Row(NamedTuple):
    """One path. The last slash is optional to clients, as everywhere."""

    method: str
    path: str
    made: Callable[[Place], Endpoint]


def _posted(accepting: Reader) -> Callable[[Place], Endpoint]:
    """Takes what browsers record, in its turn."""
    return lambda place: answered(taking(accepting, place), place)


def _in_turn(answering: Callable[[Request, bytes], Response], limit: int) -> Callable[[Place], Endpoint]:
    """An answer that waits for the database. `limit`: bytes of the request's body."""
    return lambda place: answered(in_thread(answering, place), place, limit)


def _at_once(endpoint: Endpoint) -> Callable[[Place], Endpoint]:
    return lambda _: endpoint


ROUTES = (
    Row("POST", "/s/", _posted(accept)),
    Row("POST", "/e/", _posted(accept)),
    Row("POST", "/i/v0/e/", _posted(accept)),
    Row("POST", "/batch/", _posted(accept)),
    Row("POST", "/capture/", _posted(accept)),
    Row("POST", "/track/", _posted(accept)),
    Row("POST", "/engage/", _posted(accept)),
    Row("POST", "/rrweb/", _posted(accept_rrweb)),
    Row("POST", "/flags/", _in_turn(flags.flags, flags.MAX_BYTES)),
    Row("POST", "/decide/", _in_turn(flags.flags, flags.MAX_BYTES)),
    Row("GET", "/array/{token}/config/", _in_turn(remote_config.document, 0)),
    Row("GET", "/array/{token}/config.js/", _in_turn(remote_config.script, 0)),
    Row("GET", "/static/{path:path}/", _at_once(sdk_file)),
)


def mount(app: Application, services: Services) -> None:
    """Registers the capture routes, and the short way to those for posts.

    Call it before other layers are there, since the short way begins behind them, and before other routes: they are
    looked through in turn, and browsers ask most.
    """
    place = Place(
        services,
        line=Line(threads(services), waiting=WAITING, seconds=WAITING_SECONDS, bytes_in_hand=BYTES_IN_HAND),
        arriving=Deadlines(BODY_SECONDS),
        asked=Batches(
            partial(ask, services=services), threads=1, size=WAITING, waiting=WAITING, seconds=WAITING_SECONDS
        ),
        read=_together(services),
        unread=_together(services),
    )
    posts: list[Route] = []
    for path, row in _paths(services).items():
        # Plain routes: the framework's own would look for parameters and dependencies at each of the many requests.
        route = Route(path, row.made(place), methods=[row.method], include_in_schema=False)
        asked_before = Route(path, _asked_before(row.method), methods=["OPTIONS"], include_in_schema=False)
        app.router.routes += [route, asked_before]
        if row.method == "POST":
            posts.append(route)
    app.around(Shortcut, routes=posts)


def _together(services: Services) -> Together:
    return Batches(
        partial(take, publisher=publisher_of(services)),
        threads=BATCHES,
        size=TOGETHER,
        waiting=WAITING,
        seconds=WAITING_SECONDS,
    )


def open_to_pages(app: Application, services: Services) -> None:
    """CORS for the capture routes. Call it when every other layer is there: CORS goes around them."""
    app.around(CrossOrigin, paths=_paths(services), origins=services.capture_origins)


def threads(services: Services) -> int:
    """How many of the requests that are served at a time may be capture's: each waits for the transport for seconds."""
    return max(1, services.pool.max_size // 3)


def _paths(services: Services) -> dict[str, Row]:
    """Every path, with and without the configured prefix."""
    prefixes = sorted({"", services.capture_prefix.rstrip("/")})
    return {f"{prefix}{row.path}": row for prefix in prefixes for row in ROUTES}


def _asked_before(method: str) -> Endpoint:
    methods = ", ".join([method, *(["HEAD"] if method == "GET" else []), "OPTIONS"])

    async def answer(request: Request) -> Response:
        return preflight(request, methods)

    return answer
