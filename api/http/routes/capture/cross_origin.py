"""Pages of any origin may read the answers of capture routes, and of no others (capture 1, "CORS rules learned").

Outside of everything else, so that a refusal can be read like any answer: a page that cannot read it sees no status
either, and an SDK takes that for a broken network and sends the same again.
"""

import re
from collections.abc import Collection, Iterable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.heads import header_of

PREFLIGHT_SECONDS = 3600
HEADERS_LENGTH = 1000
"""Characters of a preflight's list of headers that are echoed."""

_PLACEHOLDER = r"\\\{\w+(:path)?\\\}"


class CrossOrigin:
    """Echoes the page's origin, with credentials: browsers refuse `*` for requests that carry cookies.

    `paths` are templates of the framework with a slash at the end; `origins` whose pages may, empty for any.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str], origins: Collection[str]) -> None:
        self._app = app
        self._paths = _any_of(paths)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._paths.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        origin = header_of(scope, b"origin")
        # Also for requests that name no origin: a cache must not give their answer to a page that has one.
        added = [(b"vary", b"Origin")]
        if origin is not None and allowed(origin, self._origins):
            added.append((b"access-control-allow-origin", origin.encode("latin-1")))
            added.append((b"access-control-allow-credentials", b"true"))

        async def allowing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._app(scope, receive, allowing)


def allowed(origin: str, origins: Collection[str]) -> bool:
    """Whether pages of an origin may send recordings, and read the answers. Empty `origins` means any may."""
    return not origins or origin in origins


def preflight(request: Request, methods: str) -> Response:
    """What a page of another origin asks before it posts JSON. `methods` as in the header `Allow`."""
    headers = {"Allow": methods}
    if "origin" in request.headers:
        headers["Access-Control-Allow-Methods"] = methods
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        if wanted := request.headers.get("access-control-request-headers", "")[:HEADERS_LENGTH]:
            headers["Access-Control-Allow-Headers"] = wanted
    return Response(status_code=204, headers=headers)


def _any_of(paths: Iterable[str]) -> re.Pattern[str]:
    """Matches what some template does, with or without its last slash."""
    found = (
        re.sub(_PLACEHOLDER, lambda hit: ".*" if hit[1] else "[^/]+", re.escape(path.rstrip("/"))) for path in paths
    )
    return re.compile(f"(?:{'|'.join(found)})/?")
