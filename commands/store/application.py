"""The write side's one door to the store: load an aggregate, save what it recorded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Repository
from eventsourcing.persistence import EventStore, InterfaceError, OperationalError, StoredEvent
from psycopg.rows import class_row

from commands.store.guards import Guard
from commands.store.mapper import EventMapper
from commands.store.once import Once
from commands.store.recorder import Datastore, EventRecorder, Group
from domain.errors import EventTooLarge, NotFound
from domain.event import Aggregate
from domain.tenant import Tenant

BULK = 200
"""Saves of one bulk append: the contract's largest request (extensions, bulk_observe)."""

TOO_LARGE = "too_large"

A = TypeVar("A", bound=Aggregate)

STORE_OUTAGES = (OperationalError, InterfaceError)
"""What Store raises when the database is away: "not now", never "no"."""

_STANDING = """
SELECT coalesce((SELECT q.used FROM store.quota_usage q
                 WHERE q.organization_id = %(organization)s AND q.period = %(period)s), 0)::bigint AS used,
       store.quota_allowance(%(organization)s, %(default)s, %(at)s)::bigint AS allowance,
       coalesce((SELECT sum(f.count) FROM store.in_flight f WHERE f.scanner_id = %(scanner)s), 0)::bigint
           AS scanner_in_flight,
       coalesce((SELECT sum(f.count) FROM store.in_flight f WHERE f.environment_id = %(environment)s), 0)::bigint
           AS environment_in_flight
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Observations used and allowed in a period, and work in flight."""

    used: int
    allowance: int
    scanner_in_flight: int
    environment_in_flight: int


@dataclass(frozen=True, slots=True)
class Save:
    """One caller's part of a bulk save: what its aggregates recorded, and the guards that must hold."""

    aggregates: Sequence[Aggregate]
    guards: Sequence[Guard] = field(default=())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a Save: its last position, or why it was refused (TOO_LARGE, or see recorder.Refused)."""

    position: int | None
    refusal: str | None


class Store:
    """Event store of one database. Thread-safe; build one per process, after forking. Close it at the end."""

    def __init__(self, conninfo: str, pool_size: int = 4) -> None:
        self._datastore = Datastore(conninfo, pool_size)
        self.recorder = EventRecorder(self._datastore)
        self._mapper = EventMapper()
        self._events = EventStore(self._mapper, self.recorder)
        self._repository = Repository(self._events)

    def load(self, aggregate_class: type[A], stream_id: UUID, version: int | None = None) -> A:
        """The aggregate as of now, or as it was at a version of its stream.

        Raises NotFound when there is no such stream or it is of another kind.
        """
        try:
            aggregate = self._repository.get(stream_id, version=version)
        except AggregateNotFoundError as error:
            raise NotFound from error
        if not isinstance(aggregate, aggregate_class):
            raise NotFound
        return aggregate

    def save(self, *aggregates: Aggregate, guards: Sequence[Guard] = (), once: Once | None = None) -> int | None:
        """Stores everything the aggregates recorded, all or nothing.

        Returns the position of the last event, or None when nothing was recorded (then no guard runs either).
        Raises Refused when a guard does not hold, somebody else changed the stream or `once` was done before (one
        append for each); EventTooLarge.
        """
        stored = self._collect(aggregates)
        if not stored:
            return None
        return self.recorder.insert_events(stored, guards=guards, once=once)[-1]

    def save_each(self, saves: Sequence[Save], once: Once | None = None) -> list[Outcome]:
        """Stores up to BULK independent saves in one round trip; one outcome a save, in order.

        A save with an event over the store's cap is refused as `too_large` and leaves its neighbours alone. Raises
        ValueError over the limit or for a save that recorded nothing; Refused when `once` was done before.
        """
        collected = [self._collected(save) for save in saves]
        groups = [group for group in collected if group is not None]
        if len(saves) > BULK or not all(group.events for group in groups):
            message = f"a bulk save takes 1 to {BULK} saves that each recorded something"
            raise ValueError(message)
        answers = iter(self.recorder.insert_groups(groups, once) if groups else [])
        return [Outcome(None, TOO_LARGE) if group is None else Outcome(*next(answers)) for group in collected]

    def next_number(self, sequence: str) -> int:
        """The next integer id of `environment_number`, `user_number` and the like; some may be skipped."""
        with self._datastore.get_connection() as connection:
            row = connection.execute("SELECT nextval(%s) AS n", (f"store.{sequence}",)).fetchone()
        return row["n"] if row else 0

    def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a claimed key, None when nobody does."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT owner FROM store.claim WHERE scope = %s AND key = %s", (scope, key)
            ).fetchone()
        return row["owner"] if row else None

    def owners(self, scope: str) -> list[UUID]:
        """Everybody who holds a key of the scope, in the order of their keys."""
        with self._datastore.get_connection() as connection:
            rows = connection.execute(
                "SELECT owner FROM store.claim WHERE scope = %s ORDER BY key", (scope,)
            ).fetchall()
        return [row["owner"] for row in rows]

    def private(self, reference: UUID) -> dict[str, Any] | None:
        """The body of a private text; None when there is none or it was erased."""
        with self._datastore.get_connection() as connection:
            row = connection.execute("SELECT body FROM store.private_text WHERE id = %s", (reference,)).fetchone()
        return row["body"] if row else None

    def standing(self, tenant: Tenant, scanner_id: UUID, period: str, at: datetime, default_quota: int) -> Standing:
        """The guard rows that a reservation would be held against, as of now."""
        values = {
            "organization": tenant.organization_id,
            "environment": tenant.environment_id,
            "scanner": scanner_id,
            "period": period,
            "at": at,
            "default": default_quota,
        }
        with (
            self._datastore.get_connection() as connection,
            connection.cursor(row_factory=class_row(Standing)) as cursor,
        ):
            row = cursor.execute(_STANDING, values).fetchone()
        return row or Standing(0, 0, 0, 0)

    def last_position(self, stream_ids: Collection[UUID]) -> int | None:
        """The log position of the last event of any of these streams, None when they have none."""
        with self._datastore.get_connection() as connection:
            row = connection.execute(
                "SELECT max(notification_id) AS position FROM store.events WHERE originator_id = ANY(%s)",
                (list(stream_ids),),
            ).fetchone()
        return row["position"] if row else None

    def head(self) -> int:
        """The position of the log's last event, 0 without any."""
        with self._datastore.get_connection() as connection:
            row = connection.execute("SELECT max(notification_id) AS position FROM store.events").fetchone()
        return (row["position"] or 0) if row else 0

    def close(self) -> None:
        self._datastore.close()

    def _collected(self, save: Save) -> Group | None:
        try:
            return Group(self._collect(save.aggregates), save.guards)
        except EventTooLarge:
            return None

    def _collect(self, aggregates: Sequence[Aggregate]) -> list[StoredEvent]:
        return [self._mapper.to_stored_event(event) for aggregate in aggregates for event in aggregate.collect_events()]
