"""Writing endpoints: switching off where deliveries keep failing, and on again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from commands.context import Context, decide_again
from commands.store.application import Store
from commands.store.guards import Guard
from commands.store.private_text import private_text
from domain.delivery import apart, target_of
from domain.endpoint import Endpoint, endpoint_id
from domain.errors import NotFound
from domain.event import Stamp


class Endpoints:
    """Command service of delivery and of administration."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def disable(
        self, context: Context, item: Mapping[str, JsonValue], *, reason: str, failing_since: datetime
    ) -> int | None:
        """Switches off the endpoint of one delivery (`domain.delivery.apart`). A repeat changes nothing.

        The context carries the tenant. `reason` is the last error in our own words.
        """
        environment_id = context.owned().environment_id
        stream = endpoint_id(environment_id, item)

        def attempt() -> int | None:
            guards: list[Guard] = []
            endpoint = known(self._store, environment_id, item)
            if endpoint is None:
                target, row = private_text(environment_id, None, {"target": target_of(item)})
                guards.append(row)
                endpoint = Endpoint.register(environment_id, item, context.stamp(), target=target)
            endpoint.disable(context.stamp(), reason=reason, failing_since=failing_since)
            return self._store.save(endpoint, guards=guards, once=context.once)

        return decide_again(stream, attempt)

    def enable(self, context: Context, stream: UUID) -> int | None:
        """Switches an endpoint on again, by its id; for the operator, without a tenant. A repeat changes nothing.

        Raises NotFound.
        """

        def attempt() -> int | None:
            try:
                endpoint = self._store.load(Endpoint, stream)
            except NotFound as error:
                raise NotFound(f"There is no endpoint {stream}.") from error
            endpoint.enable(_owned(context.stamp(), endpoint))
            return self._store.save(endpoint, once=context.once)

        return decide_again(stream, attempt)

    def is_disabled(self, environment_id: int, item: Mapping[str, JsonValue]) -> bool:
        """Whether nothing is to be sent there."""
        endpoint = known(self._store, environment_id, item)
        return endpoint is not None and endpoint.disabled


def known(store: Store, environment_id: int, item: Mapping[str, JsonValue]) -> Endpoint | None:
    """The endpoint of one delivery; None when it was never switched off."""
    try:
        return store.load(Endpoint, endpoint_id(environment_id, item))
    except NotFound:
        return None


def enabled(
    store: Store, stamp: Stamp, environment_id: int, items: Sequence[Mapping[str, JsonValue]]
) -> list[Endpoint]:
    """The endpoints of delivery_config that were switched off, switched on and not yet saved."""
    found = [endpoint for item in apart(items) if (endpoint := known(store, environment_id, item)) is not None]
    off = [endpoint for endpoint in found if endpoint.disabled]
    for endpoint in off:
        endpoint.enable(stamp)
    return off


def _owned(stamp: Stamp, endpoint: Endpoint) -> Stamp:
    return replace(stamp, environment_id=endpoint.environment_id, organization_id=endpoint.organization_id)
