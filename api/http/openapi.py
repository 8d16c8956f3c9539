"""The OpenAPI 3.1 document, made from the route table. Nothing in it depends on the machine or its settings."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from api.http import refusals
from api.http.answers import STALE
from api.http.calls import Operation
from api.http.components import Model, Schema, components, for_readers
from api.http.documents import Problem, Unavailable
from api.http.entrance import CORRELATION
from api.http.errors import Refusal, body_of
from api.http.filters import LENIENT, Parameter
from api.http.links import Link
from api.http.negotiation import JSON, NDJSON
from api.http.preconditions import ETAG, IfMatch
from api.http.repeating import IDEMPOTENCY_KEY, NO_KEY, REPLAYED, IdempotencyKey
from consumers.capture.messages.snapshot import SESSION_ID

VERSION = "1.0.0"
"""Of the API, not of the server: it moves when clients have to."""

PREFIXES = (
    ("/api/environments/{environment_id}", "environments_"),
    ("/api/projects/{project_id}", ""),
)
"""Both names of the same thing (contract 1), each with the start of its operation ids."""

NESTED = ("observations", "gaps", "runs", "deliveries", "versions", "rescans")
"""Collections inside an object. An object's id is called `id` in its own address and by its kind in theirs."""

TAGS = {
    "scanners": "Standing questions over session recordings.",
    "observations": "What scanners found in sessions.",
    "quota": "How much may be scanned.",
    "history": "Who changed what, and when.",
    "session_recordings": "What was recorded of the visitors of a site.",
    "actions": "What is done with observations, by a schedule.",
}

_DESCRIPTION = """\
Scanners ask a question of every recorded web session that they match; observations are the answers.

Every operation is served below `/api/environments/{environment_id}` and below `/api/projects/{project_id}`: two names
of the same thing. The last slash of an address may be left out. Unknown body fields and query parameters are ignored.
Every answer names its `Replay-Vision-Correlation-Id`, which is in the server's log, too.

Numbers and booleans in bodies may also be given as strings (`"0.5"`, `"true"`), and numbers where text is asked for.

Not part of this document: the addresses that browser SDKs post recordings to (`/s/`, `/rrweb/`), and those for
operators (`/healthz`, `/readyz`, `/metrics`). They take no API key, and their formats are their clients'.
"""

_KINDS: Mapping[str, Schema] = {
    "int": {"type": "integer", "minimum": 1},
    "object": {"type": "string", "format": "uuid"},
    "session": {"type": "string", "pattern": f"^{SESSION_ID.pattern}$"},
}
"""Path parameters by their kind in the route table."""

_HEADERS: Mapping[str, tuple[str, Schema]] = {
    CORRELATION: ("The id of this request in the server's log.", {"type": "string", "format": "uuid"}),
    ETAG: ("The object's version, for `If-Match`.", {"type": "string", "pattern": '^"[0-9]+"$'}),
    STALE: ("Present when lists may not show this write yet.", {"type": "string", "const": "true"}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string", "const": "Bearer"}),
    REPLAYED: ("Present when an earlier request was answered so.", {"type": "string", "const": "true"}),
    "Retry-After": ("Seconds to wait, where they are known.", {"type": "string", "pattern": "^[0-9]+$"}),
}
_ALWAYS_SENT = {CORRELATION, ETAG, "WWW-Authenticate"}
_HEADERS_OF = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}

_ENVIRONMENT: Schema = {
    "schema": {"type": "string", "pattern": "^([0-9]+|@current)$"},
    "description": "Id of the environment (project), or `@current` for the first one that the key may use.",
    "example": "1",
}


def document(operations: Iterable[Operation], server: str = "/") -> dict[str, Any]:
    """The document. `server` is where clients reach the API; "/" is wherever the document came from."""
    table = {operation.name: operation for operation in operations}
    named, references = components(_models(table.values()))
    paths: dict[str, dict[str, Any]] = {}
    for prefix, start in PREFIXES:
        for operation in table.values():
            path = f"{prefix}/{_public_path(operation.address)}"
            described = _Described(operation, table, references, path, start)
            paths.setdefault(path, {})[operation.method.lower()] = described.whole()
    used = {tag for path in paths.values() for each in path.values() for tag in each["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Replay Vision",
            "summary": "Watches recorded web sessions so that people don't have to.",
            "description": _DESCRIPTION,
            "version": VERSION,
            "contact": {"name": "Whoever runs this server"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server, "description": "This server."}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": named,
            "headers": {name: _header(name) for name in _HEADERS},
            "responses": {
                _phrase(status): _failure(status, {"example": refusal}, references)
                for status, refusal in sorted(refusals.EXAMPLES.items())
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A personal API key (`phx_...`). Each operation names the scopes that it needs.",
                }
            },
        },
    }


def operation_id(operation: Operation, start: str) -> str:
    """Unique over both prefixes, and the reference's own where the reference has the operation."""
    return start + (operation.known_as or f"vision_{operation.name}")


def _models(operations: Iterable[Operation]) -> set[Model]:
    used: set[Model] = {Problem, Unavailable}
    for operation in operations:
        used.update(model for model in operation.success.values() if model is not None)
        if operation.body is not None:
            used.add(operation.body)
    return used


def _public_path(path: str) -> str:
    """The path with its parameters as the reference names them."""
    segments = [segment.partition(":")[0].strip("{}") for segment in path.split("/")]
    given = [segment.startswith("{") for segment in path.split("/")]
    for place, is_parameter in enumerate(given):
        if is_parameter:
            nested = any(later in NESTED for later in segments[place + 1 :])
            segments[place] = f"{{{segments[place] if nested else 'id'}}}"
    return "/".join(segments)


def _header(name: str) -> dict[str, Any]:
    text, schema = _HEADERS[name]
    return {"description": text, "required": name in _ALWAYS_SENT, "schema": schema}


class _Described:
    """One operation below one prefix."""

    def __init__(
        self,
        operation: Operation,
        table: Mapping[str, Operation],
        references: Mapping[Model, Schema],
        path: str,
        start: str,
    ) -> None:
        self._operation = operation
        self._table = table
        self._references = references
        self._path = path
        self._start = start

    def whole(self) -> dict[str, Any]:
        """The OpenAPI operation object."""
        operation = self._operation
        scopes = ", ".join(f"`{scope}`" for scope in operation.scopes)
        body = {} if operation.body is None else {"requestBody": self._body(operation.body)}
        return {
            "operationId": operation_id(operation, self._start),
            "tags": [self._tag()],
            "summary": operation.summary,
            "description": f"{for_readers(operation.answer.__doc__)}\n\nScopes: {scopes}.",
            "security": [{"key": list(operation.scopes)}],
            "parameters": [*self._path_parameters(), *(parameter.describe() for parameter in self._parameters())],
            **body,
            "responses": {**self._successes(), **self._failures()},
        }

    def _parameters(self) -> list[Parameter]:
        return [*self._operation.parameters, *([IDEMPOTENCY_KEY] if self._operation.again is not None else [])]

    def _tag(self) -> str:
        return next(segment for segment in reversed(self._path.split("/")) if segment in TAGS)

    def _path_parameters(self) -> list[dict[str, Any]]:
        kinds = re.findall(r"{(\w+?)(?:_id)?:(\w+)}", self._operation.path)
        names = re.findall(r"{(\w+)}", self._path)
        parameters = [{"name": names[0], "in": "path", "required": True, **_ENVIRONMENT}]
        for name, (kind, convertor) in zip(names[1:], kinds, strict=True):
            article = "an" if kind[0] in "aeiou" else "a"
            number = convertor == "int"
            schema = _KINDS[convertor]
            text = f"{'Number' if number else 'Id'} of {article} {kind.replace('_', ' ')}."
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema, "description": text})
        return parameters

    def _body(self, model: Model) -> dict[str, Any]:
        content = {"schema": self._references[model], "examples": _examples({"example": self._operation.sends})}
        needed = any(field.is_required() for field in model.model_fields.values())
        return {"required": needed, "content": {JSON: content}}

    def _successes(self) -> dict[str, Any]:
        return {str(status): self._success(status, model) for status, model in sorted(self._operation.success.items())}

    def _success(self, status: int, model: Model | None) -> dict[str, Any]:
        operation = self._operation
        writes = any(scope.endswith(":write") for scope in operation.scopes)
        headers = [CORRELATION, *([ETAG] if operation.tagged else []), *([STALE] if writes else [])]
        headers += [REPLAYED] if operation.again is not None else []
        answer: dict[str, Any] = {
            "description": "Done." if model is None else for_readers(model.__doc__),
            "headers": _referenced(headers),
        }
        if model is not None:
            examples = _examples({"example": operation.shows.get(status)})
            answer["content"] = {JSON: {"schema": self._references[model], "examples": examples}}
        if operation.texts:
            texts = {
                kind: {"schema": {"type": "string", "description": text}} for kind, text in operation.texts.items()
            }
            answer["content"] = {**texts, **answer.get("content", {})}
        if operation.streams:
            lines = {"type": "string", "description": "One of `results` a line."}
            answer["content"][NDJSON] = {"schema": lines}
        if links := operation.links.get(status, ()):
            answer["links"] = {self._target(link): self._link(link) for link in links}
        return answer

    def _target(self, link: Link) -> str:
        return operation_id(self._table[link.to], self._start)

    def _link(self, link: Link) -> dict[str, Any]:
        environment = re.findall(r"{(\w+)}", self._path)[0]
        parameters = {environment: f"$request.path.{environment}", **link.parameters}
        body = {} if link.body is None else {"requestBody": link.body}
        return {
            "operationId": self._target(link),
            "description": self._table[link.to].summary + ".",
            "parameters": parameters,
            **body,
        }

    def _failures(self) -> dict[str, Any]:
        operation = self._operation
        statuses = {*refusals.ALWAYS, *operation.failures, *(refusals.WITH_BODY if operation.body else ())}
        statuses.update(refusals.WRITING if operation.again is not None else ())
        if invalid := self._invalid():
            statuses.add(400)
        described: dict[str, Any] = {}
        for status in sorted(statuses):
            own = invalid if status == HTTPStatus.BAD_REQUEST else {"example": operation.refused.get(status)}
            shown = {name: refusal for name, refusal in own.items() if refusal is not None}
            if shown:
                described[str(status)] = _failure(status, shown, self._references)
            else:
                described[str(status)] = {"$ref": f"#/components/responses/{_phrase(status)}"}
        return described

    def _invalid(self) -> dict[str, Refusal]:
        """Examples of 400; none where no request is invalid."""
        operation = self._operation
        found: dict[str, Refusal] = {}
        if own := operation.refused.get(400):
            found["example"] = own
        if operation.body is not None:
            found["malformed"] = refusals.MALFORMED
            required = [name for name, field in operation.body.model_fields.items() if field.is_required()]
            field, code, text = (
                (required[0], "required", "This field is required.")
                if required
                else (next(iter(operation.body.model_fields)), "null", "This field may not be null.")
            )
            found["field"] = refusals.invalid(field, code, text)
        for parameter in self._parameters():
            if isinstance(parameter, IfMatch):
                found["header"] = refusals.IF_MATCH
            elif isinstance(parameter, IdempotencyKey):
                found["key"] = refusals.invalid(None, "invalid_input", NO_KEY)
            elif LENIENT not in parameter.describe():
                found.setdefault("parameter", refusals.parameter(parameter.name))
        return found


def _failure(status: int, shown: Mapping[str, Refusal], references: Mapping[Model, Schema]) -> dict[str, Any]:
    model = Unavailable if status == HTTPStatus.SERVICE_UNAVAILABLE else Problem
    bodies = {name: body_of(refusal) for name, refusal in shown.items()}
    return {
        "description": refusals.MEANINGS[status],
        "headers": _referenced([CORRELATION, *_HEADERS_OF.get(status, ())]),
        "content": {JSON: {"schema": references[model], "examples": _examples(bodies)}},
    }


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")


def _referenced(headers: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _examples(bodies: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"value": body} for name, body in bodies.items() if body is not None}
