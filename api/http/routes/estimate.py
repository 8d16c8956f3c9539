"""What a scanner would have to do, before it is saved (contract 6)."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.errors import unavailable
from api.http.fields import Body, number
from api.http.free_form import document
from api.http.identifiers import identifier
from api.http.schedule_documents import EstimateDocument
from consumers.selection.counting import TooSlow
from consumers.selection.estimate import monthly
from domain.errors import Invalid
from domain.recordings_query import RecordingsQuery, check_query
from projections.queries import estimates, scanners

RETRY_SECONDS = 30
"""Told to a client whose count was too slow."""


class EstimateBody(Body):
    """A scanner that may come to be. Rates below the smallest one of a scanner are fine here (contract 6)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: Annotated[Any, document("The recording filter is invalid.", check_query, shape=RecordingsQuery)] = Field(
        default_factory=dict[str, Any]
    )
    """Which sessions; all when left out."""
    sampling_rate: Annotated[float, number(0.0, 1.0)] = 1.0
    scanner_id: Annotated[UUID | None, identifier(null=True)] = None
    """The scanner that is being edited."""


def estimate(call: Call) -> Response:
    """How many sessions of the last 30 days a query matches, and what that makes in observations a month.

    A query with `unsupported_conditions` matches nothing. `scanner_id` names the scanner that is being edited, so that
    its own stored estimate is not counted twice.
    """
    body = call.body(EstimateBody)
    query = check_query(body.query or {})  # without the date keys, which the look-back stands for
    with call.services.pool.connection() as conn:
        if body.scanner_id is not None and scanners.version(conn, call.tenant, body.scanner_id) is None:
            raise Invalid("scanner_id", "invalid_input", "There is no such scanner in this project.")
        others = estimates.planned(conn, call.tenant, body.scanner_id)
    try:
        found = call.services.estimates.matched(call.tenant, query)
    except TooSlow:
        raise unavailable("The sessions could not be counted in time.", RETRY_SECONDS) from None
    return Answer(
        {
            "matched_sessions_in_window": found.sessions,
            "window_days": found.window_days,
            "estimated_observations_per_month": monthly(found, body.sampling_rate),
            "sampling_rate": body.sampling_rate,
            "other_enabled_scanners_monthly": others,
            "unsupported_conditions": list(found.unsupported),
        }
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="scanners/estimate/",
        name="scanners_estimate_create",
        scopes=("replay_scanner:read", "session_recording:read"),
        answer=estimate,
        summary="Estimate what a scanner would have to do",
        success={200: EstimateDocument},
        body=EstimateBody,
        analytics=True,
        sends=examples.ESTIMATE,
        shows={200: examples.ESTIMATED},
    ),
)
