"""An endpoint that keeps failing is switched off, said so, and switched on again by saving or by the operator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from consumers.delivery.health import LEAST_ATTEMPTS, PATIENCE, note
from consumers.delivery.port import Attempt, EmailTarget, SlackTarget, Verdict, WebhookTarget
from consumers.delivery.targets import Targets, Undeliverable
from domain.delivery import apart, target_of
from domain.endpoint import EndpointDisabled, EndpointEnabled, EndpointRegistered, endpoint_id
from domain.errors import Invalid, NotFound
from projections.queries.delivery import count_disabled_endpoints, list_disabled_endpoints
from tests.delivery.messages import NOW
from tests.projections.world import World, catch_up

HOOK: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example.org/x"}
MAIL: dict[str, Any] = {"type": "email", "to": ["ann@example.org"]}


def attempt(verdict: Verdict) -> Attempt:
    return Attempt(500, 3, "The endpoint answered 500.", "", verdict)


def noted(connection: psycopg.Connection, verdict: Verdict, after: timedelta, environment: int = 1) -> datetime | None:
    return note(connection, environment, HOOK, attempt(verdict), NOW + after)


def topics(connection: psycopg.Connection) -> list[str]:
    wanted = [event.TOPIC for event in (EndpointRegistered, EndpointDisabled, EndpointEnabled)]
    statement = "SELECT topic FROM store.events WHERE topic = ANY(%s) ORDER BY notification_id"
    return [topic for (topic,) in connection.execute(statement, (wanted,))]


def test_it_takes_days_and_several_attempts(connection: psycopg.Connection) -> None:
    hour, late = timedelta(hours=1), PATIENCE
    assert [noted(connection, "again", hour * n) for n in range(LEAST_ATTEMPTS)] == [None] * LEAST_ATTEMPTS
    assert noted(connection, "again", late - hour) is None
    assert noted(connection, "abandon", late, environment=2) is None  # another environment's
    assert noted(connection, "abandon", late) == NOW
    assert noted(connection, "again", late + hour) == NOW  # said again, should nobody have heard


def test_a_success_begins_anew_and_a_few_failures_are_no_proof(connection: psycopg.Connection) -> None:
    day = timedelta(days=1)
    for number in range(LEAST_ATTEMPTS - 1):
        assert noted(connection, "again", 7 * day * number) is None  # weekly
    assert noted(connection, "succeeded", 30 * day) is None
    assert noted(connection, "again", 31 * day) is None
    assert noted(connection, "again", 33 * day) is None


def test_what_says_that_it_is_gone_is_believed(connection: psycopg.Connection) -> None:
    assert noted(connection, "gone", timedelta(0)) == NOW


def test_switched_off_and_on_by_saving_the_delivery(world: World, connection: psycopg.Connection) -> None:
    targets = Targets(world.integrations, world.webhook_secrets, world.endpoints)
    scanner = world.scanner()
    action = world.action(scanner, delivery_config=[HOOK, {"type": "email", "to": ["ann@example.org", "b@c.org"]}])
    assert targets.look_up(1, HOOK) == WebhookTarget(HOOK["url"], ())
    for item in (HOOK, HOOK, MAIL):
        world.endpoints.disable(world.context(), item, reason="It is gone.", failing_since=NOW)
    assert topics(connection) == ["EndpointRegistered", "EndpointDisabled"] * 2
    with pytest.raises(Undeliverable, match="switched off"):
        targets.look_up(1, HOOK)
    assert isinstance(targets.look_up(2, HOOK), WebhookTarget)
    catch_up(connection)
    assert count_disabled_endpoints(connection) == 2
    (hook,) = (found for found in list_disabled_endpoints(connection, 1) if found["type"] == "webhook")
    assert (hook["target"], hook["reason"], hook["failing_since"]) == (HOOK["url"], "It is gone.", NOW)
    assert "ann@example.org" not in str(
        connection.execute("SELECT state FROM store.events e WHERE e.topic LIKE 'End%'").fetchall()
    )

    world.actions.edit(world.context(), action, {"name": "Renamed"})
    with pytest.raises(Undeliverable):
        targets.look_up(1, HOOK)
    world.actions.edit(world.context(), action, {"delivery_config": [HOOK]})
    assert isinstance(targets.look_up(1, HOOK), WebhookTarget)
    with pytest.raises(Undeliverable):
        targets.look_up(1, MAIL)
    world.action(scanner, "Another", delivery_config=[{"type": "email", "to": ["z@c.org", "ann@example.org"]}])
    assert targets.look_up(1, MAIL) == EmailTarget("ann@example.org")
    assert topics(connection)[4:] == ["EndpointEnabled"] * 2
    catch_up(connection)
    assert list_disabled_endpoints(connection) == []


def test_what_failed_before_it_was_switched_on_counts_no_more(world: World, connection: psycopg.Connection) -> None:
    # The events are stamped by the world's clock, which the attempts here follow.
    began = world.clock()
    for number in range(LEAST_ATTEMPTS):
        note(connection, 1, HOOK, attempt("again"), began - PATIENCE + timedelta(hours=number))
    assert note(connection, 1, HOOK, attempt("again"), world.clock()) is not None
    world.endpoints.disable(world.context(), HOOK, reason="It fails.", failing_since=began - PATIENCE)
    assert world.endpoints.enable(world.admin(), endpoint_id(1, HOOK)) is not None
    assert world.endpoints.enable(world.admin(), endpoint_id(1, HOOK)) is None
    catch_up(connection)
    assert note(connection, 1, HOOK, attempt("again"), world.clock()) is None
    with pytest.raises(NotFound):
        world.endpoints.enable(world.admin(), endpoint_id(1, MAIL))


def test_targets_are_looked_up_each_time(world: World) -> None:
    targets = Targets(world.integrations, world.webhook_secrets, world.endpoints)
    number, _ = world.integrations.create(world.admin(), 1, "slack", "xoxb-1")
    item: dict[str, Any] = {"type": "slack", "integration_id": number, "channel": "#a"}
    assert targets.look_up(1, item) == SlackTarget("#a", "xoxb-1")
    with pytest.raises(Undeliverable, match="deleted"):
        targets.look_up(2, item)
    world.integrations.delete(world.admin(), number)
    with pytest.raises(Undeliverable, match="deleted"):
        targets.look_up(1, item)
    made = world.webhook_secrets.create(world.admin(), 1)
    found = targets.look_up(1, HOOK)
    assert found == WebhookTarget(HOOK["url"], (made.secret,))
    world.webhook_secrets.retire(world.admin(), made.number)
    assert targets.look_up(1, HOOK) == WebhookTarget(HOOK["url"], ())
    with pytest.raises(Undeliverable, match="no known kind"):
        targets.look_up(1, {"type": "pigeon"})


def test_deliveries_of_an_item() -> None:
    slack: dict[str, Any] = {"type": "slack", "integration_id": 12, "channel": "#checkout"}
    both: dict[str, Any] = {"type": "email", "to": ["a@b.org", "c@d.org", "a@b.org"]}
    again: dict[str, Any] = {"type": "email", "to": ["c@d.org", "e@f.org"]}
    found = apart([slack, both, again, HOOK])
    assert [target_of(item) for item in found] == ["12 #checkout", "a@b.org", "c@d.org", "e@f.org", HOOK["url"]]
    assert found[0] == slack
    assert apart([]) == []


@pytest.mark.parametrize("url", ["http://hooks.example.org/", "https://10.0.0.1/", "https://hooks.example.org:22/"])
def test_what_could_never_be_reached_is_not_saved(world: World, url: str) -> None:
    items = [HOOK, {"type": "webhook", "url": url}]
    scanner = world.scanner()
    with pytest.raises(Invalid) as refused:
        world.action(scanner, delivery_config=items)
    assert refused.value.field == "delivery_config__1__url"
    action = world.action(scanner)
    with pytest.raises(Invalid):
        world.actions.edit(world.context(), action, {"delivery_config": items})
