"""Past the framework's routing, for the few addresses that are asked as often as all others together.

The framework looks through its routes in turn and wraps each request in layers for what it allows endpoints to do. That
costs more than all that a recording's post is asked for by itself (ADR 0019).
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Shortcut:
    """Takes a request to one of `routes` straight to its endpoint, and all others the common way.

    For plain routes with a path that has no parameters, whose endpoints, functions from a request to a response, answer
    whatever happens: the application's exception handlers are not reached. The routes stay in the application's table,
    which tells what other methods are answered.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes = {(method, route.path): route for route in routes for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # as the framework does: it is what the request counts as
        response = await route.endpoint(Request(scope, receive))
        await response(scope, receive, send)
