"""One admitted request, as a route sees it, and the table row that a route is."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import QueryParams
from starlette.responses import Response

from api.http.auth import Caller, admit
from api.http.body import Payload, payload
from api.http.errors import Refusal
from api.http.fields import Body, read
from api.http.filters import Parameter
from api.http.links import Link
from api.http.services import Services, services_of
from commands.context import Context
from domain.errors import NotFound
from domain.tenant import Tenant

RESERVED = ("creators", "stats", "estimate")
"""Words that stand where an object's id could stand; a route of that name wins, whatever the method (contract 1)."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

B_ = TypeVar("B_", bound=Body)


class _ObjectId(Convertor[str]):
    """Any one segment but the reserved words. Whether it is an id is told after authentication, as 404."""

    regex = rf"(?!(?:{'|'.join(RESERVED)})/)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("object", _ObjectId())


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed authentication, scopes and tenancy; its body and filters are not looked at yet."""

    request: Request
    services: Services
    caller: Caller
    payload: Payload

    @property
    def tenant(self) -> Tenant:
        return self.caller.tenant

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    def context(self) -> Context:
        """What a command is told about this request, with the time now."""
        return self.caller.context(self.services.clock())

    def object_id(self, name: str) -> UUID:
        """An id from the path. Raises NotFound when it is malformed: the same answer as for an unknown one."""
        text = self.request.path_params[name]
        if not _UUID.fullmatch(text):
            raise NotFound
        return UUID(text)

    def body(self, model: type[B_], choices: Mapping[str, Iterable[str]] | None = None) -> B_:
        """The request body. Raises Refusal (no JSON) and Invalid (the first problem)."""
        return read(model, self.payload.value(), choices=choices)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the route table: address, what a caller needs, who answers, and what the OpenAPI document says.

    `path` is below `/api/{environments|projects}/{environment_id}/vision`; `name` makes the operation id, unless
    `known_as` gives it.
    """

    method: str
    path: str
    name: str
    scopes: Sequence[str]
    answer: Callable[[Call], Response]
    summary: str
    success: Mapping[int, type[BaseModel] | None]
    failures: Sequence[int] = ()
    parameters: Sequence[Parameter] = ()
    body: type[Body] | None = None
    known_as: str = ""
    sends: Any = None
    """An example of the request's body."""
    shows: Mapping[int, Any] = field(default_factory=dict[int, Any])
    """An example of the body of each successful answer that has one."""
    refused: Mapping[int, Refusal] = field(default_factory=dict[int, Refusal])
    """Examples of errors that say more than those of every operation."""
    links: Mapping[int, Sequence[Link]] = field(default_factory=dict[int, Sequence[Link]])
    """What may follow on each successful answer."""
    tagged: bool = False
    """Whether successful answers have an ETag."""
    streams: bool = False
    """Whether it also answers with JSON lines, one for each of `results`."""


def endpoint(operation: Operation) -> Callable[..., Response]:
    """The plain function that FastAPI runs in its thread pool."""

    def answer(request: Request, body: Annotated[Payload, Depends(payload)]) -> Response:
        services = services_of(request)
        caller = admit(request, body, services, operation.scopes)
        return operation.answer(Call(request, services, caller, body))

    answer.__name__ = operation.name
    answer.__doc__ = operation.answer.__doc__
    return answer
