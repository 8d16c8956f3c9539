"""Pages of a list: lenient `limit` and `offset`, absolute links (contract 2.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request

from api.http.entrance import asked_path

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
"""Our cap on a page; the reference has none. A larger `limit` gives this many rows."""

LARGEST_OFFSET = 2**31
"""Beyond every table we serve, and still a number the database takes."""

DIGITS = 30
"""More digits than this are some number beyond every limit; Python would take long to read them."""


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    offset: int


def page(request: Request) -> Page:
    """The page that a request asks for. Never fails: bad values mean the defaults."""
    limit = _positive(request.query_params.get("limit"))
    offset = _positive(request.query_params.get("offset"))
    return Page(min(limit or DEFAULT_LIMIT, LARGEST_LIMIT), min(offset or 0, LARGEST_OFFSET))


def _positive(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return max(int(text[:DIGITS]), 0)
    except ValueError:
        return None


def paged(request: Request, public_url: str, asked: Page, count: int, results: Sequence[Any]) -> dict[str, Any]:
    """The list envelope. `public_url` has no trailing slash; links are never built from the Host header."""
    following = asked.offset + asked.limit if asked.offset + asked.limit < count else None
    preceding = max(asked.offset - asked.limit, 0) if asked.offset > 0 else None
    return {
        "count": count,
        "next": None if following is None else _link(request, public_url, asked.limit, following),
        "previous": None if preceding is None else _link(request, public_url, asked.limit, preceding),
        "results": list(results),
    }


def cursor_paged(
    request: Request, public_url: str, results: Sequence[Any], following: str | None, preceding: str | None
) -> dict[str, Any]:
    """The envelope of a page by opaque cursor (extensions); `following` and `preceding` are cursors, None at an end."""
    return {
        "next": None if following is None else _relinked(request, public_url, {"cursor": following}),
        "previous": None if preceding is None else _relinked(request, public_url, {"cursor": preceding}),
        "results": list(results),
    }


def _link(request: Request, public_url: str, limit: int, offset: int) -> str:
    return _relinked(request, public_url, {"limit": str(limit), "offset": str(offset) if offset else None})


def _relinked(request: Request, public_url: str, changed: Mapping[str, str | None]) -> str:
    """The request's own address under the public one, some parameters changed or (None) left out, in a fixed order.

    The entrance has taken a key out of the query string already.
    """
    asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    parameters = [(name, value) for name, value in asked if name not in changed]
    parameters += [(name, value) for name, value in changed.items() if value is not None]
    return f"{public_url}{quote(asked_path(request.scope), safe='/@:')}?{urlencode(sorted(parameters))}"
