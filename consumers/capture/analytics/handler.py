"""The consumer of the topic `analytics`: events to their sessions, what they say to visitors and persons, once each."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

import psycopg

from consumers.capture.analytics import events, visitors
from consumers.capture.analytics.event import AnalyticsEvent, from_message
from consumers.capture.analytics.visitors import Sayings
from consumers.capture.blobs import Blobs
from consumers.capture.clock import Clock, utc_now
from consumers.capture.faults import READING_FAULTS, STORING_FAULTS, first_fault, unhandled
from consumers.capture.handler import TokenLookup
from consumers.capture.limits import Amount, add
from consumers.capture.refusals import CaptureRefused, UnknownToken
from consumers.capture.undecodable import Undecoded, keep
from consumers.transports.port import Record

log = logging.getLogger("replay_vision.capture.analytics")

GROUP = "analytics"


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, the environment it belongs to, and the record that it came in."""

    record: Record
    environment_id: int
    event: AnalyticsEvent


class AnalyticsHandler:
    """A transport handler. Safe for any number of copies; everything it decides is in the handler's transaction.

    An event without a session is heard for what it says about its visitor, and not stored. Locks are taken in this
    order: sessions, visitors of an environment, counts, days, undecodable messages. What is stored in halves takes them
    again for each half: a deadlock that comes of it is tried again as an outage is.
    """

    def __init__(self, blobs: Blobs, environment_of: TokenLookup, clock: Clock = utc_now) -> None:
        self._blobs = blobs
        self._environment_of = environment_of
        self._clock = clock

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        """Raises OSError when blobs fail, and what the lookup of a token raises: then the batch is to be tried again.

        A message that is no event, or one that our code fails with, is counted, kept within limits, and passed over, as
        for recordings.
        """
        heard: list[Heard] = []
        undecoded: list[Undecoded] = []
        for record in records:
            try:
                event = from_message(record)
                heard.append(Heard(record, self._environment(conn, event), event))
            except CaptureRefused as refusal:
                undecoded.append(Undecoded(record, refusal))
            except READING_FAULTS as fault:
                undecoded.append(Undecoded(record, unhandled(fault)))
        undecoded += self._store_all(conn, sorted(heard, key=lambda one: (one.environment_id, one.event.key)))
        if undecoded:
            self._keep(conn, sorted(undecoded, key=lambda one: one.record.offset))

    def _environment(self, conn: psycopg.Connection, event: AnalyticsEvent) -> int:
        environment_id = event.environment_id
        if environment_id is None:
            environment_id = self._environment_of(conn, event.token)
        if environment_id is None:
            raise UnknownToken("The message belongs to no environment.")
        return environment_id

    def _store_all(self, conn: psycopg.Connection, heard: Sequence[Heard]) -> Iterator[Undecoded]:
        """Stores events together; when that fails with one of them, in halves, until it stands alone and is yielded."""
        if not heard:
            return
        try:
            with conn.transaction():
                self._store(conn, [(one.environment_id, one.event) for one in heard])
        except STORING_FAULTS as fault:
            refusal = unhandled(fault)
        else:
            return
        if len(heard) == 1:
            yield Undecoded(heard[0].record, refusal)
            return
        middle = len(heard) // 2
        yield from self._store_all(conn, heard[:middle])
        yield from self._store_all(conn, heard[middle:])

    def _store(self, conn: psycopg.Connection, found: list[tuple[int, AnalyticsEvent]]) -> None:
        now = self._clock()
        stored = events.store(conn, found, now)
        left_out = [(environment_id, events.FULL, number) for environment_id, number in stored.over.items()]
        for environment_id, said in sorted(_sayings(found).items()):
            counts = visitors.record(conn, environment_id, said, now)
            left_out += [(environment_id, reason, number) for reason, number in counts.items()]
        events.count_left_out(conn, left_out)
        for environment_id, number in sorted(stored.fresh.items()):
            add(conn, now.astimezone(UTC).date(), environment_id, Amount(events=number))

    def _keep(self, conn: psycopg.Connection, undecoded: list[Undecoded]) -> None:
        kept = keep(conn, self._blobs, undecoded, self._clock())
        first = undecoded[0].record
        log.warning(
            "passed over messages that are no analytics events",
            extra={
                "codes": dict(Counter(one.refusal.code for one in undecoded)),
                "kept": kept,
                "partition": first.partition,
                "offset": first.offset,
            },
            exc_info=first_fault([one.refusal for one in undecoded]),
        )


def _sayings(found: list[tuple[int, AnalyticsEvent]]) -> dict[int, Sayings]:
    said: dict[int, Sayings] = {}
    for environment_id, event in found:
        if event.distinct_id is not None:
            # A clock that runs ahead must not make its words the last ones for ever.
            moment = min(event.at, round(event.received_at.timestamp() * 1000))
            said.setdefault(environment_id, Sayings()).add(event.saying, event.distinct_id, moment)
    return said
