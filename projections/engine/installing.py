"""Making the tables of projections that have none, and telling which were made by another release."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import Connection

from projections.engine.place import create
from projections.engine.projection import Projection

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('projection:install', 0))"
_LIVE = "SELECT name, tables FROM projection.position WHERE live"


def install(connection: Connection, projections: Iterable[Projection]) -> list[str]:
    """Creates schema, tables and position of each projection that has none; safe to repeat and to run twice at once.

    Needs the migrations. Returns the names of projections whose tables were made by other statements than those of this
    release: they must be rebuilt before they are read or fed.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        digests: dict[str, str] = dict(connection.execute(_LIVE).fetchall())
        outdated: list[str] = []
        for projection in projections:
            if projection.name not in digests:
                create(connection, projection, 1, live=True)
            elif digests[projection.name] != projection.digest:
                outdated.append(projection.name)
    return outdated
