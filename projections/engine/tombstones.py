"""Rows that go with their owner: hidden at once behind a tombstone, and dropped in bounded chunks (architecture 5).

The projection has two tables for it, `tombstone` and `cleanup`, each with the owner's id alone, and the rows name their
owner in a column of that name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from psycopg import Connection

_CLEANING = b"SELECT EXISTS (SELECT FROM cleanup)"
_CLEANED = b"DELETE FROM cleanup"


class Tombstones:
    """`owner` is the column with the id of what is deleted, in `table` of the `projection`. All three are constants."""

    def __init__(self, projection: str, table: str, owner: str) -> None:
        self._bury = f"INSERT INTO tombstone ({owner}) SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING".encode()
        self._clean = f"""
        INSERT INTO cleanup ({owner}) SELECT t.{owner} FROM tombstone t WHERE t.{owner} = ANY(%s::uuid[])
        ON CONFLICT DO NOTHING
        """.encode()  # noqa: S608 - constants of the projections
        # The row of a parked stream stays, so that a replay finds it.
        self._drop = f"""
        WITH chunk AS (
            SELECT r.environment_id, r.id FROM {table} r JOIN cleanup c USING ({owner})
            WHERE NOT EXISTS (SELECT FROM projection.parked p WHERE p.name = '{projection}' AND p.stream_id = r.id)
            LIMIT %s),
        dropped AS (
            DELETE FROM {table} r USING chunk c WHERE r.environment_id = c.environment_id AND r.id = c.id RETURNING 1)
        SELECT count(*) FROM dropped
        """.encode()  # noqa: S608 - constants of the projections
        self.hidden: Mapping[str, str] = {
            table: f"{owner} IN (SELECT {owner} FROM {{schema}}.tombstone)",  # noqa: S608
            "cleanup": "true",
        }
        """As `Projection.hidden`: what readers do not see."""

    def put(self, connection: Connection, buried: Collection[UUID], touched: Collection[UUID]) -> None:
        """After rows were written: buries owners, and has rows of `touched` owners that are buried dropped.

        Also those that come late, from a stream that was parked: they are dropped like the others.
        """
        if buried:
            connection.execute(self._bury, (list(buried),))
        connection.execute(self._clean, (list({*touched, *buried}),), prepare=True)

    def tidy(self, connection: Connection, limit: int) -> bool:
        """As `Projection.tidy`: drops up to `limit` rows of buried owners; False when there is nothing left to do."""
        if connection.execute(_CLEANING, prepare=True).fetchone() != (True,):
            return False
        row = connection.execute(self._drop, (limit,)).fetchone()
        if row and row[0]:
            return True
        connection.execute(_CLEANED)
        return False
