"""Scanners: list, create, retrieve, patch, delete (contract 3)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import Page, ScannerDocument
from api.http.fields import Body, Flag, choice, configured_choice, number, text, without_defaults
from api.http.filters import PAGING, Boolean, Csv, Order, Text, UserIds
from api.http.free_form import document
from api.http.links import Link, of_scanner
from api.http.paging import page, paged
from api.http.preconditions import IF_MATCH, expected_versions, tag
from api.http.refusals import CHANGED
from api.http.shapes import ScannerConfig, configured_by_type
from api.http.writes import done, written
from commands.store.once import Kept
from domain.errors import NotFound
from domain.names import NAME_LENGTH
from domain.recordings_query import RecordingsQuery, check_query
from domain.scanner import DESCRIPTION_LENGTH, SMALLEST_RATE, Scanner, check_rate
from domain.scanner_types import SCANNER_TYPES
from projections.queries import accounts, estimates, scanners

READ = ("replay_scanner:read",)
EDIT = ("replay_scanner:write", "session_recording:read")
DELETE = ("replay_scanner:write",)

SERVED_BY = ("scanners",)
"""Projections that a created or edited scanner shows up in."""

EMPTIED = ("scanners", "observations", "actions", "quota")
"""Projections that a deleted scanner leaves."""

SEARCH = Text("search", "Part of the name, the description or the prompt, in any case.")
ENABLED = Csv(
    "enabled",
    ("enabled", "disabled"),
    {"true": "enabled", "1": "enabled", "false": "disabled", "0": "disabled"},
    "Comma-separated values; `true`, `1`, `false` and `0` are taken too.",
)
TYPES = Csv("scanner_type", SCANNER_TYPES)
SIGNALS = Boolean("emits_signals")
CREATORS = UserIds("created_by")
ORDER = Order(("name", "created_at", "updated_at", "scanner_type", "enabled", "sampling_rate", "created_by"))

_CONFIG_REFUSAL = "The configuration is invalid."
_QUERY_REFUSAL = "The recording filter is invalid."

_CONFIG = (
    "What is asked of each recording; the keys depend on `scanner_type`. A classifier always names at least one of its "
    "`tags`: give it one for what fits no other, such as `other` or `unclear`. A monitor has to say yes or no unless "
    "`allow_inconclusive` is true."
)


Rate = Annotated[float, number(0.0, 1.0, check_rate, {"anyOf": [{"const": 0}, {"minimum": SMALLEST_RATE}]})]
"""The share of matching sessions to scan. 0 pauses the schedule."""


class CreateScanner(Body):
    """A new scanner. Which configuration it takes depends on its type (contract 3.1)."""

    model_config = ConfigDict(json_schema_extra=configured_by_type, use_attribute_docstrings=True)

    name: Annotated[str, text(NAME_LENGTH)]
    """Unique in its project. Blanks at both ends are cut off."""
    description: Annotated[str, text(DESCRIPTION_LENGTH, blank=True)] = ""
    scanner_type: Annotated[str, choice(*SCANNER_TYPES)]
    scanner_config: Annotated[Any, document(_CONFIG_REFUSAL, shape=ScannerConfig), Field(description=_CONFIG)]
    query: Annotated[Any, document(_QUERY_REFUSAL, check_query, shape=RecordingsQuery)] = Field(
        default_factory=dict[str, Any]
    )
    """Which sessions the schedule scans; all when left out."""
    sampling_rate: Rate = 1.0
    """The share of matching sessions that the schedule scans; 0 pauses it."""
    provider: Annotated[str, configured_choice("provider")] = "google"
    """One of the providers that this server is configured with."""
    model: Annotated[str, configured_choice("model")]
    """One of the provider's models."""
    enabled: Flag = True
    """Whether the schedule scans."""
    emits_signals: Flag = False


class EditScanner(CreateScanner):
    """New values of some fields. The type cannot be changed; the configuration is the stored type's."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: Annotated[str, text(NAME_LENGTH)] = ""
    scanner_type: Annotated[str, choice(*SCANNER_TYPES)] = ""
    """Only the type that it has."""
    scanner_config: Annotated[Any, document(_CONFIG_REFUSAL, shape=ScannerConfig), Field(description=_CONFIG)] = None
    model: Annotated[str, configured_choice("model")] = ""


def list_scanners(call: Call) -> Response:
    """The project's scanners, by name unless told otherwise."""
    asked = page(call.request)
    enabled = ENABLED.read(call.query)
    filters = scanners.ScannerFilters(
        search=SEARCH.read(call.query),
        enabled=enabled[0] == "enabled" if len(enabled) == 1 else None,
        scanner_types=TYPES.read(call.query),
        emits_signals=SIGNALS.read(call.query),
        created_by=CREATORS.read(call.query),
    )
    order_by = ORDER.read(call.query)
    with call.services.pool.connection() as conn:
        count, rows = scanners.page(
            conn, call.tenant, filters, order_by, asked.limit, asked.offset, settle=call.services.settle
        )
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def create_scanner(call: Call) -> Response:
    """Creates a scanner. Answers when the new scanner is in the lists."""
    body = call.body(CreateScanner, _choices(call))
    made = call.services.scanners.create(call.context(), **body.given())
    call.services.estimates.keep(call.tenant, made.scanner)
    return _shown(call, made.scanner, made.position, 201)


def created_again(call: Call, kept: Kept) -> Response:
    return _shown(call, _as_written(call, kept), kept.position, 201)


def retrieve_scanner(call: Call) -> Response:
    """One scanner. Its `ETag` may be sent as `If-Match` with an edit."""
    scanner_id = call.object_id("scanner_id")
    found = _find(call, scanner_id)
    if found is None:
        raise NotFound
    version, document = found
    return Answer(document, headers=tag(version))


def edit_scanner(call: Call) -> Response:
    """Changes the given fields; `scanner_config` and `query` whole. With `If-Match` only what the caller has seen."""
    scanner_id = call.object_id("scanner_id")
    context = call.context()
    before = call.services.scanners.load(context, scanner_id)  # an unknown scanner is told before a bad body
    changes = call.body(EditScanner, _choices(call)).given()
    edited = call.services.scanners.edit(context, scanner_id, changes, expected_versions(call.request))
    call.services.estimates.keep(call.tenant, edited.scanner, switched_on=edited.scanner.enabled > before.enabled)
    return _shown(call, edited.scanner, edited.position or _unseen(call, edited.scanner), 200)


def edited_again(call: Call, kept: Kept) -> Response:
    return _shown(call, _as_written(call, kept), kept.position, 200)


def delete_scanner(call: Call) -> Response:
    """Deletes the scanner with its observations and actions, for good. Nothing goes back to the quota."""
    scanner_id = call.object_id("scanner_id")
    position = call.services.scanners.delete(call.context(), scanner_id, expected_versions(call.request))
    return Response(status_code=204, headers=done(call, position, EMPTIED))


def deleted_again(call: Call, kept: Kept) -> Response:
    return Response(status_code=204, headers=done(call, kept.position, EMPTIED))


def _unseen(call: Call, scanner: Scanner) -> int | None:
    """For an edit that changed nothing: where the change of others lies that made it one; None when it is shown."""
    with suppress(*call.services.outages), call.services.pool.connection() as conn:
        shown = scanners.version(conn, call.tenant, scanner.id)
        if shown is None or shown < scanner.version:
            return call.services.scanners.last_position(scanner)
    return None


def _shown(call: Call, scanner: Scanner, position: int | None, status: int) -> Response:
    return written(
        call,
        position,
        SERVED_BY,
        version=scanner.version,
        read=lambda: _find(call, scanner.id),
        own=lambda: _own(call, scanner),
        status=status,
    )


def _as_written(call: Call, kept: Kept) -> Scanner:
    scanner_id, version = kept.written()
    return call.services.scanners.as_of(call.context(), scanner_id, version)


def _find(call: Call, scanner_id: UUID) -> tuple[int, dict[str, Any]] | None:
    with call.services.pool.connection() as conn:
        return scanners.versioned(conn, call.tenant, scanner_id, settle=call.services.settle)


def _choices(call: Call) -> dict[str, Sequence[str]]:
    catalogue = call.services.catalogue
    return {"provider": list(catalogue), "model": [model for models in catalogue.values() for model in models]}


def _own(call: Call, scanner: Scanner) -> dict[str, Any]:
    """The scanner from its own state, when the read side is late."""
    user = estimate = None
    with suppress(*call.services.outages), call.services.pool.connection() as conn:
        estimate = estimates.stored(conn, call.tenant, scanner.id)
        if scanner.created_by is not None:
            user = accounts.user(conn, scanner.created_by)
    return {
        "id": scanner.id,
        "name": scanner.name,
        "description": scanner.description,
        "scanner_type": scanner.scanner_type,
        "scanner_config": scanner.scanner_config,
        "query": scanner.query,
        "sampling_rate": scanner.sampling_rate,
        "provider": scanner.provider,
        "model": scanner.model,
        "enabled": scanner.enabled,
        "emits_signals": scanner.emits_signals,
        "scanner_version": scanner.scanner_version,
        "estimated_monthly_observations": estimate and estimate.monthly,
        "last_swept_at": (scanner.enabled_on or scanner.created_on) - call.services.settle,
        "created_at": scanner.created_on,
        "created_by": user,
        "updated_at": scanner.updated_at,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/",
        name="scanners_list",
        scopes=READ,
        answer=list_scanners,
        summary="List scanners",
        success={200: Page[ScannerDocument]},
        parameters=(SEARCH, ENABLED, TYPES, SIGNALS, CREATORS, ORDER, *PAGING),
        shows={200: examples.page(examples.SCANNER, "scanners/")},
        links={200: (Link("scanners_retrieve", {"id": "$response.body#/results/0/id"}),)},
    ),
    Operation(
        method="POST",
        path="scanners/",
        name="scanners_create",
        scopes=EDIT,
        answer=create_scanner,
        summary="Create a scanner",
        success={201: ScannerDocument},
        body=CreateScanner,
        again=created_again,
        sends=examples.CREATE_SCANNER,
        shows={201: examples.SCANNER},
        links={201: of_scanner("$response.body#/id")},
        tagged=True,
    ),
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/",
        name="scanners_retrieve",
        scopes=READ,
        answer=retrieve_scanner,
        summary="Retrieve a scanner",
        success={200: ScannerDocument},
        shows={200: examples.SCANNER},
        links={
            200: tuple(
                Link(name, {"id": "$response.body#/id"}) for name in ("scanners_partial_update", "scanners_destroy")
            )
        },
        tagged=True,
    ),
    Operation(
        method="PATCH",
        path="scanners/{scanner_id:object}/",
        name="scanners_partial_update",
        scopes=EDIT,
        answer=edit_scanner,
        summary="Edit a scanner",
        success={200: ScannerDocument},
        failures=(409, 412),
        parameters=(IF_MATCH,),
        body=EditScanner,
        again=edited_again,
        sends=examples.EDIT_SCANNER,
        shows={200: examples.EDITED_SCANNER},
        refused={409: CHANGED},
        links={200: (Link("scanners_retrieve", {"id": "$response.body#/id"}),)},
        tagged=True,
    ),
    Operation(
        method="DELETE",
        path="scanners/{scanner_id:object}/",
        name="scanners_destroy",
        scopes=DELETE,
        answer=delete_scanner,
        summary="Delete a scanner",
        success={204: None},
        failures=(409, 412),
        again=deleted_again,
        parameters=(IF_MATCH,),
        refused={409: CHANGED},
    ),
)
