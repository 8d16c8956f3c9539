"""Observations: the lists and retrieves per scanner and per session (contract 4)."""

from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import ObservationDocument, Page
from api.http.fields import NOT_BLANK
from api.http.filters import PAGING, Csv, Order
from api.http.links import Link
from api.http.paging import page, paged
from api.http.refusals import invalid
from domain.errors import Invalid, NotFound
from projections.queries import observations, scanners

READ = ("replay_scanner:read", "session_recording:read")
EVIDENCE = "scanners_observations_evidence_retrieve"

STATUS = Csv("status", ("pending", "running", "succeeded", "failed", "ineligible"))
TRIGGER = Csv("triggered_by", ("schedule", "on_demand"))
VERDICT = Csv("verdict", ("yes", "no", "inconclusive"))
TAGS = Csv("tags", description="Comma-separated tags; a row matches that has any of them.")
SESSIONS = Csv("session_id", description="Comma-separated session ids.")
ORDER = Order(
    ("created_at", "started_at", "completed_at", "status", "result_score", "result_verdict", "scanner_version")
)

SESSION_NEEDED = "The session_id query parameter is required."

FILTERS = (STATUS, TRIGGER, VERDICT, TAGS, SESSIONS)


def list_scanner_observations(call: Call) -> Response:
    """A scanner's observations, newest first unless told otherwise."""
    scanner_id = call.object_id("scanner_id")
    asked = page(call.request)
    with call.services.pool.connection() as conn:
        if scanners.scanner(conn, call.tenant, scanner_id) is None:
            raise NotFound
        filters = filters_of(call, scanner_id)
        order_by = ORDER.read(call.query)
        count, rows = observations.page(conn, call.tenant, filters, order_by, asked.limit, asked.offset)
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def filters_of(call: Call, scanner_id: UUID) -> observations.ObservationFilters:
    """Contract 4.3. Raises Invalid."""
    return observations.ObservationFilters(
        scanner_id=scanner_id,
        statuses=STATUS.read(call.query),
        triggers=TRIGGER.read(call.query),
        verdicts=VERDICT.read(call.query),
        tags=TAGS.read(call.query),
        session_ids=SESSIONS.read(call.query),
    )


def list_session_observations(call: Call) -> Response:
    """Every scanner's observations of one session. `session_id` is required (contract 4.4)."""
    asked = page(call.request)
    session_id = call.query.get("session_id", "").strip()
    if not session_id:
        raise Invalid(None, "invalid_input", SESSION_NEEDED)
    if "\x00" in session_id:
        raise Invalid(None, "invalid_input", "session_id may not have null characters.")
    order_by = ORDER.read(call.query)
    filters = observations.ObservationFilters(session_ids=(session_id,))
    with call.services.pool.connection() as conn:
        count, rows = observations.page(conn, call.tenant, filters, order_by, asked.limit, asked.offset)
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def retrieve_scanner_observation(call: Call) -> Response:
    """One observation of a scanner."""
    return _found(call, call.object_id("scanner_id"), neighbours=False)


def retrieve_session_observation(call: Call) -> Response:
    """One observation, with its neighbours of the same scanner: previous is the newer one."""
    return _found(call, None, neighbours=True)


def _found(call: Call, scanner_id: UUID | None, *, neighbours: bool) -> Response:
    observation_id = call.object_id("observation_id")
    with call.services.pool.connection() as conn:
        found: dict[str, Any] | None = observations.observation(
            conn, call.tenant, observation_id, scanner_id=scanner_id, neighbours=neighbours
        )
    if found is None:
        raise NotFound
    return Answer(found)


class _RequiredSession(Csv):
    def describe(self) -> dict[str, Any]:
        """The OpenAPI parameter object."""
        schema = {"type": "string", "minLength": 1, "pattern": NOT_BLANK}
        described = {"required": True, "schema": schema, "example": examples.SESSION_ID}
        return {**super().describe(), **described, "description": "The session's id."}


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/observations/",
        name="scanners_observations_list",
        scopes=READ,
        answer=list_scanner_observations,
        summary="List a scanner's observations",
        success={200: Page[ObservationDocument]},
        parameters=(*FILTERS, ORDER, *PAGING),
        shows={200: examples.page(examples.OBSERVATION, f"scanners/{examples.SCANNER_ID}/observations/")},
        links={
            200: (
                Link(
                    "scanners_observations_retrieve",
                    {"scanner_id": "$request.path.scanner_id", "id": "$response.body#/results/0/id"},
                ),
            )
        },
    ),
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/observations/{observation_id:object}/",
        name="scanners_observations_retrieve",
        scopes=READ,
        answer=retrieve_scanner_observation,
        summary="Retrieve a scanner's observation",
        success={200: ObservationDocument},
        shows={200: examples.OBSERVATION},
        links={
            200: (
                Link("scanners_retrieve", {"id": "$response.body#/scanner_id"}),
                Link(
                    EVIDENCE,
                    {"scanner_id": "$response.body#/scanner_id", "id": "$response.body#/id"},
                ),
            )
        },
    ),
    Operation(
        method="GET",
        path="observations/",
        name="observations_list",
        scopes=READ,
        answer=list_session_observations,
        summary="List a session's observations",
        success={200: Page[ObservationDocument]},
        parameters=(_RequiredSession("session_id"), ORDER, *PAGING),
        shows={200: examples.page(examples.OBSERVATION, "observations/")},
        refused={400: invalid(None, "invalid_input", SESSION_NEEDED)},
        links={200: (Link("observations_retrieve", {"id": "$response.body#/results/0/id"}),)},
    ),
    Operation(
        method="GET",
        path="observations/{observation_id:object}/",
        name="observations_retrieve",
        scopes=READ,
        answer=retrieve_session_observation,
        summary="Retrieve an observation",
        success={200: ObservationDocument},
        shows={200: examples.OBSERVATION},
        links={
            200: (
                Link(
                    "scanners_observations_retrieve",
                    {"scanner_id": "$response.body#/scanner_id", "id": "$response.body#/id"},
                ),
            )
        },
    ),
)
