"""Asking for scans: observe, bulk_observe and retry (contract 5, extensions "Observing")."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any
from uuid import UUID

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import BulkObserveDocument, ObserveDocument
from api.http.fields import Body, several, text
from api.http.links import of_observation
from api.http.refusals import invalid
from api.http.writes import done
from commands.observations import Requested
from commands.store.application import BULK
from commands.store.once import Kept
from domain.errors import Invalid, NotFound
from domain.ids import workflow_id
from domain.observation import SESSION_ID_LENGTH
from projections.queries import observations

SCOPES = ("replay_scanner:write", "session_recording:read")
SERVED_BY = ("observations", "quota")

SUCCEEDED = "A succeeded observation cannot be retried."

SKIPPED = {"capped": "skipped_limit", "no_quota": "skipped_quota"}


class ObserveBody(Body):
    """The recorded session to scan (contract 5)."""

    session_id: Annotated[str, text(SESSION_ID_LENGTH)]


class BulkObserveBody(Body):
    """The recorded sessions to scan (extensions "Observing")."""

    session_ids: Annotated[list[Annotated[str, text(SESSION_ID_LENGTH)]], several(BULK)]


def observe(call: Call) -> Response:
    """Asks for one session to be scanned, whatever the scanner's schedule. 200 when the pair already has an ending."""
    scanner_id = call.object_id("scanner_id")
    context = call.context()
    call.services.observations.check_admission(context, scanner_id)
    session_id = call.body(ObserveBody).session_id
    (asked,) = call.services.observations.request(context, scanner_id, [session_id], "on_demand")
    if asked.outcome in ("no_quota", "capped"):
        raise call.services.observations.refusal(context, scanner_id, asked.outcome)
    answer = {"workflow_id": workflow_id(scanner_id, session_id), "observation_id": asked.observation_id}
    if asked.outcome == "exists":
        known = call.services.observations.load(context, asked.observation_id)
        headers = done(call, _unseen(call, [asked.observation_id]), SERVED_BY)
        return Answer(answer, 202 if known.in_flight else 200, headers=headers)
    return Answer(answer, 202, headers=done(call, asked.position, SERVED_BY))


def observed_again(call: Call, kept: Kept) -> Response:
    scanner_id, session_id = call.object_id("scanner_id"), call.body(ObserveBody).session_id
    answer = {"workflow_id": workflow_id(scanner_id, session_id), "observation_id": kept.outcomes[0].stream}
    return Answer(answer, 202, headers=done(call, kept.position, SERVED_BY))


def bulk_observe(call: Call) -> Response:
    """Asks for up to 200 sessions to be scanned. Always 202: what became of each is in `results`, in their order."""
    scanner_id = call.object_id("scanner_id")
    context = call.context()
    call.services.scanners.load(context, scanner_id)  # an unknown scanner is told before a bad body
    session_ids = call.body(BulkObserveBody).session_ids
    return _told(call, call.services.observations.request(context, scanner_id, session_ids, "on_demand"))


def bulk_observed_again(call: Call, kept: Kept) -> Response:
    session_ids = call.body(BulkObserveBody).session_ids
    scanner_id = call.object_id("scanner_id")
    return _told(call, call.services.observations.requested(call.context(), scanner_id, session_ids, kept.outcomes))


def _told(call: Call, asked: Sequence[Requested]) -> Response:
    known = [one.observation_id for one in asked if one.outcome == "exists"]
    positions = [_unseen(call, known), *(one.position for one in asked)]
    headers = done(call, max((one for one in positions if one is not None), default=None), SERVED_BY)
    with call.services.pool.connection() as conn:
        ended = observations.ended(conn, call.tenant, known)
    results: list[dict[str, Any]] = []
    seen: set[str] = set()
    for one in asked:
        results.append(
            {
                "session_id": one.session_id,
                "observation_id": None if one.outcome in SKIPPED else one.observation_id,
                "scan_outcome": _outcome(one, ended=one.observation_id in ended, again=one.session_id in seen),
            }
        )
        seen.add(one.session_id)
    started = sum(result["scan_outcome"] == "started" for result in results)
    return Answer({"started": started, "results": results}, 202, headers=headers)


def _unseen(call: Call, observation_ids: Collection[UUID]) -> int | None:
    """The log position up to which the read side has to come to show all of them; None when it does.

    Somebody else has just requested them: whoever is told of an observation can read it.
    """
    with call.services.pool.connection() as conn:
        missing = set(observation_ids) - observations.shown(conn, call.tenant, observation_ids)
    return call.services.observations.last_position(missing) if missing else None


def _outcome(asked: Requested, *, ended: bool, again: bool) -> str:
    if asked.outcome in SKIPPED:
        return SKIPPED[asked.outcome]
    if asked.outcome == "started" and not again:
        return "started"
    return "already_scanned" if ended else "already_running"


def retry(call: Call) -> Response:
    """Scans a failed or ineligible observation again: the same observation, its next run."""
    scanner_id, observation_id = call.object_id("scanner_id"), call.object_id("observation_id")
    context = call.context()
    call.services.scanners.load(context, scanner_id)  # the observations of a deleted scanner are gone
    known = call.services.observations.load(context, observation_id)
    if known.scanner_id != scanner_id:
        raise NotFound
    if known.status == "succeeded":
        raise Invalid(None, "invalid_input", SUCCEEDED)
    retried, position = call.services.observations.retry(context, observation_id)
    answer = {"workflow_id": workflow_id(scanner_id, retried.session_id), "observation_id": observation_id}
    return Answer(answer, 202, headers=done(call, position, SERVED_BY))


def retried_again(call: Call, kept: Kept) -> Response:
    scanner_id, observation_id = call.object_id("scanner_id"), call.object_id("observation_id")
    session_id = call.services.observations.load(call.context(), observation_id).session_id
    answer = {"workflow_id": workflow_id(scanner_id, session_id), "observation_id": observation_id}
    return Answer(answer, 202, headers=done(call, kept.position, SERVED_BY))


OPERATIONS = (
    Operation(
        method="POST",
        path="scanners/{scanner_id:object}/observe/",
        name="scanners_observe_create",
        scopes=SCOPES,
        answer=observe,
        summary="Scan one session now",
        success={202: ObserveDocument, 200: ObserveDocument},
        failures=(402, 429),
        body=ObserveBody,
        again=observed_again,
        sends=examples.OBSERVE,
        shows={202: examples.OBSERVED, 200: examples.OBSERVED},
        links={status: of_observation("$response.body#/observation_id", "$request.path.id") for status in (202, 200)},
    ),
    Operation(
        method="POST",
        path="scanners/{scanner_id:object}/bulk_observe/",
        name="scanners_bulk_observe_create",
        scopes=SCOPES,
        answer=bulk_observe,
        summary="Scan several sessions now",
        success={202: BulkObserveDocument},
        body=BulkObserveBody,
        again=bulk_observed_again,
        sends=examples.BULK_OBSERVE,
        shows={202: examples.BULK_OBSERVED},
        links={202: of_observation("$response.body#/results/0/observation_id", "$request.path.id")},
    ),
    Operation(
        method="POST",
        path="scanners/{scanner_id:object}/observations/{observation_id:object}/retry/",
        name="scanners_observations_retry_create",
        scopes=SCOPES,
        answer=retry,
        summary="Scan a failed or ineligible session again",
        success={202: ObserveDocument},
        failures=(400, 402, 409, 429),
        again=retried_again,
        shows={202: examples.OBSERVED},
        refused={400: invalid(None, "invalid_input", SUCCEEDED)},
        links={202: of_observation("$response.body#/observation_id", "$request.path.scanner_id")},
    ),
)
