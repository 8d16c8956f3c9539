"""Files of the browser SDK, out of a folder that the operator names (capture 1, "Self-contained builds").

Sites can host them themselves. Lean builds fetch more of themselves from here, by paths that differ from version to
version: only the last part counts.
"""

import errno
import re

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from api.http.errors import envelope, not_found
from api.http.services import services_of

FRESH_SECONDS = 300
"""How long a cache may keep a file without asking: an upgrade of the folder reaches pages within minutes."""

MAX_BYTES = 16 * 1024 * 1024
"""One file: ten times the largest of posthog-js 1.449.2."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.js(\.map)?")


async def sdk_file(request: Request) -> Response:
    """`GET /static/{path}`: 404 without a folder, and for what is no `.js` or `.js.map` file right inside of it."""
    folder = services_of(request).capture_sdk_folder
    name = request.path_params["path"].rpartition("/")[2]
    if folder is None or not _NAME.fullmatch(name):
        return envelope(not_found())
    try:
        # Follows no link out of the folder; answers 304 by ETag.
        response = await StaticFiles(directory=folder, check_dir=False).get_response(name, request.scope)
    except HTTPException:
        return envelope(not_found())
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return envelope(not_found())
    if int(response.headers.get("content-length", "0")) > MAX_BYTES:
        return envelope(not_found())
    response.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
