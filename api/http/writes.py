"""Answers to writes: read back once the projections that serve the noun have passed the write (architecture 6)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from api.http.answers import STALE, Answer
from api.http.calls import Call


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
    read: Callable[[], dict[str, Any] | None],
    own: Callable[[], dict[str, Any]],
    status: int,
    headers: Mapping[str, str],
) -> Answer:
    """The object as the read side shows it, else from the aggregate's own state, with the header that says so.

    The write has happened, so this never fails: what `read` does not find (deleted meanwhile) comes from `own`.
    """
    document = None
    if passed(call, position, projections):
        with suppress(*call.services.outages):
            document = read()
    if document is None:
        return Answer(own(), status, headers={**headers, STALE: "true"})
    return Answer(document, status, headers=dict(headers))


def done(call: Call, position: int | None, projections: Sequence[str]) -> dict[str, str]:
    """Headers of an answer without a body to a write."""
    return {} if passed(call, position, projections) else {STALE: "true"}
