"""The transport port: how one part of the product hands records to another.

Two adapters stand behind it (the log inside PostgreSQL, and Kafka); code above this module must not be able to tell
which. What every adapter promises, and what the contract suite in ``tests/transports`` holds it to:

* **Order.** Records of one topic with the same key are handled in the order in which they were published. A key lives
  in one partition; the number of partitions of a topic is fixed when the topic is made.
* **Nothing lost.** ``publish`` returns once its records are durable. The PostgreSQL log keeps a record until every
  group has handled it and it is older than the retention. Kafka drops it at that age, handled or not, and a group that
  is so far behind stops and says so.
* **Once in effect.** The handler runs in an open transaction in which its group's position moves too. Whatever the
  handler writes through that connection is there exactly once. Effects elsewhere (HTTP, models) are at least once: make
  them idempotent by ``event_id``, or write a job row and act on it later.
* **Offsets** increase within a partition and mean nothing else: neither dense nor comparable across partitions.
* **Groups** are independent: each sees every record, a new one starts at the oldest record still kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import NamedTuple, Protocol

import psycopg

MAX_KEY_BYTES = 1_024
MAX_HEADERS = 32
MAX_HEADER_BYTES = 8_192
MAX_EVENT_ID_CHARACTERS = 255
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""Key, value and headers of one record. Capture accepts bodies of up to 25 MB (capture 'server side', step 1)."""

MAX_BATCH_RECORDS = 200
"""Default for the most records that a handler is given at once."""


EVENT_ID = "event_id"
SOURCE_ID = "source_id"
"""Headers that every adapter sets from the fields of ``Outgoing``; a publisher's own of these names are replaced."""


class Unavailable(Exception):
    """The transport cannot be reached, or did not confirm in time.

    The records may or may not be there: publish them again with the same event ids.
    """


class Refused(ValueError):
    """A record or a name is outside the limits of this module. Publishing it again cannot succeed."""


class Record(NamedTuple):
    """A record as a handler sees it."""

    topic: str
    """The topic's name as the publisher gave it, without the installation's prefix."""
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    at: datetime
    """When the transport took it, with a zone. Not the time of the fact inside."""

    @property
    def event_id(self) -> str:
        """The idempotency id that it was published with."""
        return self.headers[EVENT_ID].decode()

    @property
    def source_id(self) -> int | None:
        """Its position in the log that a relay copied it from, if it was relayed."""
        position = self.headers.get(SOURCE_ID)
        return None if position is None else int(position)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish.

    ``event_id`` is the record's idempotency id: of several records with the same id in one topic a group handles one.
    Ids are remembered for a day at least.

    ``source_id`` is set by a relay that copies an ordered source log: the position there. All records of a topic that
    carry one come from the same log, in its order. A group skips records whose source id is at or below the highest
    that it has seen in that partition, which removes what a relay sends twice after a crash.

    A record without a key goes to any partition, and has no order. Raises ``Refused`` outside the limits above.
    """

    key: bytes | None
    value: bytes
    event_id: str
    headers: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    source_id: int | None = None
    size: int = field(init=False, repr=False, compare=False)
    """Bytes of key, value and headers."""

    def __post_init__(self) -> None:
        if not 0 < len(self.event_id) <= MAX_EVENT_ID_CHARACTERS or "\x00" in self.event_id:
            raise Refused(f"event_id must have 1 to {MAX_EVENT_ID_CHARACTERS} characters and no NUL")
        if self.key is not None and len(self.key) > MAX_KEY_BYTES:
            raise Refused(f"the key of {self.event_id} has more than {MAX_KEY_BYTES} bytes")
        names = "".join(self.headers)
        if "" in self.headers or "\x00" in names:
            raise Refused(f"a header of {self.event_id} has an empty name or one with NUL")
        header_bytes = len(names.encode()) + sum(map(len, self.headers.values()))
        if len(self.headers) > MAX_HEADERS or header_bytes > MAX_HEADER_BYTES:
            raise Refused(f"the headers of {self.event_id} pass {MAX_HEADERS} in number or {MAX_HEADER_BYTES} bytes")
        size = len(self.key or b"") + len(self.value) + header_bytes
        if size > MAX_RECORD_BYTES:
            raise Refused(f"record {self.event_id} has {size} bytes, more than {MAX_RECORD_BYTES}")
        # Asked several times on the way of every record.
        object.__setattr__(self, "size", size)

    def all_headers(self) -> dict[str, bytes]:
        """The headers as a consumer sees them."""
        ids = {EVENT_ID: self.event_id.encode()}
        if self.source_id is not None:
            ids[SOURCE_ID] = str(self.source_id).encode()
        return {**self.headers, **ids}


class Poison(Exception):
    """Raised by a handler for a record that can never be handled, for instance because it cannot be decoded.

    The batch is offered again without that record. The record goes to the dead letters with its original key, value and
    headers, its origin, the group, this error and the time, in the transaction that moves the position past it, so it
    is neither lost nor doubled. Raise it ``from`` the error that shows the record is poison; its class is kept.

    In a group that parks keys (see ``Transport.consume``), later records of its key follow it there unhandled.

    Every other exception means "not now": the transaction rolls back, the partition waits, and the same records are
    offered again. Do not raise ``Poison`` for those.
    """

    def __init__(self, record: Record, reason: str) -> None:
        super().__init__(f"{record.topic}/{record.partition}@{record.offset}: {reason}")
        self.record = record
        self.reason = reason


Handler = Callable[[psycopg.Connection, Sequence[Record]], None]
"""Handles records of one partition, in order, inside the open transaction of the connection.

It must not commit or roll back, and should be done within seconds: slow work (models, webhooks) is a job row that
somebody else leases. Raising means that nothing happened, see ``Poison``. It may be called again with records it has
seen, always after a rollback.
"""


class Transport(Protocol):
    """Safe to share between threads; one ``consume`` call is one worker."""

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Returns once all the records are durable.

        Order is kept per key within one call and between calls that follow each other. Repeating a call with the same
        event ids changes nothing. Blocks for a few seconds at most while the transport is away.

        Raises ``Unavailable`` (some of them may have been stored: repeat the call), ``Refused`` for an illegal topic.
        """
        ...

    def consume(
        self,
        group: str,
        topics: Collection[str],
        handler: Handler,
        *,
        stop: Event,
        max_records: int = MAX_BATCH_RECORDS,
        park_keys: bool = False,
    ) -> None:
        """Hands records to the handler until ``stop`` is set; returns within 2 s after that and the batch in hand.

        A call of the handler has 1 to ``max_records`` records of one partition, in order. Two calls for the same group
        and partition never overlap, whatever the number of workers. Workers of one group share the partitions.

        Outages are lived through: the call waits and goes on, it does not raise. A handler's exception holds back its
        partition alone, for a time that grows with each failure up to a bound; the others go on. Too many dead letters
        stop a partition until an operator resumes it, and say so in the log.

        With ``park_keys`` the order of a key outlives its dead letters: as long as one of a key is there, its later
        records wait behind it as dead letters too, until an operator has them handled again (in order) or gives them
        up. Without, later records of the key are handled as if nothing had been. All workers of a group must agree.

        Raises ``Refused`` for an illegal group or topic.
        """
        ...

    def lag(self, group: str) -> Mapping[tuple[str, int], int]:
        """Records not yet handled by the group, for each (topic, partition) that it has consumed.

        Adapters may stop counting at 100,000 a partition. Empty for a group that never consumed.

        Raises ``Unavailable``.
        """
        ...

    def close(self) -> None:
        """Gives back what publishing holds, within a few seconds. ``consume`` calls must have returned."""
        ...
