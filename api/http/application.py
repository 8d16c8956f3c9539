"""The framework's application, with layers of ours around all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send


class Application(FastAPI):
    """Layers added by `around` stand outside of the framework's own, where `add_middleware` would put them inside.

    The framework's outer layers watch for exceptions and for bodies that are too large, and measure: ours answer for
    all of these themselves (entrance, body, measures), and what needs nothing else of the framework does not pay for
    them (ADR 19).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._outermost: ASGIApp = super().__call__

    def around(self, layer: Callable[..., ASGIApp], **options: Any) -> None:
        """Puts a layer, made from the application inside and `options`, around those that are there."""
        self._outermost = layer(self._outermost, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        scope["app"] = self
        await self._outermost(scope, receive, send)
