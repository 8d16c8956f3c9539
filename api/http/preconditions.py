"""ETag and If-Match: an edit that is refused when somebody else was faster (extensions; RFC 9110, 13.1.1)."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request

from domain.errors import Invalid

ETAG = "ETag"
MOST_TAGS = 100

_TAGS = r'^(?:\*|(?:W/)?"[!#-~]*"(?:[ \t]*,[ \t]*(?:W/)?"[!#-~]*"){0,99})$'
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_OURS = re.compile(r'"([0-9]{1,18})"')


class IfMatch:
    """The request header, for the OpenAPI document."""

    name = "If-Match"

    def describe(self) -> dict[str, Any]:
        """The OpenAPI parameter object."""
        return {
            "name": self.name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": _TAGS},
            "description": "The `ETag` that the caller has seen, several, or `*` for any. Another one now: 412.",
            "example": '"3"',
        }


IF_MATCH = IfMatch()


def tag(version: int) -> dict[str, str]:
    """The header of an answer that shows an object as of a version of its stream, or of an earlier one."""
    return {ETAG: f'"{version}"'}


def expected_versions(request: Request) -> frozenset[int] | None:
    """The versions that the caller has seen; None when any will do. A tag that is not ours is no version of anything.

    Weak tags match nothing, as the standard has it for If-Match. Raises Invalid for what is no list of tags.
    """
    given = ",".join(request.headers.getlist("if-match")).strip()
    if not given or given == "*":
        return None
    tags = _TAG.findall(given)
    # Commas stand between tags, and inside them too.
    between = _TAG.sub("", given)
    if len(tags) > MOST_TAGS or between.strip(" \t,") or between.count(",") < len(tags) - 1:
        raise Invalid(None, "invalid_input", "If-Match must be * or a list of entity tags.")
    return frozenset(int(ours.group(1)) for part in tags if (ours := _OURS.fullmatch(part)))
