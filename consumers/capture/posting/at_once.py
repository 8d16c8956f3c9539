"""Common bodies, read where they come in: in the event loop, without a thread to hand them to (ADR 19).

A recording's post is 3 KB, and reading it takes less than handing it over and back: the thread and the event loop need
the same lock of the interpreter, and each takes it from the other in the middle of its work.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from consumers.capture.posting.posted import Accepted, EnvironmentOf, Limits
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.refusals import CaptureRefused, forget

MAX_WIRE_BYTES = 16 * 1024
"""Of a body: nineteen in twenty of the corpus have less than 7 KB."""

LIMITS = Limits(inflated_bytes=64 * 1024, values=2_000, events=10, room=lambda _: Room(0))
"""Nineteen in twenty unpack to 20 KB and 600 values. So many values take four milliseconds at worst, as objects in
objects whose numbers no double holds, or as ten `$identify` with small properties. Events that are packed as a whole
can be many times what they are on the wire."""


class NotAtOnce(Exception):
    """Whose `token` is, or whether more may be taken for it today, cannot be told without asking the database."""

    def __init__(self, token: str) -> None:
        super().__init__("only the database can tell")
        self.token = token


class Reader(Protocol):
    """`posted.accept` or `posted.accept_rrweb`."""

    def __call__(
        self,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        now: datetime,
        environment_of: EnvironmentOf,
        limits: Limits = ...,
        /,
    ) -> Accepted: ...


def read_at_once(
    accepting: Reader,
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    now: datetime,
    environment_of: EnvironmentOf,
) -> Accepted | None:
    """What `accepting` finds in a small body that is all well; None for every other, which it has to be asked about.

    Takes five milliseconds at most and waits for nothing. Raises NotAtOnce when `environment_of` does.
    """
    if len(body) > MAX_WIRE_BYTES or ("compression" in query and query["compression"].startswith("lz")):
        return None
    try:
        found = accepting(body, headers, query, now, environment_of, LIMITS)
    except CaptureRefused as refused:
        forget(refused)
        return None
    for refused in found.refused:
        forget(refused)
    return None if found.refused else found
