"""Where browsers send recordings (capture 1, 8): the only routes with CORS, and the only ones without an API key.

A browser repeats 5xx and drops 4xx, so 4xx is answered only for data that is lost anyway, and 200 only when the
transport has made the data durable.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from api.http import measures
from api.http.answers import Answer
from api.http.body import read_bounded
from api.http.entrance import visit
from api.http.errors import Refusal, envelope, refusal_of, server_error, too_large, unavailable
from api.http.line import Full, Line
from api.http.services import Services, services_of
from consumers.capture.encodings import MAX_WIRE_BYTES
from consumers.capture.refusals import CaptureRefused
from consumers.capture.wire import Accepted, accept, accept_rrweb
from consumers.transports.port import Unavailable
from projections.queries.accounts import tenant_of_token

TOPIC = "snapshots"
PREFLIGHT_SECONDS = 3600
HEADERS_LENGTH = 1000
"""Characters of a preflight's list of headers that are echoed."""

WAITING = 250
"""Requests that wait for a thread: what a crowd of browsers posts at the same moment."""
WAITING_SECONDS = 10.0
"""Browsers give up later than that."""
BYTES_IN_HAND = 128 * 1024 * 1024
"""Bodies that arrive, wait or are being taken, together: five of the largest, or thousands of common ones."""

log = logging.getLogger("replay_vision.http.capture")
"""Of its own, because `api.cli.logs` holds repeated warnings back: a crowd of browsers meets the same outage."""

Accepting = Callable[..., Accepted]
ROUTES: Mapping[str, Accepting] = {"/s/": accept, "/rrweb/": accept_rrweb}


def mount(app: FastAPI, services: Services) -> None:
    """Registers the capture routes, a second time below the configured prefix."""
    line = Line(threads(services), waiting=WAITING, seconds=WAITING_SECONDS, bytes_in_hand=BYTES_IN_HAND)
    prefixes = {"", services.capture_prefix.rstrip("/")}
    for prefix in sorted(prefixes):
        for path, accepting in ROUTES.items():
            app.add_api_route(f"{prefix}{path}", _poster(accepting, line), methods=["POST"], include_in_schema=False)
            app.add_api_route(f"{prefix}{path}", preflight, methods=["OPTIONS"], include_in_schema=False)


def threads(services: Services) -> int:
    """How many of the requests that are served at a time may be capture's: each waits for the transport for seconds."""
    return max(1, services.pool.max_size // 3)


async def preflight(request: Request) -> Response:
    """What a page of another origin asks before it posts JSON."""
    headers = _cors(request)
    if headers:
        headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        if wanted := request.headers.get("access-control-request-headers", "")[:HEADERS_LENGTH]:
            headers["Access-Control-Allow-Headers"] = wanted
    return Response(status_code=204, headers={**headers, "Allow": "POST, OPTIONS"})


def _poster(accepting: Accepting, line: Line) -> Callable[..., object]:
    async def post(request: Request) -> Response:
        """Reads the body, at most 25 MB of it; the rest happens in a thread of capture's own."""
        try:
            with line.body() as claim:
                body = await read_bounded(request, MAX_WIRE_BYTES, claim)
                if body is None:
                    response = _refused(too_large(MAX_WIRE_BYTES))
                else:
                    response = await line.run(partial(_take, request, body, accepting))
        except TimeoutError:
            response = _refused(unavailable("The request body took too long."))
        except Full:
            response = _refused(unavailable("Too many recordings are being taken in."))
        response.headers.update(_cors(request))
        return response

    return post


def _take(request: Request, body: bytes, accepting: Accepting) -> Response:
    services = services_of(request)
    try:
        headers = {name.lower(): value for name, value in request.headers.items()}
        taken = accepting(body, headers, dict(request.query_params), services.clock(), _environments(services))
        if taken.messages:
            services.transport.publish(TOPIC, taken.messages)
    except CaptureRefused as refused:
        kind = "authentication_error" if refused.status == HTTPStatus.UNAUTHORIZED else "invalid_request"
        return _refused(Refusal(refused.status, kind, refused.code, refused.message))
    except Exception as error:  # whatever it is, the page must be able to read the answer
        if isinstance(error, Unavailable):
            log.warning("recordings are refused: %s", " ".join(str(error).split()))
        if refusal := refusal_of(error, services.outages):
            return _refused(refusal)
        log.exception("capture failed [%s]", visit(request.scope).correlation_id)
        return _refused(server_error())
    for refused in taken.refused:
        measures.CAPTURED.labels(refused.code).inc()
    measures.CAPTURED.labels("accepted").inc(taken.snapshots)
    return Answer({"status": "Ok"})


def _refused(refusal: Refusal) -> Response:
    measures.CAPTURED.labels(refusal.code if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable").inc()
    return envelope(refusal)


def _environments(services: Services) -> Callable[[str], int | None]:
    """Looks a token up once a request: the snapshots of a body share one, and a rotated one must stop at once."""

    @cache
    def environment_of(token: str) -> int | None:
        with services.pool.connection() as conn:
            tenant = tenant_of_token(conn, token)
        return None if tenant is None else tenant.environment_id

    return environment_of


def _cors(request: Request) -> dict[str, str]:
    """Echoes the page's origin, with credentials, when it may post; nothing for requests that come from no page."""
    origin = request.headers.get("origin")
    allowed = services_of(request).capture_origins
    if origin is None or (allowed and origin not in allowed):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
