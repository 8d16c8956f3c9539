"""A request that is sent again with its key, and another one with the same key (architecture 4; ADR 12).

Directed, because a generator that draws the same key again and again learns nothing but conflicts.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import BaseSchema

REPLAYED = "Idempotency-Replayed"


def send_again(schema: BaseSchema, path: str, parameters: dict[str, Any], api_key: str) -> list[str]:
    """What is wrong with the answers, which all have to fit the document.

    `path` is that of a POST with a named object for its body.
    """
    key = str(uuid4())
    first, second, other = (_body(f"Again {key}"), _body(f"Again {key}"), _body(f"Other {key}"))

    def send(body: dict[str, Any]) -> Any:
        case = schema[path]["POST"].Case(
            path_parameters=parameters,
            headers={"Idempotency-Key": key, "Authorization": f"Bearer {api_key}"},
            body=body,
            media_type="application/json",
        )
        return case.call_and_validate()

    try:
        made, repeated, refused = send(first), send(second), send(other)
    except FailureGroup as failures:
        return [str(failure) for failure in failures.exceptions]
    seen = (
        made.status_code,
        repeated.status_code,
        refused.status_code,
        REPLAYED.lower() in made.headers,
        repeated.headers.get(REPLAYED.lower()),
        repeated.json() == made.json(),
    )
    return [] if seen == (201, 201, 409, False, ["true"], True) else [f"{path}: {seen}"]


def _body(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "scanner_type": "monitor",
        "scanner_config": {"prompt": "Did the visitor give up?"},
        "provider": "builtin",
        "model": "builtin",
    }
