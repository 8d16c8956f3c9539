"""Request bodies: bounded reading, strict JSON, and the two readers of one body: the key in it and the route.

Reading never fails by itself. What is wrong with a body is told when a route asks for it, after authentication, scope
and membership (contract 2.1).
"""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Never

from starlette.requests import ClientDisconnect, Request

from api.http.errors import Refusal, parse_error, too_large, too_slow, unsupported_media_type
from api.http.heads import header_of

BODY_LIMIT = 1024 * 1024
"""Bytes of an API request's body."""

BODY_SECONDS = 60
"""How long a body may take to arrive, so that slow senders cannot hold memory for ever."""

DEPTH_LIMIT = 100
"""Levels of lists and objects inside one another."""


@dataclass(frozen=True)
class Payload:
    """A request body as it came. Decoded when first asked for, which is in a route's thread, not in the event loop."""

    raw: bytes
    content_type: str
    refusal: Refusal | None = None
    """Why there is no body at all."""

    def value(self) -> Any:
        """The JSON document, `{}` for an empty body. Raises Refusal 400 parse_error, 408, 413 or 415."""
        refusal, document = self._decoded
        if refusal is not None:
            raise refusal
        return document

    def key(self) -> str | None:
        """The personal API key in the body, if the body can be read and holds one."""
        _, document = self._decoded
        key = document.get("personal_api_key") if isinstance(document, dict) else None
        return key if isinstance(key, str) and key else None

    @cached_property
    def _decoded(self) -> tuple[Refusal | None, Any]:
        if self.refusal is not None:
            return self.refusal, None
        if not self.raw:
            return None, {}
        if self.content_type.partition(";")[0].strip().lower() != "application/json":
            return unsupported_media_type(self.content_type), None
        try:
            return None, decode(self.raw)
        except Refusal as refusal:
            return refusal, None


async def read_bounded(request: Request, limit: int, claim: Callable[[int], object] = lambda _: None) -> bytes | None:
    """The whole body, or None as soon as it is longer than `limit` bytes; never holds more than one chunk beyond it.

    `claim` is told of each chunk's size before the chunk is kept. Raises what it raises, and ClientDisconnect. How long
    it may take is the caller's to say.
    """
    declared = header_of(request.scope, b"content-length") or ""
    if declared.isascii() and declared.isdigit() and int(declared[:19]) > limit:
        return None
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            return None
        claim(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


async def payload(request: Request) -> Payload:
    """FastAPI dependency: the body of an API request."""
    content_type = request.headers.get("content-type", "")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await read_bounded(request, BODY_LIMIT)
    except TimeoutError:
        return Payload(b"", content_type, too_slow(BODY_SECONDS))
    return Payload(b"", content_type, too_large(BODY_LIMIT)) if raw is None else Payload(raw, content_type)


def decode(raw: bytes) -> Any:
    """Strict JSON: UTF-8, finite numbers, at most DEPTH_LIMIT levels. Raises Refusal 400 parse_error."""
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_not_finite, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise parse_error(f"the body is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise parse_error(f"nested deeper than {DEPTH_LIMIT} levels") from None
    except ValueError as error:
        raise parse_error(str(error)) from None
    if _deeper_than(document, DEPTH_LIMIT):
        raise parse_error(f"nested deeper than {DEPTH_LIMIT} levels")
    return document


def _not_finite(name: str) -> Never:
    raise ValueError(f"Out of range float values are not JSON compliant: {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        _not_finite(digits[:40])
    return number


def _deeper_than(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit + 1):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
