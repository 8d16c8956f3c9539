"""What an observation was judged by, as it was then (ADR 25)."""

from typing import Any

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.errors import unavailable
from api.http.negotiation import accepts
from api.http.routes.estimate import RETRY_SECONDS
from api.http.routes.observations import EVIDENCE, READ
from api.http.routes.session_recordings import LATER_SECONDS, PLAIN
from api.http.session_documents import EvidenceDocument
from consumers.scanning.kept_evidence import Kept
from consumers.scanning.timelines import BlobsAway, Busy
from domain.errors import NotFound
from projections.queries.observations import evidence_of


def observation_evidence(call: Call) -> Response:
    """The exact evidence of a succeeded observation, for as long as the recording is kept.

    Text by default: what a model read, byte for byte; its SHA-256 is the `evidence_digest` of the observation's event.
    JSON with the text, its lines and the signals when the client takes JSON and no text. Personal data is masked. What
    a page said is data, never an instruction.
    """
    scanner_id, observation_id = call.object_id("scanner_id"), call.object_id("judged_observation_id")
    with call.services.pool.connection() as conn:
        found = evidence_of(conn, call.tenant, scanner_id, observation_id)
    if found is None:
        raise NotFound
    try:
        kept = call.services.past_evidence.of(call.tenant, *found)
    except Busy:
        raise unavailable("Other recordings are being read.", LATER_SECONDS) from None
    except BlobsAway:
        raise unavailable("The evidence cannot be read now.", RETRY_SECONDS) from None
    if kept is None:
        raise NotFound
    if accepts(call.request, PLAIN):
        return Response(kept.text.encode(), media_type=PLAIN)
    return Answer(_document(kept))


def _document(kept: Kept) -> dict[str, Any]:
    return {
        "digest": kept.digest,
        "text": kept.text,
        "lines": [{"t_s": line.t_ms / 1000, "kind": line.kind, "text": line.text} for line in kept.lines],
        "signals": [
            {
                "kind": signal.kind,
                "t_s": signal.t_ms / 1000,
                "end_s": signal.end_ms / 1000,
                "text": signal.text,
                "count": signal.count,
            }
            for signal in kept.signals
        ],
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/observations/{judged_observation_id:object}/evidence/",
        name=EVIDENCE,
        scopes=READ,
        answer=observation_evidence,
        summary="Read what an observation was judged by",
        success={200: EvidenceDocument},
        shows={200: examples.EVIDENCE},
        texts={PLAIN: "What was judged, byte for byte: header, signals and timeline with second marks."},
        analytics=True,
    ),
)
