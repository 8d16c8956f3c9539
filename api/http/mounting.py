"""Puts the route table into the application, under both prefixes."""

from collections.abc import Iterable

from fastapi import FastAPI

from api.http.calls import Operation
from api.http.endpoints import endpoint
from api.http.openapi import PREFIXES, document, operation_id

ENVIRONMENT = "environment_id"
"""What the environment's id is called inside, under either prefix."""


def mount(app: FastAPI, operations: Iterable[Operation], public_url: str) -> None:
    """Registers each operation under `/api/environments/…` and `/api/projects/…`, and describes them all."""
    table = tuple(operations)
    for operation in table:
        answer = endpoint(operation)
        for prefix, start in PREFIXES:
            app.add_api_route(
                f"{prefix.replace('{project_id}', f'{{{ENVIRONMENT}}}')}/{operation.address}",
                answer,
                methods=[operation.method],
                name=operation_id(operation, start),
                summary=operation.summary,
                include_in_schema=False,
                response_model=None,
            )
    described = document(table, public_url)
    app.openapi = lambda: described
