"""Whose tokens are, asked of the database for all posts that wait for it, and apart from whatever takes long to read.

An answer holds for a second (tokens) or five (allowance), so that every common post waits here now and then.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from api.http.services import Services
from consumers.capture.wire.refusals import CaptureRefused, forget

SECONDS = 1.0
"""Of asking. While the database is away each token takes seconds, and whoever waits must be told so in time."""


def ask(tokens: Sequence[str], services: Services) -> list[Exception | None]:
    """Has `services.sure_of` know of each token what there is to know.

    An exception stands where the database did not answer. What is to be said of a token that is nobody's, or that has
    used up its day, depends on the rest of the body: whoever reads it says so.

    After SECONDS, of the first ones only, at least of one.
    """
    until = time.monotonic() + SECONDS
    found: dict[str, Exception | None] = {}
    for place, token in enumerate(tokens):
        if token in found:
            continue
        if place and time.monotonic() > until:
            return [found[asked] for asked in tokens[:place]]
        found[token] = _asked(token, services)
    return [found[token] for token in tokens]


def _asked(token: str, services: Services) -> Exception | None:
    try:
        environment_id = services.tokens.environment_of(token)
        if environment_id is not None:
            services.allowance.check(environment_id)
    except CaptureRefused:
        return None
    except Exception as error:  # noqa: BLE001 - the answer to those who asked about this token
        forget(error)
        return error
    return None
