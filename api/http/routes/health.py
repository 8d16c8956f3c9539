"""Whether the process lives, whether it can serve, and what it measures (operator interface, Health)."""

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.http.answers import Answer
from api.http.services import services_of


def mount(app: FastAPI) -> None:
    """Registers `/healthz`, `/readyz` and `/metrics`."""
    app.add_api_route("/healthz/", healthz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/readyz/", readyz, methods=["GET"], include_in_schema=False)
    app.add_api_route("/metrics/", metrics, methods=["GET"], include_in_schema=False)


async def healthz() -> Response:
    """Answered by the event loop itself: it says that the process lives, whatever its threads wait for."""
    return Answer({"status": "ok"})


def readyz(request: Request) -> Response:
    """503 and the reasons when database, transport or projections are beyond their limits; warnings do not count."""
    state = services_of(request).readiness()
    body = {"ready": state.ready, "reasons": list(state.reasons), "warnings": list(state.warnings)}
    return Answer(body, 200 if state.ready else 503, headers={"Cache-Control": "no-store"})


def metrics() -> Response:
    """Prometheus text of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
