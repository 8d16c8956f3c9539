"""Messages that are too large for the transport: a blob holds the bytes, and a short message names it (ADR 0014).

In this order: the row in capture.held, the blob, the message. A crash or a failed publish in between leaves a row that
`drop` finds. The blob is not deleted then and there, because a publish that failed may have been done after all.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

import psycopg

from consumers.capture.store.blobs import Blobs, MissingBlob, folder_of, is_key, key_of
from consumers.capture.wire.refusals import Malformed, Undecodable
from consumers.transports.port import Outgoing, Record, Unavailable

BLOB, BYTES = "held_blob", "held_bytes"
"""Headers of a message that names a blob: its key, which ends in the digest of its content, and its length."""

MAX_HELD_BYTES = 4 * 1024 * 1024 * 1024
"""Held for one environment at a time and not stored yet: hundreds of the largest messages. Beyond it, senders are told
to come again."""

KEPT_FOR = timedelta(days=30)
"""A message that has not been handled by then will not be: four times the retention of the transport."""

LEAST_KEPT = timedelta(days=7)
"""Where recordings are kept for less than KEPT_FOR it is so long, but no shorter: messages are in the transport until
then (docs/topics.md)."""

IN_USE_FOR = timedelta(hours=1)
"""How long a blob stays although its batch is stored. Senders repeat for minutes; the same batch has the same blob."""

CHUNK = 100
ROUNDS = 20

# Of other blobs, whose batch is not stored yet.
_USED = """
    SELECT coalesce(sum(bytes), 0)::bigint FROM capture.held
    WHERE environment_id = %s AND blob <> %s AND NOT EXISTS (
        SELECT FROM capture.part
        WHERE part.environment_id = held.environment_id
            AND part.session_id = held.session_id AND part.uuid = held.uuid
    )
"""

_HOLD = """
    INSERT INTO capture.held (blob, environment_id, session_id, uuid, bytes, at) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (blob) DO UPDATE SET at = excluded.at
"""

_DROPPABLE = """
    SELECT blob FROM capture.held
    WHERE at < %s OR (
        at < %s AND EXISTS (
            SELECT FROM capture.part
            WHERE part.environment_id = held.environment_id
                AND part.session_id = held.session_id AND part.uuid = held.uuid
        )
    )
    ORDER BY at
    LIMIT %s
    FOR UPDATE SKIP LOCKED
"""

_EXPIRED = """
    SELECT blob FROM capture.held WHERE environment_id = %s AND at < %s
    ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED
"""

_DROP = "DELETE FROM capture.held WHERE blob = ANY (%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Outgoing):
    """A message without its content, which has to be in the blob before the message is published."""

    environment_id: int
    session_id: str
    uuid: UUID
    content: bytes


class BlobGone(Undecodable):
    """The blob of a message is not there: lost, or dropped because the batch is stored."""


def content_bytes(message: Outgoing) -> int:
    """How much a message carries, itself or by its blob."""
    return message.size + (len(message.content) if isinstance(message, Held) else 0)


class Publisher(Protocol):
    """The half of a transport that capture's senders need."""

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Raises consumers.transports.port.Unavailable when it cannot be told that all of them are durable."""
        ...


class Connections(Protocol):
    """A pool of database connections in autocommit."""

    def connection(self) -> AbstractContextManager[Any]: ...


@dataclass(frozen=True, slots=True)
class Holding:
    """A publisher in front of another, which puts the content of large messages where it belongs first."""

    transport: Publisher
    blobs: Blobs
    pool: Connections
    clock: Callable[[], datetime]

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """As Publisher; Unavailable too when blobs cannot be written or hold too much for the environment."""
        for record in records:
            if isinstance(record, Held):
                self._hold(record)
        self.transport.publish(topic, records)

    def _hold(self, held: Held) -> None:
        blob = key_of(held.environment_id, held.session_id, held.content)
        with self.pool.connection() as conn:
            ((used,),) = conn.execute(_USED, (held.environment_id, blob))
            if used + len(held.content) > MAX_HELD_BYTES:
                message = f"large recordings of environment {held.environment_id} wait to be stored"
                raise Unavailable(message)
            row = (held.environment_id, held.session_id, held.uuid, len(held.content), self.clock())
            conn.execute(_HOLD, (blob, *row))
        try:
            self.blobs.put(held.environment_id, held.session_id, held.content)
        except OSError as error:
            message = "large recordings cannot be stored"
            raise Unavailable(message) from error


def pointer(environment_id: int, session_id: str, content: bytes) -> dict[str, str]:
    """The headers that name the blob of a content."""
    return {BLOB: key_of(environment_id, session_id, content), BYTES: str(len(content))}


def resolved(record: Record, blobs: Blobs) -> Record:
    """The record with the content that it names; itself when it names none.

    Only what lies under the environment of our own header and the session of the key is read, and only with the digest
    that the blob's key ends in. Raises Malformed, BlobGone, Undecodable when the blob is damaged, OSError when
    blobs are away.
    """
    named = record.headers.get(BLOB)
    if named is None:
        return record
    blob = named.decode("ascii", "replace")
    environment, session = record.headers.get("environment_id", b""), (record.key or b"").decode("ascii", "replace")
    length = record.headers.get(BYTES, b"")
    if not (is_key(blob) and environment.isdigit() and length.isdigit()):
        raise Malformed("The message names no blob of ours.")
    if not blob.startswith(f"{folder_of(int(environment[:10]), session)}/"):
        raise Malformed("The message names a blob of another session.")
    try:
        content = blobs.get(blob, 0, int(length[:10]))
    except MissingBlob as error:
        raise BlobGone("The blob of the message is gone.") from error
    if sha256(content).hexdigest() != blob.rpartition("/")[2]:
        raise Undecodable("The blob of the message is damaged.")
    return record._replace(value=content)


def drop(conn: psycopg.Connection, blobs: Blobs, now: datetime) -> int:
    """Deletes blobs whose batch is stored, or that are older than KEPT_FOR, and returns how many.

    `conn` is in autocommit mode. Transactions of CHUNK rows, at most ROUNDS of them; blobs go before their rows, so a
    crash leaves rows for the next call. Raises OSError when blobs fail.
    """
    dropped = 0
    for _ in range(ROUNDS):
        with conn.transaction():
            found = [row[0] for row in conn.execute(_DROPPABLE, (now - KEPT_FOR, now - IN_USE_FOR, CHUNK))]
            for blob in found:
                blobs.delete(blob)
            conn.execute(_DROP, (found,))
        dropped += len(found)
        if len(found) < CHUNK:
            break
    return dropped


def expire(conn: psycopg.Connection, blobs: Blobs, environment_id: int, before: datetime) -> int:
    """Deletes up to CHUNK blobs of an environment that wait since before a time, and returns how many.

    In the caller's transaction. Raises OSError when blobs fail.
    """
    found = [row[0] for row in conn.execute(_EXPIRED, (environment_id, before, CHUNK))]
    for blob in found:
        blobs.delete(blob)
    conn.execute(_DROP, (found,))
    return len(found)
