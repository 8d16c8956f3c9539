"""Which recorded sessions were deleted: what no read may show, from the moment on at which the deletion is answered."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import Connection

from domain.recording import SessionDeleted
from projections.engine.projection import Projection, Recorded
from projections.engine.table import text
from projections.owner import environment_of

_DELETE = "INSERT INTO deleted_session (environment_id, session_id, deleted_at) VALUES (%s, %s, %s)"


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    for item in recorded:
        event = item.event
        if not isinstance(event, SessionDeleted):
            raise TypeError(f"recordings does not handle {event.TOPIC}")
        connection.execute(_DELETE, (environment_of(event), text(event.session_id), event.recorded_at))


RECORDINGS = Projection(name="recordings", handles=frozenset({SessionDeleted}), apply=_apply)
