"""Whether the process lives, whether it can serve, and what it measures (operator interface, Health)."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.http.answers import Answer
from api.http.errors import RETRY_SECONDS
from api.http.services import Readiness, services_of

LOOK_SECONDS = 5.0
LATE = "the database does not answer"
LATER = {"Retry-After": str(RETRY_SECONDS)}

T = TypeVar("T")


def mount(app: FastAPI) -> None:
    """Registers `/healthz`, `/readyz` and `/metrics`."""
    app.add_api_route("/healthz/", healthz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/readyz/", readyz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/metrics/", metrics, methods=["GET"], include_in_schema=False)


async def healthz() -> Response:
    """Answered by the event loop itself: it says that the process lives, whatever its threads wait for."""
    return Answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """503 and the reasons when database, transport or projections are beyond their limits; warnings do not count."""
    state = await _in_time(services_of(request).readiness) or Readiness(ready=False, reasons=[LATE])
    body = {"ready": state.ready, "reasons": list(state.reasons), "warnings": list(state.warnings)}
    headers = {"Cache-Control": "no-store"}
    return Answer(body, 200, headers=headers) if state.ready else Answer(body, 503, headers={**headers, **LATER})


async def metrics() -> Response:
    """Prometheus text of this process; 503 when the database does not answer the questions in it."""
    text = await _in_time(generate_latest)
    return Response(text, media_type=CONTENT_TYPE_LATEST) if text is not None else Response(LATE, 503, headers=LATER)


async def _in_time(look: Callable[[], T]) -> T | None:
    """What `look` finds, None after LOOK_SECONDS.

    In threads of its own: requests that hang in a frozen database must not keep health from saying so. A look that
    hangs is left behind and holds one of them until it ends.
    """
    with move_on_after(LOOK_SECONDS):
        return await to_thread.run_sync(look, abandon_on_cancel=True, limiter=_looks())
    return None


@cache
def _looks() -> CapacityLimiter:
    return CapacityLimiter(4)
