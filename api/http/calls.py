"""One admitted request, as a route sees it, and the table row that a route is."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from api.http.auth import Caller
from api.http.body import Payload
from api.http.errors import Refusal
from api.http.fields import Body, read
from api.http.filters import Parameter
from api.http.links import Link
from api.http.services import Services
from commands.context import Context
from commands.store.once import Kept, Once
from consumers.capture.messages.snapshot import SESSION_ID
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


class _Session(Convertor[str]):
    """Any one segment. Whether it is the id of a session is told after authentication, as 404."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("object", _ObjectId())
register_url_convertor("session", _Session())


def object_id(text: str) -> UUID | None:
    """An id as it is written in addresses and parameters; None for a malformed one."""
    return UUID(text) if _UUID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed authentication, scopes and tenancy; its body and filters are not looked at yet."""

    request: Request
    services: Services
    caller: Caller
    payload: Payload
    once: Once | None = None
    """Set for a write with an `Idempotency-Key`."""

    @property
    def tenant(self) -> Tenant:
        return self.caller.tenant

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    def context(self) -> Context:
        """What a command is told about this request, with the time now."""
        return replace(self.caller.context(self.services.clock()), once=self.once)

    def object_id(self, name: str) -> UUID:
        """An id from the path. Raises NotFound when it is malformed: the same answer as for an unknown one."""
        found = object_id(self.request.path_params[name])
        if found is None:
            raise NotFound
        return found

    def session_id(self) -> str:
        """The recorded session of the path. Raises NotFound for what can be no session's id."""
        found: str = self.request.path_params["session_id"]
        if not SESSION_ID.fullmatch(found):
            raise NotFound
        return found

    def body(self, model: type[B_], choices: Mapping[str, Any] | None = None) -> B_:
        """The request body. Raises Refusal (no JSON) and Invalid (the first problem)."""
        return read(model, self.payload.value(), choices=choices)


Again = Callable[[Call, Kept], Response]
"""Answers a write that was done before, when its first answer was lost: from what it left in the log."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the route table: address, what a caller needs, who answers, and what the OpenAPI document says.

    `path` is below `base`, which is below `/api/{environments|projects}/{environment_id}/`; `name` makes the operation
    id, unless `known_as` gives it. What writes has an `again`, and takes an `Idempotency-Key` by that. `analytics`
    reads have rate limits of their own.
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
    base: str = "vision/"
    again: Again | None = None
    analytics: bool = False
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
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """For an answer that is no JSON document, or not only: the other media types it comes in, and what each says."""

    @property
    def address(self) -> str:
        """The path below the environment's."""
        return self.base + self.path
