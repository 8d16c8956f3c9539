"""From what an action says about its deliveries to targets that something can be sent to."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from commands.endpoints import Endpoints
from commands.integrations import Integrations
from commands.sealing import Unsealable
from commands.webhook_secrets import WebhookSecrets
from consumers.delivery.port import EmailTarget, SlackTarget, Target, WebhookTarget
from domain.errors import NotFound

SWITCHED_OFF = "This endpoint kept failing and is switched off; saving the action's delivery again switches it on."


class Undeliverable(Exception):
    """Another attempt would find the same. The text is our own and may be shown."""


class Targets:
    """Tokens and secrets are looked up for each attempt, so that one that was retired is used no more."""

    def __init__(self, integrations: Integrations, secrets: WebhookSecrets, endpoints: Endpoints) -> None:
        self._integrations = integrations
        self._secrets = secrets
        self._endpoints = endpoints

    def look_up(self, environment_id: int, item: Mapping[str, JsonValue]) -> Target:
        """The target of one delivery (`domain.delivery.apart`). Raises Undeliverable."""
        if self._endpoints.is_disabled(environment_id, item):
            raise Undeliverable(SWITCHED_OFF)
        try:
            return self._found(environment_id, item)
        except NotFound as error:
            raise Undeliverable("The integration was deleted.") from error
        except Unsealable as error:
            raise Undeliverable("Its secret was kept under another secret key than this installation's.") from error

    def _found(self, environment_id: int, item: Mapping[str, JsonValue]) -> Target:
        match item:
            case {"type": "slack", "integration_id": int(number), "channel": str(channel)}:
                return SlackTarget(channel, self._integrations.token(environment_id, number))
            case {"type": "webhook", "url": str(url)}:
                return WebhookTarget(url, tuple(self._secrets.alive(environment_id)))
            case {"type": "email", "to": [str(address)]}:
                return EmailTarget(address)
            case _:
                raise Undeliverable("This delivery is of no known kind.")
