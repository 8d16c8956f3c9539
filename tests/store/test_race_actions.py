"""Races over actions: unique names, and the end of the scanner that they are bound to."""

from functools import partial
from uuid import UUID

import pytest

from commands.actions import MOST_ACTIONS, WrittenAction
from commands.integrations import Integrations
from commands.sealing import Seal, Unsealable
from domain.errors import Invalid, NotFound
from tests.store.derived import assert_derivable
from tests.store.racing import RACERS, outcomes, race
from tests.store.world import World, build_world


def names(world: World) -> dict[UUID, str]:
    scope = f"action_name:{world.tenant.environment_id}"
    return {owner: key for kind, key, owner in assert_derivable(world.conninfo).claims if kind == scope}


@pytest.mark.rule("8.1/name")
def test_one_of_many_creates_gets_the_name(world: World) -> None:
    results = race([partial(world.action, world.scanner())] * RACERS)
    assert outcomes(results) == {"UUID": 1, "Invalid": RACERS - 1}
    assert {(result.field, result.code) for result in results if isinstance(result, Invalid)} == {
        ("name", "invalid_input")
    }
    assert list(names(world).values()) == ["Digest"]


@pytest.mark.rule("3.4/delete-actions")
def test_no_action_outlives_its_scanner(world: World) -> None:
    """Creations, moves and the deletion of the scanner at once: each is refused or undone with the scanner."""
    doomed, safe = world.scanner("Doomed"), world.scanner("Safe")
    moving = [world.action(safe, f"moving {number}") for number in range(20)]
    leaving = [world.action(doomed, f"leaving {number}") for number in range(20)]
    attempts = [
        *(partial(world.action, doomed, f"new {number}") for number in range(20)),
        *(partial(world.actions.edit, world.context, one, {"scanner": doomed}) for one in moving),
        *(partial(world.actions.edit, world.context, one, {"scanner": safe}) for one in leaving),
    ]
    results = race([*attempts[:30], partial(world.scanners.delete, world.context, doomed), *attempts[30:]])
    for result in results:
        assert isinstance(result, UUID | WrittenAction | NotFound | int) or (
            isinstance(result, Invalid) and result.code == "does_not_exist"
        ), result
    claims = assert_derivable(world.conninfo).claims
    assert not [claim for claim in claims if claim[0] == f"action_of:{doomed}"]
    alive = {owner for scope, _, owner in claims if scope == "action"}
    assert alive == set(names(world))
    assert alive == {owner for scope, _, owner in claims if scope == f"action_of:{safe}"}
    for action_id in alive:
        assert world.actions.load(world.context, action_id).scanner == safe


def test_a_scanner_takes_so_many_actions_and_ends_with_all_of_them(world: World) -> None:
    scanner = world.scanner()
    results = race([partial(world.action, scanner, f"action {number}") for number in range(MOST_ACTIONS + 20)])
    assert outcomes(results) == {"UUID": MOST_ACTIONS, "Invalid": 20}
    assert {result.field for result in results if isinstance(result, Invalid)} == {"scanner"}
    assert world.scanners.delete(world.context, scanner) is not None
    assert world.count("ActionDeleted") == MOST_ACTIONS
    assert names(world) == {}


def test_an_action_of_another_environment_is_not_found(world: World) -> None:
    other = build_world(world.conninfo, world.store)
    action_id = world.action(world.scanner())
    for attempt in (
        partial(other.actions.edit, other.context, action_id, {"enabled": False}),
        partial(other.actions.delete, other.context, action_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(Invalid):
        other.action(world.scanner("Elsewhere"))


def test_a_token_is_sealed_and_goes_with_its_integration(world: World) -> None:
    integrations = Integrations(world.store, Seal(b"one secret"))
    environment_id = world.tenant.environment_id
    number, _ = integrations.create(world.admin(), environment_id, "slack", " xoxb-canary\n")
    assert integrations.token(environment_id, number) == "xoxb-canary"
    bodies = "SELECT count(*) FROM store.private_text WHERE body::text LIKE '%%' || %s || '%%'"
    assert world.value(bodies, "canary") == 0
    assert world.value("SELECT count(*) FROM store.events WHERE state::text LIKE '%%xoxb%%'") == 0
    with pytest.raises(NotFound):
        integrations.token(environment_id + 1, number)
    with pytest.raises(Unsealable):
        Integrations(world.store, Seal(b"another secret")).token(environment_id, number)
    assert_derivable(world.conninfo)
    before = world.value("SELECT count(*) FROM store.private_text")
    results = race([partial(integrations.delete, world.admin(), number)] * 20)
    assert outcomes(results) == {"int": 1, "NotFound": 19}
    assert world.value("SELECT count(*) FROM store.private_text") == before - 1
    assert_derivable(world.conninfo)


@pytest.mark.parametrize("token", ["", "  ", "two words", "x" * 4097, "línea"])
def test_tokens_that_are_none(world: World, token: str) -> None:
    with pytest.raises(Invalid):
        Integrations(world.store, Seal(b"s")).create(world.admin(), world.tenant.environment_id, "slack", token)
