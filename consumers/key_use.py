"""Notes when API keys are used, so that an unused one can be found and revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

import psycopg

COARSENESS = timedelta(minutes=1)
"""A busy key is noted once in this time by each process; the list shows it that much late at most."""

MOST_KEYS = 10_000
"""Keys remembered by a process; beyond that it forgets them all and notes again."""

_NOTE = """
INSERT INTO access.key_use AS used (prefix, last_used_at) VALUES (%s, %s)
ON CONFLICT (prefix) DO UPDATE SET last_used_at = excluded.last_used_at
WHERE used.last_used_at < excluded.last_used_at
"""


class KeyUse:
    """Shared by the threads of a process."""

    def __init__(self) -> None:
        self._noted: dict[str, datetime] = {}
        self._lock = Lock()

    def note(self, connection: psycopg.Connection, prefix: str, at: datetime) -> None:
        """The key with this prefix was used. Writes only when it was not noted within COARSENESS."""
        with self._lock:
            last = self._noted.get(prefix)
            if last is not None and at - last < COARSENESS:
                return
            if len(self._noted) >= MOST_KEYS:
                self._noted.clear()
            self._noted[prefix] = at
        connection.execute(_NOTE, (prefix, at))
