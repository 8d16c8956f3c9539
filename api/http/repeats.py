"""Writes that may be sent again: the `Idempotency-Key` header (architecture 4, "repeated commands"; ADR 12)."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from api.http.answers import STALE
from api.http.body import Payload
from api.http.calls import Again, Call, Operation, object_id
from api.http.errors import Refusal, repeated_otherwise
from api.http.repeating import HEADER, LONGEST_KEY, NO_KEY, REPLAYED
from commands.store.once import Kept, KeptAnswer, Once, find, finish, keep
from commands.store.recorder import Refused
from domain.errors import Invalid, NotFound, VisionError

LONGEST_ID = 128
"""Characters of an id in a path; a longer one is nobody's."""

_NOT_KEPT = {"content-length", STALE.lower()}
"""Headers of the moment and not of the answer."""


def answer_once(operation: Operation, again: Again, call: Call) -> Response:
    """The answer of a write; with a key, the one that its first request got, which alone changed anything.

    Errors are not kept, so the caller may try again. Raises Invalid for what is no key, Refusal 409 when the key came
    with another body before, and what the operation raises.
    """
    once = _once(operation, call)
    if once is None:
        return operation.answer(call)
    first = _find(call, once)
    return _attempted(operation, again, call, once) if first is None else _replayed(again, call, once, first)


def _attempted(operation: Operation, again: Again, call: Call, once: Once) -> Response:
    try:
        response = operation.answer(replace(call, once=once))
    except (VisionError, Refusal, Refused):
        # Perhaps only because the same request was quicker: what it has done is in the way of this one.
        first = _find(call, once)
        if first is None or first.request == once.request:
            raise
        return _replayed(again, call, once, first)
    # The write has happened, so an outage is no failure of it; a repeat is answered from what it left.
    with suppress(*call.services.outages):
        return _settled(again, call, once, response)
    return response


def _settled(again: Again, call: Call, once: Once, response: Response) -> Response:
    """The answer that counts: this one, unless another request was quicker to give one."""
    with call.services.pool.connection() as conn:
        kept = keep(conn, once, _answer_of(response))
    first = None if kept else _find(call, once)
    if first is None:
        return response
    if first.request != once.request:
        # Neither had anything to append, or only the other had.
        return _replayed(again, call, once, first)
    return response if first.answer is None else _restored(first.answer)


def _replayed(again: Again, call: Call, once: Once, first: Kept) -> Response:
    """The first request's answer. When that is not known (yet, or for ever), one from what it left in the log."""
    if first.digest != once.digest:
        raise repeated_otherwise()
    answer = first.answer
    if answer is None:
        made = _answer_of(again(call, first))
        with call.services.pool.connection() as conn:
            finished = finish(conn, once, first, made)
        known = None if finished else _find(call, once)
        answer = made if known is None or known.answer is None else known.answer
    return _restored(answer, REPLAYED)


def _find(call: Call, once: Once) -> Kept | None:
    with call.services.pool.connection() as conn:
        return find(conn, once)


def _once(operation: Operation, call: Call) -> Once | None:
    key = _key(call.request)
    if key is None:
        return None
    return Once(
        environment_id=call.tenant.environment_id,
        owner=call.caller.user_id,
        route=_route(operation, call.request),
        key=key,
        digest=_digest(call.payload),
        request=call.caller.correlation_id,
        at=call.services.clock(),
    )


def _key(request: Request) -> str | None:
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    key = given[0].strip()
    if len(given) > 1 or not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Invalid(None, "invalid_input", NO_KEY)
    return key


def _route(operation: Operation, request: Request) -> str:
    """The operation and its objects, by whichever of its addresses it was reached. Raises NotFound for no id."""
    ids = [value for name, value in request.path_params.items() if name != "environment_id"]
    if not all(len(one) <= LONGEST_ID and one.isascii() and one.isprintable() for one in ids):
        raise NotFound
    # Ids of objects are the same in capitals; those of sessions are not.
    return " ".join([operation.name, *(one.lower() if object_id(one) else one for one in ids)])


def _digest(payload: Payload) -> bytes:
    """Of what the body says, so that spaces, the order of its keys and the API key in it do not matter."""
    try:
        document = payload.value()
    except Refusal:
        # Whatever it is, it will be refused, unless the operation reads no body.
        return hashlib.sha256(payload.raw).digest()
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if name != "personal_api_key"}
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")).digest()


def _answer_of(response: Response) -> KeptAnswer:
    headers = {name: value for name, value in response.headers.items() if name not in _NOT_KEPT}
    return KeptAnswer(response.status_code, headers, bytes(response.body))


def _restored(answer: KeptAnswer, *flags: str) -> Response:
    return Response(answer.body, answer.status, headers={**answer.headers, **dict.fromkeys(flags, "true")})
