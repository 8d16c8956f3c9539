"""Notes on chunks of a run's observations that were paid for: a retry asks for those only that are missing (ADR 27).

They lie under the installation's secret, since they may quote recorded people, and for some hours: as long as a run is
tried again. A key covers the text of every observation of the chunk, so that notes on what was erased are never found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from commands.sealing import Seal, Unsealable
from domain.tenant import Tenant

log = logging.getLogger("replay_vision.actions")

MAX_AGE: Final = timedelta(hours=3)
"""Longer than a run can last (two hours, engine 8)."""
MAX_BYTES: Final = 256 * 1024
"""Of one chunk's notes, sealed: the longest answer of a model has some 64 KiB."""
FORGOTTEN: Final = 1_000
"""Rows that one statement deletes."""

_FIND = """
SELECT key, sealed FROM reports.digest WHERE environment_id = %s AND run_id = %s AND key = ANY(%s) AND made_at > %s
"""
_KEEP = """
INSERT INTO reports.digest AS d (environment_id, run_id, key, sealed, made_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (environment_id, run_id, key) DO UPDATE SET sealed = excluded.sealed, made_at = excluded.made_at
"""
_DROP = "DELETE FROM reports.digest WHERE environment_id = %s AND run_id = %s"
_FORGET = """
DELETE FROM reports.digest WHERE ctid = ANY (ARRAY(SELECT ctid FROM reports.digest WHERE made_at <= %s LIMIT %s))
"""


@dataclass(frozen=True, slots=True)
class Digests:
    """Of one run. Thread-safe. Keeping is a saving: a database that is away is logged."""

    pool: ConnectionPool[psycopg.Connection[Any]]
    seal: Seal
    clock: Callable[[], datetime]
    tenant: Tenant
    run_id: UUID

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        """Those that are there. Raises psycopg's outages: nothing is paid before the database can be asked."""
        values = (self.tenant.environment_id, self.run_id, list(keys), self.clock() - MAX_AGE)
        with self.pool.connection() as connection:
            rows = connection.execute(_FIND, values).fetchall()
        opened = ((bytes(key), self._opened(bytes(key), sealed)) for key, sealed in rows)
        return {key: notes for key, notes in opened if notes is not None}

    def keep(self, key: bytes, notes: str) -> None:
        sealed = self.seal.seal(orjson.dumps([*self._place(key), notes]).decode())
        if len(sealed) <= MAX_BYTES:
            self._try(_KEEP, (self.tenant.environment_id, self.run_id, key, sealed, self.clock()))

    def drop(self) -> None:
        """When the report is there."""
        self._try(_DROP, (self.tenant.environment_id, self.run_id))

    def _try(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            with self.pool.connection() as connection:
                connection.execute(statement.encode(), values)
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            log.warning("notes of a report are not kept: %s", error, extra={"run": str(self.run_id)})

    def _place(self, key: bytes) -> list[object]:
        return [self.tenant.environment_id, str(self.run_id), key.hex()]

    def _opened(self, key: bytes, sealed: str) -> str | None:
        """None for what another secret has sealed, or what was sealed for another row."""
        try:
            *place, notes = orjson.loads(self.seal.unseal(sealed))
        except Unsealable:
            return None
        return str(notes) if place == self._place(key) else None


def forget(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Deletes what is older than MAX_AGE, at most FORGOTTEN rows."""
    return connection.execute(_FORGET, (now - MAX_AGE, FORGOTTEN)).rowcount
