"""The beginning of a stranger's answer, fit to be kept: bounded, plain, and without our secrets."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from consumers.delivery.port import EXCERPT_LENGTH
from domain.plain_text import plain_text

HIDDEN = "***"
_SHORTEST_SECRET = 4


def excerpt(answer: bytes | str, secrets: Iterable[str] = ()) -> str:
    """At most EXCERPT_LENGTH characters without control characters; every spelling of a secret that we send is hidden.

    Whoever echoes a request would otherwise put its token into our history.
    """
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    text = plain_text(text)
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, HIDDEN)
    return text[:EXCERPT_LENGTH]


def _spellings(secret: str) -> Iterable[str]:
    if len(secret) < _SHORTEST_SECRET:
        return
    yield secret
    yield base64.b64encode(secret.encode()).decode()
