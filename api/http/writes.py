"""Answers to writes: read back once the projections that serve the noun have passed the write (architecture 6)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from api.http.answers import STALE, Answer
from api.http.calls import Call
from api.http.preconditions import tag


def passed(call: Call, position: int | None, projections: Sequence[str]) -> bool:
    """Whether the read side has caught up with a write; a write that changed nothing has nothing to wait for.

    An outage after the write is no failure of it.
    """
    try:
        return position is None or call.services.wait(position, projections)
    except call.services.outages:
        return False


def written(
    call: Call,
    position: int | None,
    projections: Sequence[str],
    *,
    version: int,
    read: Callable[[], tuple[int, dict[str, Any]] | None],
    own: Callable[[], dict[str, Any]],
    status: int,
) -> Answer:
    """The object as it was written, with its ETag: as the read side shows it, else from the aggregate's own state.

    `version` is the stream's after the write; `read` gives the version that the read side shows, and the document.
    The write has happened, so this never fails: what `read` does not find (deleted meanwhile), and what somebody else
    has changed since, comes from `own`. The header of stale answers says that lists may not show the write yet.
    """
    found = None
    if passed(call, position, projections):
        with suppress(*call.services.outages):
            found = read()
    if found is not None and found[0] == version:
        return Answer(found[1], status, headers=tag(version))
    stale = {} if found is not None and found[0] > version else {STALE: "true"}
    return Answer(own(), status, headers={**tag(version), **stale})


def done(call: Call, position: int | None, projections: Sequence[str]) -> dict[str, str]:
    """Headers of an answer without a body to a write."""
    return {} if passed(call, position, projections) else {STALE: "true"}
