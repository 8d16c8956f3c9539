"""What a browser posts, from the first byte to the transport.

A browser repeats 5xx and drops 4xx, so 4xx is answered only for data that is lost anyway, and 200 only when the
transport has made the data durable.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from http import HTTPStatus

from fastapi import Request, Response

from api.http import measures
from api.http.answers import Answer
from api.http.body import read_bounded
from api.http.entrance import visit
from api.http.errors import ErrorType, Refusal, envelope, refusal_of, server_error, too_large, unavailable
from api.http.line import Full, Line
from api.http.services import Services, services_of
from consumers.capture.encodings import MAX_WIRE_BYTES
from consumers.capture.held import Publisher, content_bytes
from consumers.capture.refusals import CaptureRefused
from consumers.capture.wire import Accepted
from consumers.transports.port import Unavailable

log = logging.getLogger("replay_vision.http.capture")
"""Of its own, because `api.cli.logs` holds repeated warnings back: a crowd of browsers meets the same outage."""

KINDS: Mapping[int, ErrorType] = {401: "authentication_error", 429: "throttled_error"}

Accepting = Callable[..., Accepted]
"""As `wire.accept`: body, headers, query, time and the lookup of a token; what to publish, or a CaptureRefused."""

Endpoint = Callable[[Request], Awaitable[Response]]
"""A function of the framework."""

Answering = Callable[[Request, bytes], Response]
"""An answer to a request whose body is there. Runs in a thread of capture's own; may raise what it likes."""


def answered(answering: Answering, line: Line, limit: int = MAX_WIRE_BYTES) -> Endpoint:
    """The function that the framework runs: reads the body, at most `limit` bytes of it, and answers in any case."""

    async def answer(request: Request) -> Response:
        try:
            with line.body() as claim:
                body = await read_bounded(request, limit, claim)
                if body is None:
                    return _refused(too_large(limit))
                return await line.run(partial(_answer, request, body, answering))
        except TimeoutError:
            return _refused(unavailable("The request body took too long."))
        except Full:
            return _refused(unavailable("Too many recordings are being taken in."))

    return answer


def taking(accepting: Accepting, publisher: Publisher) -> Answering:
    """Publishes what `accepting` finds in the body, to whichever topics it names."""

    def take(request: Request, body: bytes) -> Response:
        services = services_of(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = accepting(body, headers, dict(request.query_params), services.clock(), _with_room(services))
        for topic, messages in found.by_topic.items():
            publisher.publish(topic, messages)
            for message in messages:
                services.allowance.count(int(message.headers["environment_id"]), content_bytes(message))
        for refused in found.refused:
            measures.CAPTURED.labels(refused.code).inc()
        measures.CAPTURED.labels("accepted").inc(found.snapshots)
        measures.CAPTURED.labels("accepted_events").inc(found.events)
        return Answer({"status": "Ok"})

    return take


def _with_room(services: Services) -> Callable[[str], int | None]:
    """Looks up whose a token is; raises OverDay for an environment that has taken in enough today."""

    @cache  # of this request: many unknown tokens in a body are one question each
    def found(token: str) -> int | None:
        environment_id = services.tokens.environment_of(token)
        if environment_id is not None:
            services.allowance.check(environment_id)
        return environment_id

    return found


def _answer(request: Request, body: bytes, answering: Answering) -> Response:
    services = services_of(request)
    try:
        return answering(request, body)
    except CaptureRefused as refused:
        kind = KINDS.get(refused.status, "invalid_request")
        return _refused(Refusal(refused.status, kind, refused.code, refused.message))
    except Exception as error:
        if isinstance(error, Unavailable):
            log.warning("recordings are refused: %s", " ".join(str(error).split()))
        if refusal := refusal_of(error, services.outages):
            return _refused(refusal)
        log.exception("capture failed [%s]", visit(request.scope).correlation_id)
        return _refused(server_error())


def _refused(refusal: Refusal) -> Response:
    measures.CAPTURED.labels(refusal.code if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable").inc()
    return envelope(refusal)
