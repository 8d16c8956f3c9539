"""Which form of answer the client takes."""

from collections.abc import Iterable

from starlette.requests import Request

from api.http.errors import not_acceptable

JSON = "application/json"
NDJSON = "application/x-ndjson"

RANGES = 50
"""Entries of an Accept header that are looked at; no client sends as many."""


def accepts(request: Request, media_type: str) -> bool:
    """Whether a range of the Accept header covers `media_type`. No header, or an empty one, takes everything."""
    header = request.headers.get("accept", "").strip()
    if not header:
        return True
    kind = media_type.partition("/")[0]
    wanted = (piece.partition(";")[0].strip().lower() for piece in header.split(",", RANGES)[:RANGES])
    return any(piece in (media_type, f"{kind}/*", "*/*") for piece in wanted)


def prefers(request: Request, media_type: str) -> bool:
    """Whether the client names `media_type` itself, not merely a wildcard that covers it."""
    header = request.headers.get("accept", "")
    return any(piece.partition(";")[0].strip().lower() == media_type for piece in header.split(",", RANGES)[:RANGES])


def check_acceptable(request: Request, others: Iterable[str] = ()) -> None:
    """Raises Refusal 406 when the client takes neither JSON nor, for exports, JSON lines, nor one of `others`."""
    if accepts(request, JSON) or prefers(request, NDJSON) or any(accepts(request, other) for other in others):
        return
    raise not_acceptable()
