"""The history of a scanner or an action: who changed what, when, from which value to which (extensions "Audit")."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from api.http import examples
from api.http.answers import Answer, encode
from api.http.calls import Call, Operation
from api.http.documents import CursorPage, HistoryEntry
from api.http.filters import LIMIT, Csv, Moment, Text
from api.http.negotiation import NDJSON, prefers
from api.http.paging import LARGEST_LIMIT, cursor_paged, page
from domain.errors import NotFound
from projections.queries import history

TYPES = Csv("type", description="Comma-separated event types, as `ScannerReconfigured`.")
ACTOR = Text("actor", "A user's id, a key's prefix, a role of the system, or one of `user`, `key`, `system`.", 255)
AFTER = Moment("after", "Only events recorded at this time or later.")
BEFORE = Moment("before", "Only events recorded before this time.")
CURSOR = Text("cursor", "From `next` or `previous` of another page.", 255)
PARAMETERS = (TYPES, ACTOR, AFTER, BEFORE, CURSOR, LIMIT)


def scanner_history(call: Call) -> Response:
    """A scanner's events, oldest first; also of a deleted one. `Accept: application/x-ndjson` streams all of them."""
    return _history(call, "scanner", call.object_id("scanner_id"))


def action_history(call: Call) -> Response:
    """An action's events, oldest first; also of a deleted one. `Accept: application/x-ndjson` streams all of them."""
    return _history(call, "action", call.object_id("action_id"))


def _history(call: Call, kind: str, stream: UUID) -> Response:
    asked = page(call.request)
    whole = history.HistoryFilters(stream=str(stream))
    with call.services.pool.connection() as conn:
        first = history.page(conn, call.tenant, whole, limit=1).entries
        if not first or first[0]["stream"]["type"] != kind:
            raise NotFound
        filters = _narrowed(whole, call.query)
        if prefers(call.request, NDJSON):
            return StreamingResponse(_lines(call, filters), media_type=NDJSON)
        found = history.page(conn, call.tenant, filters, CURSOR.read(call.query) or None, asked.limit)
    public_url = call.services.public_url
    return Answer(cursor_paged(call.request, public_url, found.entries, found.next, found.previous))


def _narrowed(whole: history.HistoryFilters, query: QueryParams) -> history.HistoryFilters:
    return replace(
        whole,
        types=TYPES.read(query),
        actor=ACTOR.read(query),
        after=AFTER.read(query),
        before=BEFORE.read(query),
    )


def _lines(call: Call, filters: history.HistoryFilters) -> Iterator[bytes]:
    """One entry a line, read a page at a time.

    Memory does not grow with the history, and a slow client holds no connection to the database.
    """
    cursor: str | None = None
    while True:
        with call.services.pool.connection() as conn:
            found = history.page(conn, call.tenant, filters, cursor, LARGEST_LIMIT)
        yield _joined(found.entries)
        cursor = found.next
        if cursor is None:
            return


def _joined(entries: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(encode(entry) + b"\n" for entry in entries)


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/history/",
        name="scanners_history_list",
        scopes=("activity_log:read", "replay_scanner:read"),
        answer=scanner_history,
        summary="List a scanner's history",
        success={200: CursorPage[HistoryEntry]},
        parameters=PARAMETERS,
        shows={200: examples.cursor_page(examples.HISTORY_ENTRY, f"scanners/{examples.SCANNER_ID}/history/")},
        streams=True,
    ),
    Operation(
        method="GET",
        path="actions/{action_id:object}/history/",
        name="actions_history_list",
        scopes=("activity_log:read", "vision_action:read"),
        answer=action_history,
        summary="List an action's history",
        success={200: CursorPage[HistoryEntry]},
        parameters=PARAMETERS,
        shows={200: examples.cursor_page(examples.ACTION_ENTRY, f"actions/{examples.ACTION_ID}/history/")},
        streams=True,
    ),
)
