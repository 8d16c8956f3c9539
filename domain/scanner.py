"""A scanner: a standing question over session recordings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, JsonValue

from domain.errors import Invalid, NotFound
from domain.event import Aggregate, Event, FirstEvent, Stamp, stored
from domain.ids import gap_id
from domain.names import check_name
from domain.recordings_query import check_query
from domain.scanner_types import SCANNER_TYPES, check_config
from domain.values import same_value

DESCRIPTION_LENGTH = 1000
SMALLEST_RATE = 0.0001
"""The length and the smallest sampling rate other than 0: contract 3.1."""

VERSIONED = ("scanner_config", "query", "sampling_rate", "provider", "model", "emits_signals")
"""A real change of any of these raises scanner_version by one (contract 3.4)."""

SNAPSHOT = ("name", "scanner_type", "scanner_version", "model", "provider", "emits_signals", "scanner_config")
"""What an observation freezes of its scanner (contract 4.1)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Settle numbers, both ends included, that the schedule passed over, and when they were asked for after all."""

    first: int
    last: int
    redriven_at: datetime | None = None


# --- events ---------------------------------------------------------------------------------------------------------


@stored
class ScannerCreated(FirstEvent):
    TOPIC = "ScannerCreated"
    name: str
    description: str
    scanner_type: str
    scanner_config: dict[str, JsonValue]
    query: dict[str, JsonValue]
    sampling_rate: float
    provider: str
    model: str
    enabled: bool
    emits_signals: bool
    created_by: int | None

    def apply(self, aggregate: Scanner) -> None:
        for name in ("name", "description", "scanner_type", "enabled", "created_by", *VERSIONED):
            setattr(aggregate, name, getattr(self, name))


@stored
class ScannerRenamed(Event):
    TOPIC = "ScannerRenamed"
    name: str

    def apply(self, aggregate: Scanner) -> None:
        aggregate.name = self.name


@stored
class ScannerDescribed(Event):
    TOPIC = "ScannerDescribed"
    description: str

    def apply(self, aggregate: Scanner) -> None:
        aggregate.description = self.description


@stored
class ScannerReconfigured(Event):
    """`changes` holds the new values of those VERSIONED fields that really changed."""

    TOPIC = "ScannerReconfigured"
    changes: dict[str, JsonValue]
    scanner_version: int
    restored_from: int | None = None

    def apply(self, aggregate: Scanner) -> None:
        for name, value in self.changes.items():
            setattr(aggregate, name, value)
        aggregate.scanner_version = self.scanner_version


@stored
class ScannerEnabled(Event):
    TOPIC = "ScannerEnabled"

    def apply(self, aggregate: Scanner) -> None:
        aggregate.enabled = True
        aggregate.enabled_on = self.timestamp


@stored
class ScannerDisabled(Event):
    TOPIC = "ScannerDisabled"

    def apply(self, aggregate: Scanner) -> None:
        aggregate.enabled = False


@stored
class SweepGapSkipped(Event):
    """Settled sessions that the schedule passed over without scanning them, in settle numbers, both ends included."""

    TOPIC = "SweepGapSkipped"
    start: int = Field(alias="from")
    end: int = Field(alias="to")
    reason: str

    def apply(self, aggregate: Scanner) -> None:
        aggregate.gaps += 1
        aggregate.skipped_to = self.end
        aggregate.skipped[str(gap_id(self.originator_id, self.start))] = Gap(self.start, self.end)


@stored
class SweepGapRedriven(Event):
    """Somebody asked for the sessions of a gap after all. The ends are those of the SweepGapSkipped."""

    TOPIC = "SweepGapRedriven"
    gap_id: UUID
    start: int = Field(alias="from")
    end: int = Field(alias="to")

    def apply(self, aggregate: Scanner) -> None:
        aggregate.skipped[str(self.gap_id)] = Gap(self.start, self.end, self.recorded_at)


@stored
class ScannerDeleted(Event):
    TOPIC = "ScannerDeleted"

    def apply(self, aggregate: Scanner) -> None:
        aggregate.deleted = True


# --- state and decisions --------------------------------------------------------------------------------------------


@stored
class Scanner(Aggregate):
    TOPIC = "scanner"

    def __init__(self) -> None:
        self.name = ""
        self.description = ""
        self.scanner_type = ""
        self.scanner_config: dict[str, JsonValue] = {}
        self.query: dict[str, JsonValue] = {}
        self.sampling_rate = 1.0
        self.provider = ""
        self.model = ""
        self.enabled = True
        self.enabled_on: datetime | None = None
        """When it was last switched on after its creation."""
        self.emits_signals = False
        self.created_by: int | None = None
        self.scanner_version = 1
        self.gaps = 0
        self.skipped_to = 0
        self.skipped: dict[str, Gap] = {}
        self.deleted = False

    @classmethod
    def create(  # noqa: PLR0913 - the contract's fields
        cls,
        scanner_id: UUID,
        stamp: Stamp,
        *,
        name: str,
        scanner_type: str,
        scanner_config: object,
        model: str,
        description: str = "",
        query: object = None,
        sampling_rate: float = 1.0,
        provider: str = "google",
        enabled: bool = True,
        emits_signals: bool = False,
    ) -> Self:
        """A new scanner, version 1. Raises Invalid for the first field that breaks a rule of contract 3.1-3.3.

        Fields come in the contract's order; the config is last, because its rules depend on the type (contract 2.2).
        """
        check_name(name)
        _check_description(description)
        if scanner_type not in SCANNER_TYPES:
            raise Invalid("scanner_type", "invalid_choice", f'"{scanner_type}" is not a valid choice.')
        stored_query = check_query({} if query is None else query)
        check_rate(sampling_rate)
        check_config(scanner_type, scanner_config)
        return cls._begin(
            ScannerCreated,
            scanner_id,
            stamp,
            name=name,
            description=description,
            scanner_type=scanner_type,
            scanner_config=scanner_config,
            query=stored_query,
            sampling_rate=float(sampling_rate),
            provider=provider,
            model=model,
            enabled=enabled,
            emits_signals=emits_signals,
            created_by=stamp.actor.user_id,
        )

    def edit(self, stamp: Stamp, changes: dict[str, Any]) -> None:
        """Applies the given fields of contract 3.1; records only what really changes, so a repeat records nothing.

        Raises Invalid (with the field) and NotFound when the scanner is deleted.
        """
        self._check_alive()
        if "name" in changes:
            check_name(changes["name"])
        if "description" in changes:
            _check_description(changes["description"])
        versioned = self._check_versioned(changes)
        if "name" in changes and changes["name"] != self.name:
            self._record(ScannerRenamed, stamp, name=changes["name"])
        if "description" in changes and changes["description"] != self.description:
            self._record(ScannerDescribed, stamp, description=changes["description"])
        if versioned:
            self._record(ScannerReconfigured, stamp, changes=versioned, scanner_version=self.scanner_version + 1)
        if "enabled" in changes and changes["enabled"] != self.enabled:
            self._record(ScannerEnabled if changes["enabled"] else ScannerDisabled, stamp)

    def skip_gap(self, stamp: Stamp, first: int, last: int, reason: str) -> None:
        """Notes settled sessions that will not be scanned by the schedule; once. Raises NotFound when deleted."""
        self._check_alive()
        if last > self.skipped_to:
            self._record(SweepGapSkipped, stamp, start=max(first, self.skipped_to + 1), end=last, reason=reason)

    def redrive_gap(self, stamp: Stamp, gap: UUID) -> datetime:
        """Asks for the sessions of a gap after all; once. Returns when that was asked for first.

        Raises NotFound for an unknown gap and when the scanner is deleted.
        """
        self._check_alive()
        skipped = self.skipped.get(str(gap))
        if skipped is None:
            raise NotFound
        if skipped.redriven_at is None:
            self._record(SweepGapRedriven, stamp, gap_id=gap, start=skipped.first, end=skipped.last)
            return self.modified_on
        return skipped.redriven_at

    def delete(self, stamp: Stamp) -> None:
        """Ends the scanner for good. Raises NotFound when it is already deleted."""
        self._check_alive()
        self._record(ScannerDeleted, stamp)

    def snapshot(self) -> dict[str, JsonValue]:
        """What an observation freezes of the scanner: SNAPSHOT."""
        return {name: getattr(self, name) for name in SNAPSHOT}

    @property
    def updated_at(self) -> datetime:
        return self.modified_on

    def _check_alive(self) -> None:
        if self.deleted:
            raise NotFound

    def _check_versioned(self, changes: dict[str, Any]) -> dict[str, JsonValue]:
        given = {name: changes[name] for name in VERSIONED if name in changes}
        if "query" in given:
            given["query"] = check_query(given["query"])
        if "sampling_rate" in given:
            check_rate(given["sampling_rate"])
            given["sampling_rate"] = float(given["sampling_rate"])
        if changes.get("scanner_type", self.scanner_type) != self.scanner_type:
            raise Invalid("scanner_type", "invalid_input", "The type of a scanner cannot be changed.")
        if "scanner_config" in given or "scanner_type" in changes:
            check_config(self.scanner_type, given.get("scanner_config", self.scanner_config))
        return {name: value for name, value in given.items() if not same_value(value, getattr(self, name))}


def _check_description(description: str) -> None:
    if len(description) > DESCRIPTION_LENGTH:
        message = f"Ensure this field has no more than {DESCRIPTION_LENGTH} characters."
        raise Invalid("description", "max_length", message)


def check_rate(rate: float) -> None:
    """Raises Invalid on `sampling_rate` outside 0..1, and below the smallest rate that is not 0."""
    if not 0 <= rate <= 1:
        limit = ("less", "1.0") if rate > 1 else ("greater", "0.0")
        code = "max_value" if rate > 1 else "min_value"
        raise Invalid("sampling_rate", code, f"Ensure this value is {limit[0]} than or equal to {limit[1]}.")
    if 0 < rate < SMALLEST_RATE:
        raise Invalid("sampling_rate", "invalid_input", f"A rate other than 0 must be at least {SMALLEST_RATE}.")
