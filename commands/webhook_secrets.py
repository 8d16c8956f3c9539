"""Writing webhook secrets: what the receivers of an environment's webhooks know it by."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field, replace
from uuid import UUID

from commands.context import Context, decide_again
from commands.sealing import Seal
from commands.store.application import Store
from commands.store.guards import at_most, claim, erase, release, webhook_secrets_of
from commands.store.private_text import private_text
from commands.store.recorder import Refused
from domain.accounts import Environment
from domain.errors import Conflict, NotFound
from domain.event import Stamp
from domain.ids import environment_stream, webhook_secret_stream
from domain.webhook_secret import MOST_ALIVE, PREFIX, SECRET_BYTES, WebhookSecret


@dataclass(frozen=True, slots=True)
class NewSecret:
    """`secret` is in clear, for the one time it is shown; `position` is that of the write."""

    number: int
    secret: str = field(repr=False)
    position: int | None


class WebhookSecrets:
    """Command service of administration. Contexts carry no tenant."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def create(self, context: Context, environment_id: int) -> NewSecret:
        """Makes a secret for an environment. Raises NotFound for an unknown one, Conflict when it has MOST_ALIVE."""
        try:
            environment = self._store.load(Environment, environment_stream(environment_id))
        except NotFound as error:
            raise NotFound(f"There is no environment {environment_id}.") from error
        number = self._store.next_number("webhook_secret_number")
        secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        text, row = private_text(environment_id, None, {"sealed": self._seal.seal(secret)})
        stamp = _stamp(context, environment.organization_id, environment_id)
        made = WebhookSecret.create(number, stamp, secret=text)
        scope = webhook_secrets_of(environment_id)
        guards = [at_most(scope, MOST_ALIVE - 1), claim(scope, str(number), made.id), row]
        try:
            return NewSecret(number, secret, self._store.save(made, guards=guards, once=context.once))
        except Refused as refused:
            if refused.refusal.startswith("full:"):
                message = f"Environment {environment_id} has {MOST_ALIVE} secrets; retire one first."
                raise Conflict(message) from refused
            raise

    def retire(self, context: Context, number: int) -> int | None:
        """Ends a secret and erases it; webhooks are no longer signed with it. Raises NotFound."""
        stream = webhook_secret_stream(number)

        def attempt() -> int | None:
            secret = self._loaded(number)
            environment_id = secret.environment_id or 0
            secret.retire(_stamp(context, secret.organization_id, environment_id))
            guards = [release(webhook_secrets_of(environment_id), str(number), stream), erase(secret.sealed_id)]
            return self._store.save(secret, guards=guards, once=context.once)

        return decide_again(stream, attempt)

    def alive(self, environment_id: int) -> list[str]:
        """The secrets that sign an environment's webhooks, in clear, newest first. Raises Unsealable."""
        found: list[tuple[int, str]] = []
        for stream in self._store.owners(webhook_secrets_of(environment_id)):
            secret = self._store.load(WebhookSecret, stream)
            body = self._store.private(secret.sealed_id)
            if body is not None:  # None: it was retired a moment ago
                found.append((secret.secret_id, self._seal.unseal(body["sealed"])))
        return [secret for _, secret in sorted(found, reverse=True)]

    def _loaded(self, number: int) -> WebhookSecret:
        try:
            secret = self._store.load(WebhookSecret, webhook_secret_stream(number))
        except NotFound as error:
            raise NotFound(f"There is no webhook secret {number}.") from error
        if secret.retired:
            raise NotFound(f"There is no webhook secret {number}.")
        return secret


def _stamp(context: Context, organization_id: UUID | None, environment_id: int) -> Stamp:
    return replace(context.stamp(), organization_id=organization_id, environment_id=environment_id)
