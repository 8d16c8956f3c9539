"""The consumer of the topic `analytics`: events to their sessions, what they say to visitors and persons, once each."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import psycopg

from consumers.capture.analytics import events, visitors
from consumers.capture.analytics.event import AnalyticsEvent, from_message
from consumers.capture.analytics.visitors import Sayings
from consumers.capture.clock import Clock, utc_now
from consumers.capture.digest.faults import READING_FAULTS, store_in_halves, unhandled
from consumers.capture.digest.handler import TokenLookup
from consumers.capture.digest.limits import GENEROUS, Amount, CaptureLimits, add, room_for_events
from consumers.capture.digest.undecodable import Undecoded, pass_over
from consumers.capture.store.blobs import Blobs
from consumers.capture.wire.refusals import CaptureRefused, UnknownToken
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

    An event without a session is heard for what it says about its visitor, and not stored. What is over the limits of
    a day is counted and passed over; the row of an event and what it says are limited apart from each other. Locks are
    taken in this order: sessions, visitors of an environment, counts, days, undecodable messages. What is stored in
    halves takes them again for each half: a deadlock that comes of it is tried again as an outage is.
    """

    def __init__(
        self,
        blobs: Blobs,
        environment_of: TokenLookup,
        clock: Clock = utc_now,
        limits: CaptureLimits = GENEROUS,
    ) -> None:
        self._blobs = blobs
        self._environment_of = environment_of
        self._clock = clock
        self._limits = limits

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
        faulty = store_in_halves(conn, heard, lambda some: self._store(conn, some))
        undecoded += [Undecoded(one.record, fault) for one, fault in faulty]
        pass_over(conn, self._blobs, undecoded, self._clock(), log)

    def _environment(self, conn: psycopg.Connection, event: AnalyticsEvent) -> int:
        environment_id = event.environment_id
        if environment_id is None:
            environment_id = self._environment_of(conn, event.token)
        if environment_id is None:
            raise UnknownToken("The message belongs to no environment.")
        return environment_id

    def _store(self, conn: psycopg.Connection, heard: Sequence[Heard]) -> None:
        """Stores what was heard, and counts it beside the bytes of its messages."""
        found = [(one.environment_id, one.event) for one in heard]
        taken: dict[int, Amount] = {}
        for one in heard:
            taken.setdefault(one.environment_id, Amount()).bytes += len(one.record.value)
        now = self._clock()
        day = now.astimezone(UTC).date()
        rooms = {environment_id: room_for_events(conn, self._limits, day, environment_id) for environment_id in taken}
        stored = events.store(conn, found, now, rooms)
        left_out = [(environment_id, reason, number) for (environment_id, reason), number in stored.left_out.items()]
        for environment_id, said in sorted(_sayings(found).items()):
            recorded = visitors.record(conn, environment_id, said, now, rooms[environment_id].visitors)
            left_out += [(environment_id, reason, number) for reason, number in recorded.left_out.items()]
            taken[environment_id].visitors = recorded.fresh
        events.count_left_out(conn, left_out)
        for environment_id, amount in sorted(taken.items()):
            amount.events, amount.event_sessions = stored.fresh[environment_id], stored.sessions[environment_id]
            add(conn, day, environment_id, amount)


def _sayings(found: list[tuple[int, AnalyticsEvent]]) -> dict[int, Sayings]:
    said: dict[int, Sayings] = {}
    for environment_id, event in found:
        if event.distinct_id is not None:
            # A clock that runs ahead must not make its words the last ones for ever.
            moment = min(event.at, round(event.received_at.timestamp() * 1000))
            said.setdefault(environment_id, Sayings()).add(event.saying, event.distinct_id, moment)
    return said
