"""From a run's jobs to receivers: what an answer makes of the delivery, its job and its endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg_pool import ConnectionPool

from commands.action_runs import ActionRuns
from commands.actions import Actions
from consumers.actions.delivering import Delivering
from consumers.delivery.port import EXCERPT_LENGTH
from consumers.delivery.sending import Sending
from consumers.delivery.settings import DeliverySettings
from consumers.delivery.targets import SWITCHED_OFF, Targets
from domain.outbound import AllowedHosts
from projections.queries.delivery import list_deliveries, list_disabled_endpoints, owner_of_run
from tests.actions.acting import Acting
from tests.delivery.reports import reported
from tests.projections.world import World
from tests.servers.vendors.server import Reply, VendorServer


class Hook:
    """An action with one webhook, and a worker for its deliveries."""

    def __init__(self, world: World, pool: ConnectionPool, server: VendorServer) -> None:
        self.world = world
        self.pool = pool
        self.server = server
        self.acting = Acting(world, pool)
        allowed = AllowedHosts.parse([server.url.removeprefix("http://")])
        self.actions = Actions(world.store, mail=True, allowed_hosts=allowed)
        self.config: list[dict[str, Any]] = [{"type": "webhook", "url": f"{server.url}/hook"}]
        made = self.actions.create(world.context(), name="D", scanner=world.scanner(), delivery_config=self.config)
        self.action = made.action.id
        self.acting.catch_up()
        targets = Targets(world.integrations, world.webhook_secrets, world.endpoints)
        self.work = Delivering(
            pool,
            ActionRuns(world.store),
            targets,
            world.endpoints,
            Sending(DeliverySettings(allowed_hosts=allowed)),
            lambda: datetime.now(UTC),
            public_url="https://vision.example.org",
            chance=lambda: 0.5,
        ).work

    def run(self) -> dict[str, Any]:
        """The only delivery of a new run, after what can be done of it now."""
        (run_id,) = reported(self.acting, [self.action])
        self.acting.catch_up()
        self.acting.work("delivery", self.work)
        self.acting.catch_up()
        (delivery,) = self.acting.run(self.action, UUID(run_id))["deliveries"]
        return delivery

    def waits(self) -> timedelta:
        """How long until the delivery is tried again."""
        with self.pool.connection() as connection:
            row = connection.execute(
                "SELECT available_at - clock_timestamp() FROM actions.job WHERE kind = 'delivery' AND state = 'queued'"
            ).fetchone()
        assert row is not None
        return row[0]

    def disabled(self) -> list[dict[str, Any]]:
        with self.pool.connection() as connection:
            return list_disabled_endpoints(connection, 1)


@pytest.fixture
def hook(world: World, pool: ConnectionPool, request: pytest.FixtureRequest) -> Iterator[Hook]:
    with VendorServer(request.param) as server:
        yield Hook(world, pool, server)


def answering(*replies: Reply) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("hook", [replies], indirect=True, ids=[""])


@answering(Reply({}, status=410), Reply({"ok": 1}))
def test_an_endpoint_that_is_gone_is_asked_no_more_until_it_is_saved_again(hook: Hook) -> None:
    gone = hook.run()
    assert (gone["status"], [attempt["status_code"] for attempt in gone["attempts"]]) == ("abandoned", [410])
    (off,) = hook.disabled()
    assert (off["target"], off["reason"]) == (hook.config[0]["url"], "The endpoint is gone (410).")
    unsent = hook.run()
    assert (unsent["status"], unsent["attempts"]) == ("abandoned", [])
    assert len(hook.server.requests) == 1
    with hook.pool.connection() as connection:
        state = "SELECT convert_from(state, 'UTF8') FROM store.events WHERE topic = 'DeliveryAbandoned'"
        assert [SWITCHED_OFF in said for (said,) in connection.execute(state)] == [False, True]

    hook.actions.edit(hook.world.context(), hook.action, {"delivery_config": hook.config})
    assert hook.run()["status"] == "succeeded"
    assert hook.disabled() == []
    assert len(hook.server.requests) == 2


@answering(Reply({"why": "x" * 5000}, status=503, headers={"Retry-After": "7200"}))
def test_a_receiver_may_ask_for_time(hook: Hook) -> None:
    delivery = hook.run()
    assert delivery["status"] == "pending"
    (attempt,) = delivery["attempts"]
    assert (attempt["status_code"], attempt["error"]) == (503, "The endpoint answered 503.")
    assert len(attempt["response_excerpt"]) == EXCERPT_LENGTH
    assert timedelta(seconds=7100) < hook.waits() <= timedelta(seconds=7200)
    with hook.pool.connection() as connection:
        held = connection.execute(
            "SELECT count(*) FROM store.events e WHERE convert_from(e.state, 'UTF8') LIKE '%xxxx%'"
        )
        assert held.fetchone() == (0,)


@answering(Reply({}, status=500))
def test_without_a_wish_the_schedule_counts(hook: Hook) -> None:
    assert hook.run()["status"] == "pending"
    assert timedelta(seconds=2) < hook.waits() <= timedelta(seconds=5)


@answering(Reply({}, status=410), Reply({}))
def test_the_operator_finds_what_has_not_arrived_and_sends_it_again(hook: Hook) -> None:
    assert hook.run()["status"] == "abandoned"
    hook.actions.edit(hook.world.context(), hook.action, {"delivery_config": hook.config})
    with hook.pool.connection() as connection:
        (found,) = list_deliveries(connection)
        assert list_deliveries(connection, 2) == list_deliveries(connection, 1, ["succeeded"]) == []
        owner = owner_of_run(connection, UUID(found["run"]))
        assert owner_of_run(connection, UUID(int=1)) is None
    assert (found["target"], found["status"]) == (hook.config[0]["url"], "abandoned")
    assert found["error"] == "The endpoint is gone (410)."
    assert owner is not None
    tenant, action = owner
    ActionRuns(hook.world.store).redeliver(hook.world.context(tenant), action, UUID(found["run"]), UUID(found["id"]))
    hook.acting.catch_up()
    assert hook.acting.work("delivery", hook.work) == 1
    hook.acting.catch_up()
    first, again = (seen.headers["webhook-id"] for seen in hook.server.requests)
    assert first == again == found["run"]
    with hook.pool.connection() as connection:
        assert list_deliveries(connection) == []
        assert [one["status"] for one in list_deliveries(connection, 1, ["succeeded"])] == ["succeeded"]
