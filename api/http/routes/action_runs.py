"""Runs of actions: list, retrieve, run now, deliver again (extensions "Actions")."""

from uuid import UUID

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import Page
from api.http.filters import PAGING
from api.http.links import of_delivery, of_run
from api.http.paging import page, paged
from api.http.refusals import DELIVERING, RUNNING
from api.http.run_documents import RedeliveredDocument, RunDetailDocument, RunDocument, RunStartedDocument
from api.http.writes import done
from commands.store.once import Kept
from domain.errors import NotFound
from projections.queries import action_runs, actions

READ = ("vision_action:read", "session_recording:read")

SERVED_BY = ("actions", "action_runs")
"""The projections that a claimed run shows up in."""


def list_runs(call: Call) -> Response:
    """The action's runs, newest first."""
    action_id = call.object_id("action_id")
    asked = page(call.request)
    with call.services.pool.connection() as conn:
        if actions.action(conn, call.tenant, action_id) is None:
            raise NotFound
        count, rows = action_runs.page(conn, call.tenant, action_id, asked.limit, asked.offset)
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def retrieve_run(call: Call) -> Response:
    """One run with its report, the observations that the report refers to, and its deliveries."""
    action_id, run_id = call.object_id("action_id"), call.object_id("run_id")
    with call.services.pool.connection() as conn:
        if actions.action(conn, call.tenant, action_id) is None:
            raise NotFound
        found = action_runs.run(conn, call.tenant, action_id, run_id)
    if found is None:
        raise NotFound
    return Answer(found)


def run_now(call: Call) -> Response:
    """Begins a run at once, whether the action is enabled or not. Its schedule stays as it is."""
    action_id = call.object_id("action_id")
    claimed = call.services.action_runs.run_now(call.context(), action_id)
    return _begun(call, claimed.run.id, claimed.position)


def run_again(call: Call, kept: Kept) -> Response:
    run_id, _ = kept.written()
    return _begun(call, run_id, kept.position)


def _begun(call: Call, run_id: UUID, position: int | None) -> Response:
    return Answer({"run_id": run_id}, 202, headers=done(call, position, SERVED_BY))


def redeliver(call: Call) -> Response:
    """Delivers a run's report again to one of its targets, with the same id as before."""
    action_id, run_id, delivery_id = (call.object_id(name) for name in ("action_id", "run_id", "delivery_id"))
    written = call.services.action_runs.redeliver(call.context(), action_id, run_id, delivery_id)
    return _redelivering(call, delivery_id, written.position)


def redelivered_again(call: Call, kept: Kept) -> Response:
    return _redelivering(call, call.object_id("delivery_id"), kept.position)


def _redelivering(call: Call, delivery_id: UUID, position: int | None) -> Response:
    return Answer({"id": delivery_id, "status": "pending"}, 202, headers=done(call, position, SERVED_BY))


OPERATIONS = (
    Operation(
        method="POST",
        path="actions/{action_id:object}/run/",
        name="actions_run_create",
        scopes=("vision_action:write", "session_recording:read"),
        answer=run_now,
        summary="Run an action now",
        success={202: RunStartedDocument},
        failures=(409,),
        again=run_again,
        shows={202: examples.RUN_STARTED},
        refused={409: RUNNING},
        links={202: of_run("$response.body#/run_id", "$request.path.id")},
    ),
    Operation(
        method="GET",
        path="actions/{action_id:object}/runs/",
        name="actions_runs_list",
        scopes=READ,
        answer=list_runs,
        summary="List the runs of an action",
        success={200: Page[RunDocument]},
        parameters=PAGING,
        shows={200: examples.page(examples.RUN, f"actions/{examples.ACTION_ID}/runs/")},
        links={200: of_run("$response.body#/results/0/id", "$request.path.action_id")},
    ),
    Operation(
        method="GET",
        path="actions/{action_id:object}/runs/{run_id:object}/",
        name="actions_runs_retrieve",
        scopes=READ,
        answer=retrieve_run,
        summary="Retrieve a run of an action",
        success={200: RunDetailDocument},
        shows={200: examples.RUN_DETAIL},
        links={200: of_delivery("$response.body#/deliveries/0/id", "$request.path.id", "$request.path.action_id")},
    ),
    Operation(
        method="POST",
        path="actions/{action_id:object}/runs/{run_id:object}/deliveries/{delivery_id:object}/redeliver/",
        name="actions_runs_deliveries_redeliver_create",
        scopes=("vision_action:write",),
        answer=redeliver,
        summary="Deliver a report again",
        success={202: RedeliveredDocument},
        failures=(409,),
        again=redelivered_again,
        shows={202: examples.REDELIVERED},
        refused={409: DELIVERING},
    ),
)
