"""How much of its quota an organization has used.

An observation is charged to the month it is requested in. A failed or ineligible ending, or the deletion of its scanner
while it is in flight, gives the charge back to that month; deleting rows refunds nothing (contract 7, architecture 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Connection

from domain.accounts import OrganizationCreated, QuotaGranted, QuotaSet
from domain.event import Event
from domain.observation import (
    ObservationFailed,
    ObservationIneligible,
    ObservationRequested,
    ObservationRetried,
    ObservationSucceeded,
)
from domain.scanner import ScannerDeleted
from projections.engine.projection import Projection, Recorded
from projections.engine.table import Table
from projections.owner import environment_of, organization_of


@dataclass(slots=True)
class _Charge:
    observation_id: UUID
    organization_id: UUID
    environment_id: int
    scanner_id: UUID
    period: str
    in_flight: bool


@dataclass(slots=True)
class _Usage:
    organization_id: UUID
    period: str
    requested: int
    refunded: int


@dataclass(slots=True)
class _Allowance:
    organization_id: UUID
    monthly_quota: int | None


_CHARGE = Table(
    "charge",
    _Charge,
    ("observation_id",),
    {
        "observation_id": "uuid",
        "organization_id": "uuid",
        "environment_id": "integer",
        "scanner_id": "uuid",
        "period": "text",
        "in_flight": "boolean",
    },
)
_USAGE = Table(
    "usage",
    _Usage,
    ("organization_id", "period"),
    {"organization_id": "uuid", "period": "text", "requested": "bigint", "refunded": "bigint"},
)
_ALLOWANCE = Table(
    "allowance", _Allowance, ("organization_id",), {"organization_id": "uuid", "monthly_quota": "bigint"}
)
_BONUS = "INSERT INTO bonus (organization_id, position, amount, expires_at) VALUES (%s, %s, %s, %s)"
_BURY = "INSERT INTO gone (scanner_id) SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING"
_GONE = "SELECT scanner_id FROM gone WHERE scanner_id = ANY(%s)"
_DROP = "DELETE FROM charge WHERE observation_id = ANY(%s) OR scanner_id = ANY(%s)"

_ON_OBSERVATIONS = (
    ObservationRequested,
    ObservationSucceeded,
    ObservationFailed,
    ObservationIneligible,
    ObservationRetried,
)


@dataclass(slots=True)
class _Ledger:
    """What a batch changes."""

    charges: dict[UUID, _Charge]
    allowances: dict[UUID, _Allowance] = field(default_factory=dict[UUID, _Allowance])
    buried: set[UUID] = field(default_factory=set[UUID])
    succeeded: set[UUID] = field(default_factory=set[UUID])
    requested: dict[tuple[UUID, str], int] = field(default_factory=dict[tuple[UUID, str], int])
    refunded: dict[tuple[UUID, str], int] = field(default_factory=dict[tuple[UUID, str], int])

    def take(self, charge: _Charge) -> None:
        key = (charge.organization_id, charge.period)
        self.requested[key] = self.requested.get(key, 0) + 1
        charge.in_flight = True
        self.charges[charge.observation_id] = charge

    def give_back(self, charge: _Charge) -> None:
        if charge.in_flight:
            key = (charge.organization_id, charge.period)
            self.refunded[key] = self.refunded.get(key, 0) + 1
            charge.in_flight = False


def _apply(connection: Connection, recorded: Sequence[Recorded]) -> None:
    ledger = _Ledger(_charges(connection, [item.event for item in recorded]))
    for item in recorded:
        _take_in(connection, ledger, item)
    _release_gone(connection, ledger)
    _write(connection, ledger)


def _charges(connection: Connection, events: Sequence[Event]) -> dict[UUID, _Charge]:
    known = {event.originator_id for event in events if isinstance(event, _ON_OBSERVATIONS)}
    ended = {event.originator_id for event in events if isinstance(event, ScannerDeleted)}
    found = _CHARGE.load(connection, "observation_id", known) if known else []
    found += _CHARGE.load(connection, "scanner_id", ended) if ended else []
    return {charge.observation_id: charge for charge in found}


def _take_in(connection: Connection, ledger: _Ledger, item: Recorded) -> None:
    event = item.event
    stream = event.originator_id
    match event:
        case ObservationRequested():
            owner = (stream, organization_of(event), environment_of(event))
            ledger.take(_Charge(*owner, event.scanner_id, event.period, in_flight=True))
        case ObservationRetried():
            charge = ledger.charges[stream]
            charge.period = event.period
            ledger.take(charge)
        case ObservationSucceeded():
            ledger.charges[stream].in_flight = False
            ledger.succeeded.add(stream)
        case ObservationFailed() | ObservationIneligible():
            ledger.give_back(ledger.charges[stream])
        case ScannerDeleted():
            ledger.buried.add(stream)
            for charge in ledger.charges.values():
                if charge.scanner_id == stream:
                    ledger.give_back(charge)
        case OrganizationCreated() | QuotaSet():
            ledger.allowances[stream] = _Allowance(stream, event.monthly_quota)
        case QuotaGranted():
            connection.execute(_BONUS, (stream, item.position, event.amount, event.expires_at))
        case _:
            message = f"quota does not handle {event.TOPIC}"
            raise TypeError(message)


def _release_gone(connection: Connection, ledger: _Ledger) -> None:
    """A stream that was parked can turn up after the end of its scanner: what it has in flight has ended too."""
    live = [charge for charge in ledger.charges.values() if charge.in_flight]
    if live:
        gone = {row[0] for row in connection.execute(_GONE, ([charge.scanner_id for charge in live],), prepare=True)}
        for charge in live:
            if charge.scanner_id in gone:
                ledger.give_back(charge)


def _write(connection: Connection, ledger: _Ledger) -> None:
    keys = {*ledger.requested, *ledger.refunded}
    if keys:
        usage = {
            (row.organization_id, row.period): row
            for row in _USAGE.load(connection, "organization_id", {k[0] for k in keys})
        }
        for key in keys:
            row = usage.get(key) or _Usage(*key, 0, 0)
            row.requested += ledger.requested.get(key, 0)
            row.refunded += ledger.refunded.get(key, 0)
            usage[key] = row
        _USAGE.put(connection, [usage[key] for key in keys])
    _CHARGE.put(
        connection,
        [
            charge
            for charge in ledger.charges.values()
            if charge.observation_id not in ledger.succeeded and charge.scanner_id not in ledger.buried
        ],
    )
    _ALLOWANCE.put(connection, list(ledger.allowances.values()))
    if ledger.succeeded or ledger.buried:
        connection.execute(_DROP, (list(ledger.succeeded), list(ledger.buried)))
    if ledger.buried:
        connection.execute(_BURY, (list(ledger.buried),))


QUOTA = Projection(
    name="quota",
    handles=frozenset({*_ON_OBSERVATIONS, ScannerDeleted, OrganizationCreated, QuotaSet, QuotaGranted}),
    apply=_apply,
)
