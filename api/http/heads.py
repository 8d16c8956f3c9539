"""Single headers of a request, without making a mapping of them all."""

from starlette.types import Scope


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header of that name, which is in lower case, as ASGI has them."""
    for known, value in scope["headers"]:
        if known == name:
            return value.decode("latin-1")
    return None
