"""Gaps in a scanner's schedule, and asking for their sessions after all (extensions "Observing")."""

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import Page
from api.http.errors import unavailable
from api.http.filters import PAGING
from api.http.links import of_gap
from api.http.paging import page, paged
from api.http.refusals import CHANGED
from api.http.routes.estimate import RETRY_SECONDS
from api.http.schedule_documents import GapDocument, RedriveDocument
from api.http.writes import done
from commands.store.once import Kept
from consumers.selection.asking import SESSION_TOO_SLOW
from consumers.selection.counting import TooSlow
from domain.errors import NotFound
from projections.queries import gaps, scanners

SERVED_BY = ("scanners",)


def list_gaps(call: Call) -> Response:
    """Sessions that the schedule passed over, latest first.

    That is because the quota was used up and is not waited for, or because the query takes too long with a session
    (`session_too_slow`). `from` and `to` are when the first and the last session of the gap settled. `sessions` are
    those of its settled sessions that the scanner's present query matches, before sampling; a redrive looks at these.
    A session that took too long is not looked at again for that, and counts.
    """
    scanner_id = call.object_id("scanner_id")
    asked = page(call.request)
    with call.services.pool.connection() as conn:
        scanner = scanners.scanner(conn, call.tenant, scanner_id, settle=call.services.settle)
        if scanner is None:
            raise NotFound
        count, found = gaps.page(conn, call.tenant, scanner_id, asked.limit, asked.offset)
    try:
        ranges = [(gap.first, gap.last) for gap in found if gap.reason != SESSION_TOO_SLOW]
        counted = iter(call.services.estimates.matched_in(call.tenant, scanner["query"], ranges))
    except TooSlow:
        raise unavailable("The sessions could not be counted in time.", RETRY_SECONDS) from None
    sessions = [1 if gap.reason == SESSION_TOO_SLOW else next(counted) for gap in found]
    rows = [
        {
            "id": gap.id,
            "from": gap.began,
            "to": gap.ended,
            "reason": gap.reason,
            "sessions": number,
            "redriven_at": gap.redriven_at,
        }
        for gap, number in zip(found, sessions, strict=True)
    ]
    return Answer(paged(call.request, call.services.public_url, asked, count, rows))


def redrive_gap(call: Call) -> Response:
    """Has the schedule work through a gap after all, within quota and caps. Asking again changes nothing."""
    scanner_id, gap_id = call.object_id("scanner_id"), call.object_id("gap_id")
    at, position = call.services.scanners.redrive_gap(call.context(), scanner_id, gap_id)
    return Answer({"id": gap_id, "redriven_at": at}, 202, headers=done(call, position, SERVED_BY))


def redriven_again(call: Call, kept: Kept) -> Response:
    gap_id = call.object_id("gap_id")
    scanner = call.services.scanners.as_of(call.context(), *kept.written())
    answer = {"id": gap_id, "redriven_at": scanner.skipped[str(gap_id)].redriven_at}
    return Answer(answer, 202, headers=done(call, kept.position, SERVED_BY))


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/gaps/",
        name="scanners_gaps_list",
        scopes=("replay_scanner:read",),
        answer=list_gaps,
        summary="List the gaps in a scanner's schedule",
        success={200: Page[GapDocument]},
        parameters=PAGING,
        shows={200: examples.page(examples.GAP, f"scanners/{examples.SCANNER_ID}/gaps/")},
        links={200: of_gap("$response.body#/results/0/id", "$request.path.scanner_id")},
    ),
    Operation(
        method="POST",
        path="scanners/{scanner_id:object}/gaps/{gap_id:object}/redrive/",
        name="scanners_gaps_redrive_create",
        scopes=("replay_scanner:write", "session_recording:read"),
        answer=redrive_gap,
        summary="Have a gap worked through after all",
        success={202: RedriveDocument},
        failures=(409,),
        again=redriven_again,
        shows={202: examples.REDRIVEN},
        refused={409: CHANGED},
    ),
)
