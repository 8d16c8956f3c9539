"""Writing scanners: create, edit, delete."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from commands.actions import ending
from commands.context import Context, decide_again
from commands.store.application import Store
from commands.store.guards import (
    ALIVE_SCANNER,
    actions_of,
    claim,
    release,
    release_scanner,
    require,
    scanner_name,
)
from commands.store.recorder import Refused
from domain.action import Action
from domain.errors import Invalid, NotFound, StaleVersion
from domain.scanner import Scanner


@dataclass(frozen=True, slots=True)
class WrittenScanner:
    """The scanner as it now stands and the log position of the write, None when nothing changed."""

    scanner: Scanner
    position: int | None


class Scanners:
    """Command service. Every method takes a Context with a tenant; scanners of other tenants raise NotFound."""

    def __init__(
        self, store: Store, catalogue: Mapping[str, Sequence[str]], new_id: Callable[[], UUID] = uuid4
    ) -> None:
        """`catalogue` maps each provider to the ids of its models (contract 3.1)."""
        self._store = store
        self._catalogue = catalogue
        self._new_id = new_id

    def create(self, context: Context, **fields: Any) -> WrittenScanner:
        """Creates a scanner from the fields of `Scanner.create`. Raises Invalid, on `name` when it is taken."""
        tenant = context.owned()
        self._check_model(fields.get("provider", "google"), fields["model"])
        scanner = Scanner.create(self._new_id(), context.stamp(), **fields)
        guards = [
            claim(scanner_name(tenant.environment_id), scanner.name, scanner.id),
            claim(ALIVE_SCANNER, str(scanner.id), scanner.id),
        ]
        try:
            return WrittenScanner(scanner, self._store.save(scanner, guards=guards, once=context.once))
        except Refused as refused:
            raise _refusal(refused) from refused

    def edit(
        self,
        context: Context,
        scanner_id: UUID,
        changes: Mapping[str, Any],
        expected_versions: Collection[int] | None = None,
    ) -> WrittenScanner:
        """Applies changes (fields of contract 3.1) to the scanner as it is when they are saved.

        `expected_versions` are stream versions that the caller has seen, None to edit whatever is there.
        Raises NotFound, Invalid, StaleVersion, Conflict.
        """

        def attempt() -> WrittenScanner:
            scanner = self.load(context, scanner_id)
            _check_version(scanner, expected_versions)
            name = scanner.name
            if "provider" in changes or "model" in changes:
                self._check_model(changes.get("provider", scanner.provider), changes.get("model", scanner.model))
            scanner.edit(context.stamp(), dict(changes))
            guards = [require(ALIVE_SCANNER, str(scanner_id))]
            if scanner.name != name:
                scope = scanner_name(context.owned().environment_id)
                guards += [release(scope, name, scanner_id), claim(scope, scanner.name, scanner_id)]
            return WrittenScanner(scanner, self._store.save(scanner, guards=guards, once=context.once))

        try:
            return decide_again(scanner_id, attempt)
        except Refused as refused:
            raise _refusal(refused) from refused

    def skip_gap(self, context: Context, scanner_id: UUID, first: int, last: int, reason: str) -> int | None:
        """Records settled sessions (settle numbers, both included) that the schedule passes over."""

        def attempt() -> int | None:
            scanner = self.load(context, scanner_id)
            scanner.skip_gap(context.stamp(), first, last, reason)
            return self._store.save(scanner, once=context.once)

        return decide_again(scanner_id, attempt)

    def redrive_gap(self, context: Context, scanner_id: UUID, gap: UUID) -> tuple[datetime, int | None]:
        """Asks for the sessions of a gap after all.

        Returns when that was asked for first, and the log position, None when it had been. Raises NotFound, Conflict.
        """

        def attempt() -> tuple[datetime, int | None]:
            scanner = self.load(context, scanner_id)
            at = scanner.redrive_gap(context.stamp(), gap)
            guards = [require(ALIVE_SCANNER, str(scanner_id))]
            return at, self._store.save(scanner, guards=guards, once=context.once)

        try:
            return decide_again(scanner_id, attempt)
        except Refused as refused:
            raise _refusal(refused) from refused

    def delete(
        self, context: Context, scanner_id: UUID, expected_versions: Collection[int] | None = None
    ) -> int | None:
        """Ends the scanner and its actions, frees their names and gives back what it has in flight.

        `expected_versions` as for `edit`. Raises NotFound, StaleVersion.
        """

        def attempt() -> int | None:
            scanner = self.load(context, scanner_id)
            _check_version(scanner, expected_versions)
            bound = [self._store.load(Action, stream) for stream in self._store.owners(actions_of(scanner_id))]
            actions = [action for action in bound if action.scanner == scanner_id and not action.deleted]
            for action in actions:
                action.delete(context.stamp())
            scanner.delete(context.stamp())
            guards = [
                *(guard for action in actions for guard in ending(action)),
                release(scanner_name(context.owned().environment_id), scanner.name, scanner_id),
                release(ALIVE_SCANNER, str(scanner_id), scanner_id),
                release_scanner(scanner_id),
            ]
            return self._store.save(*actions, scanner, guards=guards, once=context.once)

        return decide_again(scanner_id, attempt)

    def last_position(self, scanner: Scanner) -> int | None:
        """Where in the log the scanner's last change lies, which may be later than `scanner` knows."""
        return self._store.last_position([scanner.id])

    def as_of(self, context: Context, scanner_id: UUID, version: int) -> Scanner:
        """The scanner as it was at a version of its stream, also when it was deleted since. Raises NotFound."""
        scanner = self._store.load(Scanner, scanner_id, version)
        if scanner.environment_id != context.owned().environment_id:
            raise NotFound
        return scanner

    def _check_model(self, provider: str, model: str) -> None:
        if provider not in self._catalogue:
            raise Invalid("provider", "invalid_choice", f'"{provider}" is not a valid choice.')
        if model not in self._catalogue[provider]:
            raise Invalid("model", "invalid_choice", f'"{model}" is not a valid choice.')

    def load(self, context: Context, scanner_id: UUID) -> Scanner:
        """The scanner as of now. Raises NotFound when it is unknown, deleted or another tenant's."""
        scanner = self._store.load(Scanner, scanner_id)
        if scanner.deleted or scanner.environment_id != context.owned().environment_id:
            raise NotFound
        return scanner


def _check_version(scanner: Scanner, expected: Collection[int] | None) -> None:
    if expected is not None and scanner.version not in expected:
        message = "This scanner was changed since it was read."
        raise StaleVersion(message)


def _refusal(refused: Refused) -> Exception:
    if refused.refusal.startswith("taken:scanner_name"):
        return Invalid("name", "invalid_input", "A scanner with this name already exists.")
    if refused.refusal == f"missing:{ALIVE_SCANNER}":
        return NotFound()
    return refused
