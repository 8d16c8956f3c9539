"""Writing actions: create, edit, delete."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import JsonValue

from commands.context import Context, decide_again
from commands.endpoints import enabled
from commands.store.application import Store
from commands.store.guards import (
    ALIVE_ACTION,
    ALIVE_SCANNER,
    Guard,
    action_name,
    actions_of,
    at_most,
    claim,
    integrations_of,
    release,
    require,
)
from commands.store.recorder import Refused
from domain.action import ALERT, WATCHED, Action
from domain.alert_config import check_measurable
from domain.errors import Invalid, NotFound, StaleVersion
from domain.outbound import AllowedHosts, NotAllowed
from domain.scanner import Scanner

MOST_ACTIONS = 200
"""Of one scanner: they end with it in one append."""


@dataclass(frozen=True, slots=True)
class WrittenAction:
    """The action as it now stands and the log position of the write, None when nothing changed."""

    action: Action
    position: int | None


class Actions:
    """Command service. Every method takes a Context with a tenant; actions of other tenants raise NotFound."""

    def __init__(
        self,
        store: Store,
        *,
        mail: bool,
        allowed_hosts: AllowedHosts | None = None,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        """`mail`: whether this installation can send e-mail (operator interface, REPLAY_VISION_SMTP_URL).

        `allowed_hosts`: the internal hosts that webhooks may reach (REPLAY_VISION_WEBHOOK_ALLOWED_HOSTS).
        """
        self._store = store
        self._mail = mail
        self._allowed_hosts = allowed_hosts or AllowedHosts()
        self._new_id = new_id

    def create(self, context: Context, **fields: Any) -> WrittenAction:
        """Creates an action from the fields of `Action.create`.

        Raises Invalid: on `name` when it is taken, on `scanner` when there is none or it has MOST_ACTIONS, on
        `alert_config__metric` when the scanner's observations have nothing to measure, on `delivery_config` for an
        integration that the environment does not have, on the `type` of an item for e-mail that this installation
        cannot send, on the `url` of one for a webhook that it may not reach. Raises EventTooLarge.
        """
        tenant = context.owned()
        self._check_scanner(context, fields["scanner"])
        action_id = self._new_id()

        def attempt() -> WrittenAction:
            action = Action.create(action_id, context.stamp(), **fields)
            self._check_alert(action)
            self._check_targets(fields)
            guards = [
                require(ALIVE_SCANNER, str(action.scanner)),
                claim(action_name(tenant.environment_id), action.name, action_id),
                *_integrations(tenant.environment_id, fields),
                claim(ALIVE_ACTION, str(action_id), action_id),
                at_most(actions_of(action.scanner), MOST_ACTIONS - 1),
                claim(actions_of(action.scanner), str(action_id), action_id),
            ]
            endpoints = enabled(self._store, context.stamp(), tenant.environment_id, _items(fields))
            return WrittenAction(action, self._store.save(action, *endpoints, guards=guards, once=context.once))

        try:
            return decide_again(action_id, attempt)
        except Refused as refused:
            raise _refusal(refused, fields["scanner"]) from refused

    def edit(
        self,
        context: Context,
        action_id: UUID,
        changes: Mapping[str, Any],
        expected_versions: Collection[int] | None = None,
    ) -> WrittenAction:
        """Applies changes (fields of contract 8.1) to the action as it is when they are saved.

        `expected_versions` are stream versions that the caller has seen, None to edit whatever is there.
        Raises NotFound, Invalid (as `create`), StaleVersion, Conflict, EventTooLarge.
        """
        environment_id = context.owned().environment_id
        if "scanner" in changes:
            self._check_scanner(context, changes["scanner"])

        def attempt() -> WrittenAction:
            action = self.load(context, action_id)
            _check_version(action, expected_versions)
            name, scanner = action.name, action.scanner
            action.edit(context.stamp(), dict(changes))
            if WATCHED & changes.keys():
                self._check_alert(action)
            self._check_targets(changes)
            guards = [require(ALIVE_ACTION, str(action_id)), *_integrations(environment_id, changes)]
            if action.scanner != scanner:
                guards += [
                    require(ALIVE_SCANNER, str(action.scanner)),
                    release(actions_of(scanner), str(action_id), action_id),
                    at_most(actions_of(action.scanner), MOST_ACTIONS - 1),
                    claim(actions_of(action.scanner), str(action_id), action_id),
                ]
            if action.name != name:
                scope = action_name(environment_id)
                guards += [release(scope, name, action_id), claim(scope, action.name, action_id)]
            endpoints = enabled(self._store, context.stamp(), environment_id, _items(changes))
            return WrittenAction(action, self._store.save(action, *endpoints, guards=guards, once=context.once))

        try:
            return decide_again(action_id, attempt)
        except Refused as refused:
            raise _refusal(refused, changes.get("scanner")) from refused

    def delete(self, context: Context, action_id: UUID, expected_versions: Collection[int] | None = None) -> int | None:
        """Ends the action and frees its name. `expected_versions` as for `edit`.

        Raises NotFound, StaleVersion, Conflict.
        """

        def attempt() -> int | None:
            action = self.load(context, action_id)
            _check_version(action, expected_versions)
            action.delete(context.stamp())
            return self._store.save(action, guards=ending(action), once=context.once)

        return decide_again(action_id, attempt)

    def last_position(self, action: Action) -> int | None:
        """Where in the log the action's last change lies, which may be later than `action` knows."""
        return self._store.last_position([action.id])

    def as_of(self, context: Context, action_id: UUID, version: int) -> Action:
        """The action as it was at a version of its stream, also when it was deleted since. Raises NotFound."""
        action = self._store.load(Action, action_id, version)
        if action.environment_id != context.owned().environment_id:
            raise NotFound
        return action

    def load(self, context: Context, action_id: UUID) -> Action:
        """The action as of now. Raises NotFound when it is unknown, deleted or another tenant's."""
        action = self._store.load(Action, action_id)
        if action.deleted or action.environment_id != context.owned().environment_id:
            raise NotFound
        return action

    def _check_scanner(self, context: Context, scanner_id: UUID) -> None:
        """Whose it is; that it is still there when the action is saved is a guard."""
        try:
            scanner = self._store.load(Scanner, scanner_id)
        except NotFound as error:
            raise unknown_scanner(scanner_id) from error
        if scanner.deleted or scanner.environment_id != context.owned().environment_id:
            raise unknown_scanner(scanner_id)

    def _check_alert(self, action: Action) -> None:
        """An alert over other scanners is taken as it is: which there will be is not known when it is saved."""
        if action.mode == ALERT and not action.selection.get("scanner_ids"):
            check_measurable(action.alert_config, self._store.load(Scanner, action.scanner).scanner_type)

    def _check_targets(self, fields: Mapping[str, Any]) -> None:
        """What this installation would not send to. Where a name leads is seen when something is sent."""
        for number, item in enumerate(_items(fields)):
            if item.get("type") == "email" and not self._mail:
                message = (
                    "This server cannot send e-mail: REPLAY_VISION_SMTP_URL and REPLAY_VISION_MAIL_FROM are unset."
                )
                raise Invalid(f"delivery_config__{number}__type", "invalid_input", message)
            if item.get("type") == "webhook":
                try:
                    self._allowed_hosts.check_url(str(item.get("url")))
                except NotAllowed as error:
                    raise Invalid(f"delivery_config__{number}__url", "invalid_input", str(error)) from error


def ending(action: Action) -> list[Guard]:
    """Frees everything that an action holds, in the append that deletes it."""
    environment_id = action.environment_id or 0
    return [
        release(action_name(environment_id), action.name, action.id),
        release(ALIVE_ACTION, str(action.id), action.id),
        release(actions_of(action.scanner), str(action.id), action.id),
    ]


def _items(fields: Mapping[str, Any]) -> Sequence[Mapping[str, JsonValue]]:
    return fields.get("delivery_config") or []


def _integrations(environment_id: int, fields: Mapping[str, Any]) -> list[Guard]:
    numbers = {str(item["integration_id"]) for item in _items(fields) if item.get("type") == "slack"}
    return [require(integrations_of(environment_id, "slack"), number) for number in sorted(numbers)]


def _check_version(action: Action, expected: Collection[int] | None) -> None:
    if expected is not None and action.version not in expected:
        raise StaleVersion("This action was changed since it was read.")


def _refusal(refused: Refused, scanner: object) -> Exception:
    if refused.refusal.startswith("taken:action_name"):
        return Invalid("name", "invalid_input", "An action with this name already exists.")
    if refused.refusal == f"missing:{ALIVE_SCANNER}":
        return unknown_scanner(scanner)
    if refused.refusal.startswith("full:action_of"):
        return Invalid("scanner", "invalid_input", f"A scanner takes at most {MOST_ACTIONS} actions.")
    if refused.refusal.startswith("missing:integration"):
        message = "Every integration_id must be a Slack integration of this project."
        return Invalid("delivery_config", "invalid_input", message)
    if refused.refusal == f"missing:{ALIVE_ACTION}":
        return NotFound()
    return refused


def unknown_scanner(scanner: object) -> Invalid:
    """The framework's words for a reference to something that is not there (contract 8.1)."""
    return Invalid("scanner", "does_not_exist", f'Invalid pk "{scanner}" - object does not exist.')
