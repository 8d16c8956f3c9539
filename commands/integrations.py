"""Writing integrations: the tokens by which reports reach other products."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

from commands.context import Context, decide_again
from commands.sealing import Seal
from commands.store.application import Store
from commands.store.guards import claim, erase, integrations_of, release
from commands.store.private_text import private_text
from domain.accounts import Environment
from domain.errors import Invalid, NotFound
from domain.event import Stamp
from domain.ids import environment_stream, integration_stream
from domain.integration import Integration

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class Integrations:
    """Command service of administration. Contexts carry no tenant."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def create(self, context: Context, environment_id: int, kind: str, token: str) -> tuple[int, int | None]:
        """Gives an environment a token of another product, kept sealed. Returns its number and the log position.

        `kind` is `slack`. Raises NotFound for an unknown environment, Invalid.
        """
        try:
            environment = self._store.load(Environment, environment_stream(environment_id))
        except NotFound as error:
            raise NotFound(f"There is no environment {environment_id}.") from error
        if not _TOKEN.fullmatch(token.strip()):
            raise Invalid("token", "invalid_input", "A token is one line of visible characters.")
        number = self._store.next_number("integration_number")
        text, row = private_text(environment_id, None, {"sealed": self._seal.seal(token.strip())})
        stamp = _stamp(context, environment.organization_id, environment_id)
        integration = Integration.create(number, stamp, kind=kind, token=text)
        guards = [claim(integrations_of(environment_id, kind), str(number), integration.id), row]
        return number, self._store.save(integration, guards=guards)

    def delete(self, context: Context, number: int) -> int | None:
        """Ends an integration and erases its token. Raises NotFound."""
        stream = integration_stream(number)

        def attempt() -> int | None:
            integration = self._loaded(number)
            environment_id = integration.environment_id or 0
            integration.delete(_stamp(context, integration.organization_id, environment_id))
            guards = [
                release(integrations_of(environment_id, integration.kind), str(number), stream),
                erase(integration.token_id),
            ]
            return self._store.save(integration, guards=guards)

        return decide_again(stream, attempt)

    def token(self, environment_id: int, number: int) -> str:
        """The token in clear. Raises NotFound, also for another environment's; Unsealable."""
        integration = self._loaded(number)
        body = self._store.private(integration.token_id)
        if integration.environment_id != environment_id or body is None:
            raise NotFound(f"There is no integration {number}.")
        return self._seal.unseal(body["sealed"])

    def _loaded(self, number: int) -> Integration:
        try:
            integration = self._store.load(Integration, integration_stream(number))
        except NotFound as error:
            raise NotFound(f"There is no integration {number}.") from error
        if integration.deleted:
            raise NotFound(f"There is no integration {number}.")
        return integration


def _stamp(context: Context, organization_id: UUID | None, environment_id: int) -> Stamp:
    return replace(context.stamp(), organization_id=organization_id, environment_id=environment_id)
