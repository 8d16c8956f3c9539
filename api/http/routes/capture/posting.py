"""What a browser posts, from the first byte to the transport.

A browser repeats 5xx and drops 4xx, so 4xx is answered only for data that is lost anyway, and 200 only when the
transport has made the data durable.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from api.http import measures
from api.http.answers import Answer
from api.http.batches import Batches
from api.http.body import read_bounded
from api.http.deadlines import Deadlines
from api.http.entrance import visit
from api.http.errors import ErrorType, Refusal, denied, envelope, refusal_of, server_error, too_large, unavailable
from api.http.heads import header_of
from api.http.line import Full, Line
from api.http.routes.capture.cross_origin import allowed
from api.http.services import Services
from consumers.capture.messages.held import Holding
from consumers.capture.posting.at_once import NotAtOnce, Reader, read_at_once
from consumers.capture.posting.posted import Accepted
from consumers.capture.posting.posts import Post, Taken
from consumers.capture.posting.posts import take as take_posts
from consumers.capture.wire.encodings import MAX_WIRE_BYTES
from consumers.capture.wire.refusals import CaptureRefused, OverDay, forget
from consumers.transports.port import Unavailable

log = logging.getLogger("replay_vision.http.capture")
"""Of its own, because `api.cli.logs` holds repeated warnings back: a crowd of browsers meets the same outage."""

KINDS: Mapping[int, ErrorType] = {401: "authentication_error", 429: "throttled_error"}

Endpoint = Callable[[Request], Awaitable[Response]]
"""A function of the framework."""

Together = Batches[Post | Accepted, Taken]
"""Small bodies that are posted at the same moment."""

SMALL_BYTES = 256 * 1024
"""What a body may have to be read together with others: ten milliseconds of work, or a second for a hostile one."""

QUERY_BYTES = 1_024
"""Of a query string that is read where it comes in: a millisecond or two at worst. Those of SDKs have a tenth of it."""

TAKEN = Answer({"status": "Ok"})
"""Always the same, and sent for nearly every post: made once. Whoever adds headers on its way out copies them."""

Answering = Callable[[Request, bytes], Awaitable[Response]]
"""An answer to a request whose body is there. May raise what it likes."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the routes of one application share; belongs to one event loop."""

    services: Services
    line: Line
    arriving: Deadlines
    """Of bodies."""
    asked: Batches[str, None]
    """Tokens of common bodies that only the database knows. Apart as well: each is asked for every second."""
    read: Together
    """Common bodies, which are read already when they come here."""
    unread: Together
    """Other small bodies. Apart, because some take long to read."""


def answered(answering: Answering, place: Place, limit: int = MAX_WIRE_BYTES) -> Endpoint:
    """The function that the framework runs: reads the body, at most `limit` bytes of it, and answers in any case."""

    async def answer(request: Request) -> Response:
        try:
            _check_origin(request, place.services)
            # Until the answer: what the body was made into takes about as much room.
            with place.line.body() as claim:
                try:
                    with place.arriving.block():
                        body = await read_bounded(request, limit, claim)
                except TimeoutError:
                    return _refused(unavailable("The request body took too long."))
                if body is None:
                    return _refused(too_large(limit))
                return await answering(request, body)
        except ClientDisconnect:
            raise  # nobody is there to be answered, and strangers may leave as often as they like: no error of ours
        except Full:
            return _refused(unavailable("Too many recordings are being taken in."))
        except Exception as error:  # noqa: BLE001 - answered, and logged where nobody foresaw it
            refusal = _refusal(request, error, place.services)
            # What was waited for holds the error, which holds those that waited, and they hold the body: megabytes that
            # would stay until the cyclic collector comes.
            forget(error, told=True)
            return _refused(refusal)

    return answer


def in_thread(answering: Callable[[Request, bytes], Response], place: Place) -> Answering:
    """An answer that waits for the database, in a thread of the line's."""

    async def answer(request: Request, body: bytes) -> Response:
        return await place.line.run(partial(answering, request, body))

    return answer


def taking(accepting: Reader, place: Place) -> Answering:
    """Publishes what `accepting` finds in the body, to whichever topics it names; small bodies together."""
    services, publisher = place.services, publisher_of(place.services)

    async def take(request: Request, body: bytes) -> Response:
        headers = {"content-type": header_of(request.scope, b"content-type") or ""}
        query = await _query(request, place.line) if request.scope["query_string"] else {}
        now = services.clock()
        try:
            found = read_at_once(accepting, body, headers, query, now, services.sure_of)
        except NotAtOnce as unsure:
            await place.asked.run(unsure.token)
            found = _at_once_now(partial(read_at_once, accepting, body, headers, query, now, services.sure_of))
        if found is not None:
            taken = await place.read.run(found)
        else:
            post = Post(accepting, body, headers, query, now, _with_room(services))
            small = len(body) <= SMALL_BYTES
            taken = await (place.unread.run(post) if small else place.line.run(partial(_alone, post, publisher)))
        for environment_id, size in taken.bytes.items():
            services.allowance.count(environment_id, size)
        for refused in taken.refused:
            measures.captured(refused.code)
        measures.captured("accepted", taken.snapshots)
        measures.captured("accepted_events", taken.events)
        return TAKEN

    return take


async def _query(request: Request, line: Line) -> dict[str, str]:
    """One value a name. A long query string is read in a thread: 64 KB of it can take a tenth of a second."""
    if len(request.scope["query_string"]) <= QUERY_BYTES:
        return dict(request.query_params)
    return await line.run(lambda: dict(request.query_params))


def _at_once_now(read: Callable[[], Accepted | None]) -> Accepted | None:
    """What `read` returns after the database was asked; None when that did not help."""
    try:
        return read()
    except NotAtOnce:
        return None


def publisher_of(services: Services) -> Holding:
    """Where recordings go; safe to share between threads."""
    return Holding(services.transport, services.blobs, services.pool, services.clock)


def _alone(post: Post, publisher: Holding) -> Taken:
    """A body that takes long to read keeps no other waiting."""
    (outcome,) = take_posts([post], publisher)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _with_room(services: Services) -> Callable[[str], int | None]:
    """Looks up whose a token is; raises OverDay for an environment that has taken in enough today."""
    told: dict[str, int | None] = {}  # of this request: many unknown tokens in a body are one question each

    def found(token: str) -> int | None:
        if token not in told:
            environment_id = services.tokens.environment_of(token)
            if environment_id is not None:
                services.allowance.check(environment_id)
            told[token] = environment_id
        return told[token]

    return found


def _check_origin(request: Request, services: Services) -> None:
    """Raises a Refusal for what a page posts that may not send.

    CORS alone would only keep the answer from it: a browser sends such a post without asking first.
    """
    if not services.capture_origins or request.method != "POST":
        return
    origin = header_of(request.scope, b"origin")
    if origin is None or allowed(origin, services.capture_origins):
        return
    raise denied("Pages of this origin may not send recordings.")


def _refusal(request: Request, error: Exception, services: Services) -> Refusal:
    if isinstance(error, CaptureRefused):
        wait = {"Retry-After": str(error.retry_after)} if isinstance(error, OverDay) else {}
        kind = KINDS.get(error.status, "invalid_request")
        return Refusal(error.status, kind, error.code, error.message, headers=wait)
    if isinstance(error, Unavailable):
        log.warning("recordings are refused: %s", " ".join(str(error).split()))
    if refusal := refusal_of(error, services.outages):
        return refusal
    log.error("capture failed [%s]", visit(request.scope).correlation_id, exc_info=error)
    return server_error()


def _refused(refusal: Refusal) -> Response:
    measures.captured(refusal.code if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable")
    return envelope(refusal)
