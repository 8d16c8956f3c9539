"""Builds the HTTP application from its services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from api.http import errors, reference_page
from api.http.answers import Answer
from api.http.application import Application
from api.http.entrance import Entrance, visit
from api.http.errors import Refusal, envelope
from api.http.mounting import mount
from api.http.routes import (
    action_runs,
    actions,
    capture,
    estimate,
    evidence,
    gaps,
    health,
    history,
    observations,
    observing,
    quota,
    scanner_health,
    scanners,
    session_recordings,
    stats,
)
from api.http.services import Services
from domain.errors import VisionError

NOUNS = (
    scanners,
    estimate,
    scanner_health,
    gaps,
    observing,
    observations,
    evidence,
    stats,
    quota,
    actions,
    action_runs,
    history,
    session_recordings,
)
"""Modules with the rows of the route table, each a tuple OPERATIONS."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

OPERATIONS = tuple(operation for noun in NOUNS for operation in noun.OPERATIONS)
"""The route table of the API."""


def create_app(services: Services) -> FastAPI:
    """The application. Holds no state of its own; building it twice is harmless."""
    app = Application(
        title="Replay Vision",
        openapi_url="/api/schema/",
        docs_url=None,  # the framework's page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(services),
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={
            Refusal: _refused,
            VisionError: _refused_by_domain,
            HTTPException: _refused_by_framework,
            RequestValidationError: _unread,
            **dict.fromkeys(services.outages, _outage),
            Exception: _escaped,
        },
    )
    app.state.services = services
    capture.mount(app, services)
    app.around(Entrance)
    capture.open_to_pages(app, services)
    mount(app, OPERATIONS, services.public_url)
    health.mount(app)
    reference_page.mount(app)
    return app


def _lifespan(services: Services):  # noqa: ANN202 - the framework's own lifespan type is Any
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """One thread per connection: more threads would only wait for a connection, in no order.

        Capture has threads of its own, or recordings that wait for the transport would hold all of them.
        """
        threads = max(1, services.pool.max_size - capture.threads(services))
        anyio.to_thread.current_default_thread_limiter().total_tokens = threads
        yield

    return lifespan


async def _refused(_: Request, refusal: Refusal) -> Response:
    return envelope(refusal)


async def _refused_by_domain(_: Request, error: VisionError) -> Response:
    return envelope(errors.from_domain(error))


async def _outage(request: Request, error: Exception) -> Response:
    errors.log.warning("unavailable: %s [%s]", error, visit(request.scope).correlation_id)
    return envelope(errors.outage(error))


async def _escaped(_: Request, error: Exception) -> Response:
    """Lets it through to the entrance, which logs and answers it; the framework has an answer of its own else."""
    raise error


async def _unread(_: Request, __: RequestValidationError) -> Response:
    return envelope(Refusal(400, "validation_error", "invalid_input", "The request could not be read."))


async def _refused_by_framework(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = _allowed(request)
        if request.method == "OPTIONS":
            return Answer(_metadata(request), headers={"Allow": allow})
        return envelope(errors.method_not_allowed(visit(request.scope).method, allow))
    if error.status_code == HTTPStatus.NOT_FOUND:
        return envelope(errors.not_found())
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return envelope(errors.unavailable())
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return envelope(errors.server_error())
    return envelope(Refusal(error.status_code, "invalid_request", "error", error.detail, headers=error.headers))


def _allowed(request: Request) -> str:
    """Every method that some route takes at this address."""
    taken = [method for method in METHODS if _matches(request, method)]
    return ", ".join([*taken, *(["HEAD"] if "GET" in taken else []), "OPTIONS"])


def _matches(request: Request, method: str) -> bool:
    scope: Scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)


def _metadata(request: Request) -> dict[str, object]:
    name = getattr(request.scope.get("route"), "summary", None) or "Replay Vision"
    return {"name": name, "description": "", "renders": ["application/json"], "parses": ["application/json"]}
