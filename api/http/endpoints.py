"""From a row of the route table to the function that FastAPI runs: who may, how often, and how often at most once."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from api.http.auth import admit
from api.http.body import Payload, payload
from api.http.calls import Call, Operation
from api.http.repeats import answer_once
from api.http.services import services_of


def endpoint(operation: Operation) -> Callable[..., Response]:
    """The plain function that FastAPI runs in its thread pool."""

    def answer(request: Request, body: Annotated[Payload, Depends(payload)]) -> Response:
        services = services_of(request)
        caller = admit(request, body, services, operation.scopes, analytics=operation.analytics, texts=operation.texts)
        call = Call(request, services, caller, body)
        return operation.answer(call) if operation.again is None else answer_once(operation, operation.again, call)

    answer.__name__ = operation.name
    answer.__doc__ = operation.answer.__doc__
    return answer
