"""Requests that may be sent again: what a key stands for, and what was answered (architecture 4, "repeated commands").

The row of a key is written by the append itself (schema/0002_idempotency.sql). Its answer is written afterwards, by
whoever has one first, and then never changed, so that every repeat gets the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

KEPT_FOR = timedelta(days=1)
"""How long a key stands for its request (architecture 4)."""

REPEATED = "repeated"
"""Refusal of an append whose key another request has used."""

SWEEP_BATCH = 1_000
"""Rows that one statement of `forget` deletes, so that it holds no locks for long."""

_MINE = "environment_id = %(environment_id)s AND owner = %(owner)s AND route = %(route)s AND key = %(key)s"

_FIND = f"""
SELECT i.digest, i.request, i.stream, i.version, i.outcomes, i.status, i.headers, i.body, e.notification_id AS position
FROM store.idempotency i
LEFT JOIN store.events e ON e.originator_id = i.stream AND e.originator_version = i.version
WHERE {_MINE} AND i.kept_until > %(at)s
"""  # noqa: S608 - both pieces are constants

_FINISH = f"""
UPDATE store.idempotency SET status = %(status)s, headers = %(headers)s, body = %(body)s
WHERE {_MINE} AND request = %(request)s AND status IS NULL
"""  # noqa: S608 - both pieces are constants

_KEEP = """
INSERT INTO store.idempotency AS i
    (environment_id, owner, route, key, digest, request, kept_until, status, headers, body)
VALUES (%(environment_id)s, %(owner)s, %(route)s, %(key)s, %(digest)s, %(request)s, %(kept_until)s,
        %(status)s, %(headers)s, %(body)s)
ON CONFLICT (environment_id, owner, route, key) DO UPDATE
    SET status = excluded.status, headers = excluded.headers, body = excluded.body, digest = excluded.digest,
        request = excluded.request, kept_until = excluded.kept_until,
        stream = CASE WHEN i.request = excluded.request THEN i.stream END,
        version = CASE WHEN i.request = excluded.request THEN i.version END,
        outcomes = CASE WHEN i.request = excluded.request THEN i.outcomes END
    WHERE (i.request = excluded.request AND i.status IS NULL) OR i.kept_until <= %(at)s
"""

_FORGET = """
DELETE FROM store.idempotency WHERE (environment_id, owner, route, key) IN (
    SELECT environment_id, owner, route, key FROM store.idempotency
    WHERE kept_until <= %s ORDER BY kept_until LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Once:
    """One request with a key: whose it is, what it is about, and the digest of what it says.

    `owner` is the user's id; `route` names the operation and its object; `request` is this very attempt, different for
    each repeat.
    """

    environment_id: int
    owner: int
    route: str
    key: str
    digest: bytes
    request: UUID
    at: datetime

    @property
    def kept_until(self) -> datetime:
        return self.at + KEPT_FOR

    def document(self) -> str:
        """As `store.remember` takes it."""
        return orjson.dumps(
            {
                "environment_id": self.environment_id,
                "owner": self.owner,
                "route": self.route,
                "key": self.key,
                "digest": self.digest.hex(),
                "request": self.request,
                "at": self.at,
                "kept_until": self.kept_until,
            }
        ).decode()

    def values(self) -> dict[str, Any]:
        return {
            "environment_id": self.environment_id,
            "owner": self.owner,
            "route": self.route,
            "key": self.key,
            "digest": self.digest,
            "request": self.request,
            "at": self.at,
            "kept_until": self.kept_until,
        }


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given, byte by byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """What became of one group of a bulk append: the position of its last event, or why it was refused."""

    stream: UUID
    position: int | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of the request that used the key first. Without `answer`, the process may have died before it.

    `stream`, `version` and `position` are those of the last event that it appended, None when it appended nothing or in
    bulk; `outcomes` has an entry for each group of a bulk append.
    """

    digest: bytes
    request: UUID
    stream: UUID | None
    version: int | None
    position: int | None
    outcomes: tuple[KeptOutcome, ...]
    answer: KeptAnswer | None

    def written(self) -> tuple[UUID, int]:
        """Stream and version to answer from. Raises LookupError for a request that appended in bulk, or nothing."""
        if self.stream is None or self.version is None:
            raise LookupError("the request appended no single stream")
        return self.stream, self.version


def find(connection: psycopg.Connection[Any], once: Once) -> Kept | None:
    """What is kept under the key, None when it is new or its day is over."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_FIND, once.values()).fetchone()
    return None if row is None else _kept(row)


def keep(connection: psycopg.Connection[Any], once: Once, answer: KeptAnswer) -> bool:
    """Keeps the answer of a request that succeeded, whether it appended something or there was nothing to change.

    False when another request has used the key, or has answered for this one: then that answer counts.
    """
    return connection.execute(_KEEP, {**once.values(), **_values(answer)}).rowcount == 1


def finish(connection: psycopg.Connection[Any], once: Once, first: Kept, answer: KeptAnswer) -> bool:
    """Keeps the answer of another request, `first`, which has not answered yet. False when one has come meanwhile."""
    values = {**once.values(), **_values(answer), "request": first.request}
    return connection.execute(_FINISH, values).rowcount == 1


def forget(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Deletes up to SWEEP_BATCH rows whose day is over; returns how many."""
    return connection.execute(_FORGET, (now, SWEEP_BATCH)).rowcount


def _values(answer: KeptAnswer) -> dict[str, Any]:
    return {"status": answer.status, "headers": Jsonb(dict(answer.headers)), "body": answer.body}


def _kept(row: dict[str, Any]) -> Kept:
    outcomes = [KeptOutcome(UUID(stream), position, refusal) for stream, position, refusal in row["outcomes"] or ()]
    return Kept(
        digest=bytes(row["digest"]),
        request=row["request"],
        stream=row["stream"],
        version=row["version"],
        position=row["position"] or max((one.position for one in outcomes if one.position), default=None),
        outcomes=tuple(outcomes),
        answer=None if row["status"] is None else KeptAnswer(row["status"], row["headers"], bytes(row["body"])),
    )
