"""Blobs that no row names: left by a crash between a blob and its row, or by a message that was handled long since.

Each environment's blobs are looked through in the order of their keys, a page at a time, from where the search got to
last; once a day from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from consumers.capture.ending import removed
from consumers.capture.store.blobs import Blobs

PAGE = 1_000
"""Blobs looked at in one transaction."""

SEARCH_EVERY = timedelta(days=1)
SAFE_AGE = timedelta(days=7)
"""Age of a blob from which nobody is about to name it: messages are in the transport for so long (docs/topics.md)."""

LEAST_AGE = timedelta(days=1)
"""Where retention is shorter, it is the age; but no blob goes that is younger."""

_PLACE = "SELECT after, began_at FROM capture.leftover_search WHERE environment_id = %s"
_MOVE = """
INSERT INTO capture.leftover_search AS l (environment_id, after, began_at) VALUES (%s, %s, %s)
ON CONFLICT (environment_id) DO UPDATE SET after = excluded.after, began_at = excluded.began_at
"""
_NAMED = """
SELECT blob FROM capture.part WHERE blob = ANY(%(keys)s) AND environment_id = %(environment)s
UNION SELECT blob FROM capture.undecodable WHERE environment_id = %(environment)s AND blob = ANY(%(keys)s)
UNION SELECT blob FROM capture.held WHERE environment_id = %(environment)s AND blob = ANY(%(keys)s)
UNION SELECT blob FROM scanning.evidence WHERE environment_id = %(environment)s AND blob = ANY(%(keys)s)
"""


def search_leftovers(
    pool: ConnectionPool[psycopg.Connection[Any]], blobs: Blobs, environment_id: int, days: int, now: datetime
) -> Iterator[Mapping[str, int]]:
    """Goes on with the search, or begins the day's. Yields after each page what it has removed.

    Raises OSError when blobs fail; the search then goes on from the same page. Two at once do the same twice.
    """
    age = max(LEAST_AGE, min(SAFE_AGE, timedelta(days=days)))
    with pool.connection() as conn:
        place = conn.execute(_PLACE, (environment_id,)).fetchone()
    after, began = place or ("", now)
    if place is not None and after == "":
        if now - began < SEARCH_EVERY:
            return
        began = now
    while True:
        found = blobs.page(environment_id, after, PAGE)
        old = [key for key, changed in found if changed < now - age]
        with pool.connection() as conn, conn.transaction():
            named = {row[0] for row in conn.execute(_NAMED, {"keys": old, "environment": environment_id})}
            gone = [key for key in old if key not in named]
            for key in gone:
                blobs.delete(key)
            after = found[-1][0] if found else ""
            conn.execute(_MOVE, (environment_id, after, began))
            removed.count(conn, {"leftover blobs": len(gone)})
        yield {"leftover blobs": len(gone)}
        if not after:
            return
