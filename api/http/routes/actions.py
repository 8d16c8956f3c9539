"""Actions: list, create, retrieve, patch, delete (contract 8)."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.http import examples
from api.http.action_documents import ActionDocument
from api.http.answers import Answer
from api.http.bodies import CreateAction, EditAction
from api.http.calls import Call, Operation, object_id
from api.http.documents import Page
from api.http.filters import PAGING, Text
from api.http.links import of_action
from api.http.paging import page, paged
from api.http.preconditions import IF_MATCH, expected_versions, tag
from api.http.refusals import CHANGED
from api.http.writes import done, written
from commands.store.once import Kept
from domain.action import ALERT, Action
from domain.errors import NotFound
from projections.queries import accounts, actions

READ = ("vision_action:read",)
EDIT = ("vision_action:write", "session_recording:read")
DELETE = ("vision_action:write",)

SERVED_BY = ("actions",)
"""The projection that a written action shows up in."""

SCANNER = Text("scanner", "Only actions of the scanner with this id; a malformed one has none.")


def list_actions(call: Call) -> Response:
    """The project's actions, by name."""
    asked = page(call.request)
    given = SCANNER.read(call.query)
    scanner = object_id(given)
    if given and scanner is None:
        return Answer(paged(call.request, call.services.public_url, asked, 0, []))
    with call.services.pool.connection() as conn:
        count, rows = actions.page(conn, call.tenant, scanner, asked.limit, asked.offset)
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def create_action(call: Call) -> Response:
    """Creates an action: a report about a scanner's observations, on a schedule."""
    context = call.context()
    made = call.services.actions.create(context, **call.body(CreateAction, _references(call)).given())
    return _shown(call, made.action, made.position, 201)


def created_again(call: Call, kept: Kept) -> Response:
    return _shown(call, _as_written(call, kept), kept.position, 201)


def retrieve_action(call: Call) -> Response:
    """One action. Its `ETag` may be sent as `If-Match` with an edit."""
    action_id = call.object_id("action_id")
    found = _find(call, action_id)
    if found is None:
        raise NotFound
    version, document = found
    return Answer(document, headers=tag(version))


def edit_action(call: Call) -> Response:
    """Changes the given fields; each object and list whole. With `If-Match` only what the caller has seen."""
    action_id = call.object_id("action_id")
    context = call.context()
    call.services.actions.load(context, action_id)  # an unknown action is told before a bad body
    changes = call.body(EditAction, _references(call)).given()
    edited = call.services.actions.edit(context, action_id, changes, expected_versions(call.request))
    return _shown(call, edited.action, edited.position or _unseen(call, edited.action), 200)


def edited_again(call: Call, kept: Kept) -> Response:
    return _shown(call, _as_written(call, kept), kept.position, 200)


def delete_action(call: Call) -> Response:
    """Deletes the action with its runs, for good."""
    action_id = call.object_id("action_id")
    position = call.services.actions.delete(call.context(), action_id, expected_versions(call.request))
    return Response(status_code=204, headers=done(call, position, SERVED_BY))


def deleted_again(call: Call, kept: Kept) -> Response:
    return Response(status_code=204, headers=done(call, kept.position, SERVED_BY))


def _unseen(call: Call, action: Action) -> int | None:
    """For an edit that changed nothing: where the change of others lies that made it one; None when it is shown."""
    with suppress(*call.services.outages), call.services.pool.connection() as conn:
        shown = actions.action(conn, call.tenant, action.id)
        if shown is None or shown[0] < action.version:
            return call.services.actions.last_position(action)
    return None


def _shown(call: Call, action: Action, position: int | None, status: int) -> Response:
    return written(
        call,
        position,
        SERVED_BY,
        version=action.version,
        read=lambda: _find(call, action.id),
        own=lambda: _own(call, action),
        status=status,
    )


def _as_written(call: Call, kept: Kept) -> Action:
    action_id, version = kept.written()
    return call.services.actions.as_of(call.context(), action_id, version)


def _references(call: Call) -> dict[str, Any]:
    """What the body may refer to, asked where the field stands among the others (contract 2.2)."""

    def is_there(scanner_id: UUID) -> bool:
        with suppress(NotFound):
            call.services.scanners.load(call.context(), scanner_id)
            return True
        return False

    return {"scanner": is_there}


def _find(call: Call, action_id: UUID) -> tuple[int, dict[str, Any]] | None:
    with call.services.pool.connection() as conn:
        return actions.action(conn, call.tenant, action_id)


def _own(call: Call, action: Action) -> dict[str, Any]:
    """The action from its own state, when the read side is late."""
    user = None
    if action.created_by is not None:
        with suppress(*call.services.outages), call.services.pool.connection() as conn:
            user = accounts.user(conn, action.created_by)
    armed = action.mode == ALERT
    return {
        "id": action.id,
        "name": action.name,
        "scanner": action.scanner,
        "enabled": action.enabled,
        "trigger_type": action.trigger_type,
        "mode": action.mode,
        "trigger_config": action.trigger_config,
        "selection": action.selection,
        "synthesis_config": action.synthesis_config,
        "alert_config": action.alert_config,
        "delivery_config": action.delivery_config,
        "next_run_at": action.next_run_at,
        "last_run_at": None,
        "alert_state": {"state": "clear", "since": action.armed_at, "last_value": None} if armed else None,
        "hog_flow_id": None,
        "created_at": action.created_on,
        "created_by": user,
        "updated_at": action.updated_at,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="actions/",
        name="actions_list",
        scopes=READ,
        answer=list_actions,
        summary="List actions",
        success={200: Page[ActionDocument]},
        parameters=(SCANNER, *PAGING),
        shows={200: examples.page(examples.ACTION, "actions/")},
        links={200: of_action("$response.body#/results/0/id")},
    ),
    Operation(
        method="POST",
        path="actions/",
        name="actions_create",
        scopes=EDIT,
        answer=create_action,
        summary="Create an action",
        success={201: ActionDocument},
        body=CreateAction,
        again=created_again,
        sends=examples.CREATE_ACTION,
        shows={201: examples.ACTION},
        links={201: of_action("$response.body#/id")},
        tagged=True,
    ),
    Operation(
        method="GET",
        path="actions/{action_id:object}/",
        name="actions_retrieve",
        scopes=READ,
        answer=retrieve_action,
        summary="Retrieve an action",
        success={200: ActionDocument},
        shows={200: examples.ACTION},
        tagged=True,
    ),
    Operation(
        method="PATCH",
        path="actions/{action_id:object}/",
        name="actions_partial_update",
        scopes=EDIT,
        answer=edit_action,
        summary="Edit an action",
        success={200: ActionDocument},
        failures=(409, 412),
        body=EditAction,
        again=edited_again,
        parameters=(IF_MATCH,),
        sends=examples.EDIT_ACTION,
        shows={200: examples.EDITED_ACTION},
        refused={409: CHANGED},
        links={200: of_action("$response.body#/id")},
        tagged=True,
    ),
    Operation(
        method="DELETE",
        path="actions/{action_id:object}/",
        name="actions_destroy",
        scopes=DELETE,
        answer=delete_action,
        summary="Delete an action",
        success={204: None},
        failures=(409, 412),
        again=deleted_again,
        parameters=(IF_MATCH,),
        refused={409: CHANGED},
    ),
)
