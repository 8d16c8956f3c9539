"""Puts the route table into the application, under both prefixes, and describes it for the OpenAPI document."""

import re
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI

from api.http.calls import Operation
from api.http.documents import Problem
from api.http.endpoints import endpoint
from api.http.repeats import HEADER, LONGEST_KEY, REPLAYED

PREFIXES = (
    ("/api/environments/{environment_id}", "environments_vision"),
    ("/api/projects/{environment_id}", "vision"),
)
"""Both names of the same thing (contract 1), each with the start of its operation ids."""

_ALWAYS = (401, 403, 404, 406, 429, 503)
_WITH_BODY = (400, 408, 413, 415)
_WRITING = (400, 409)

_MEANINGS = {
    400: "The request is malformed or breaks a rule.",
    401: "No key, or an unknown one.",
    402: "The organization's quota is used up.",
    403: "The key lacks a scope or may not enter the project.",
    404: "Unknown project or object.",
    406: "The client does not take JSON.",
    408: "The body took too long to arrive.",
    409: "The object's present state does not allow it, or the `Idempotency-Key` came with another body before.",
    412: "Somebody else has changed the object since the caller read it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests, or too much of this is in flight.",
    503: "The server cannot do this now.",
}

_RETRY_AFTER = {"schema": {"type": "integer", "minimum": 1}}
_HEADERS: dict[int, dict[str, Any]] = {
    429: {"Retry-After": {**_RETRY_AFTER, "description": "Seconds until there is room. Absent when nobody knows."}},
    503: {"Retry-After": {**_RETRY_AFTER, "description": "Seconds after which to try again."}},
}

_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
    "description": (
        "Makes this request safe to send again: for a day, the same request of the same user with the same key is "
        "answered as the first was and changes nothing. Errors are not kept. Another body under the key is 409."
    ),
}
_REPLAYED: dict[str, Any] = {
    REPLAYED: {"schema": {"type": "string", "enum": ["true"]}, "description": "The answer of an earlier request."}
}

_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "environment_id": {
        "schema": {"type": "string", "pattern": r"^([0-9]+|@current)$"},
        "description": "Id of the environment (project), or `@current` for the first one that the key may use.",
    },
    "scanner_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of a scanner."},
    "action_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of an action."},
    "gap_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of a gap in a schedule."},
    "observation_id": {"schema": {"type": "string", "format": "uuid"}, "description": "Id of an observation."},
}


def mount(app: FastAPI, operations: Iterable[Operation]) -> None:
    """Registers each operation under `/api/environments/…` and `/api/projects/…`."""
    for operation in operations:
        for prefix, group in PREFIXES:
            _register(app, operation, f"{prefix}/vision/{operation.path}", f"{group}_{operation.name}")


def _register(app: FastAPI, operation: Operation, path: str, operation_id: str) -> None:
    app.add_api_route(
        path,
        endpoint(operation),
        methods=[operation.method],
        operation_id=operation_id,
        name=operation_id,
        summary=operation.summary,
        tags=[operation.path.partition("/")[0]],
        status_code=next(iter(operation.success)),
        response_model=None,
        responses=_responses(operation),
        openapi_extra=_extra(operation, path),
        description=_description(operation),
    )


def _responses(operation: Operation) -> dict[int | str, dict[str, Any]]:
    described: dict[int | str, dict[str, Any]] = {}
    for status, model in operation.success.items():
        described[status] = {"description": "Success"} if model is None else {"description": "Success", "model": model}
        if operation.again is not None:
            described[status]["headers"] = _REPLAYED
    statuses = {*_ALWAYS, *operation.failures, *(_WITH_BODY if operation.body else ())}
    statuses.update(_WRITING if operation.again is not None else ())
    if operation.parameters:
        statuses.add(400)
    for status in sorted(statuses):
        described[status] = {"description": _MEANINGS[status], "model": Problem}
        if status in _HEADERS:
            described[status]["headers"] = _HEADERS[status]
    return described


def _extra(operation: Operation, path: str) -> dict[str, Any]:
    names = [name.partition(":")[0] for name in re.findall(r"{(.*?)}", path)]
    parameters = [{"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]} for name in names]
    parameters += [parameter.describe() for parameter in operation.parameters]
    parameters += [_KEY] if operation.again is not None else []
    extra: dict[str, Any] = {"parameters": parameters, "security": [{"key": list(operation.scopes)}]}
    if operation.body is not None:
        schema = operation.body.model_json_schema()
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {**extra, **operation.extra}


def _description(operation: Operation) -> str:
    text = " ".join((operation.answer.__doc__ or operation.summary).split())
    return f"{text}\n\nScopes: {', '.join(operation.scopes)}."
