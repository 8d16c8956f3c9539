"""Races over organizations, users and keys: one set-up, one user per e-mail address, one revocation."""

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from commands.accounts import CreatedEnvironment, CreatedUser, FirstAccounts, hash_key
from commands.context import Context
from domain.accounts import ApiKey, Organization, User
from domain.errors import Conflict, Invalid, NotFound
from domain.ids import user_stream
from tests.store.derived import assert_derivable
from tests.store.racing import RACERS, outcomes, race
from tests.store.world import NOW, OPERATOR, World


def first_accounts(number: int) -> FirstAccounts:
    return FirstAccounts(uuid4(), f"phc_{number}", f"phx_{number:08d}_first", f"admin{number}@example.org")


def test_an_empty_database_is_set_up_once(world: World) -> None:
    assert not world.accounts.is_set_up
    attempts = [first_accounts(number) for number in range(50)]
    results = race([partial(world.accounts.set_up, world.admin(), first) for first in attempts])
    assert outcomes(results) == {"int": 1, "Conflict": 49}
    [won] = [first for first, result in zip(attempts, results, strict=True) if isinstance(result, int)]
    assert world.accounts.set_up_organization == won.organization_id
    assert world.value("SELECT count(*) FROM store.private_text") == 1
    assert world.count("ApiKeyIssued") == world.count("UserCreated") == 1
    assert_derivable(world.conninfo)


def test_one_user_per_address_in_any_case(world: World) -> None:
    organization = world.tenant.organization_id
    spellings = ("rina@example.org", "Rina@Example.org", " RINA@EXAMPLE.ORG ")
    attempts = [
        partial(world.accounts.create_user, world.admin(), organization, spellings[number % 3])
        for number in range(RACERS)
    ]
    results = race(attempts)
    assert outcomes(results) == {"CreatedUser": 1, "Invalid": RACERS - 1}
    assert {(each.field, each.code) for each in results if isinstance(each, Invalid)} == {("email", "invalid_input")}
    [user] = [result for result in results if isinstance(result, CreatedUser)]
    assert user.email == user.email.strip()
    assert world.store.load(User, user_stream(user.id)).user_id == user.id
    assert world.value("SELECT count(*) FROM store.private_text") == 1
    assert_derivable(world.conninfo)


@pytest.mark.parametrize(
    "email", ["", "rina", "@example.org", "rina@", "rina@localhost", "a b@example.org", "x" * 250 + "@a.io"]
)
def test_a_user_needs_an_address(world: World, email: str) -> None:
    with pytest.raises(Invalid) as caught:
        world.accounts.create_user(world.admin(), world.tenant.organization_id, email)
    assert caught.value.field == "email"


def test_environments_get_numbers_of_their_own(world: World) -> None:
    organization = world.tenant.organization_id
    create = partial(world.accounts.create_environment, world.admin(), organization)
    results = race([partial(create, f"environment {number}") for number in range(40)])
    made = [result for result in results if isinstance(result, CreatedEnvironment)]
    assert len({each.id for each in made} | {world.tenant.environment_id}) == 41
    assert len({each.project_token for each in made}) == 40
    assert_derivable(world.conninfo)


def test_nothing_is_made_in_an_organization_that_does_not_exist(world: World) -> None:
    nowhere = uuid4()
    for attempt in (
        partial(world.accounts.create_environment, world.admin(), nowhere, "Web"),
        partial(world.accounts.create_user, world.admin(), nowhere, "rina@example.org"),
        partial(world.accounts.set_quota, world.admin(), nowhere, 5),
        partial(world.accounts.grant_quota, world.admin(), nowhere, 5, NOW + timedelta(days=1)),
        partial(world.accounts.rotate_token, world.admin(), 4711),
        partial(world.accounts.issue_key, world.admin(), "nobody@example.org", "ci", ["*"]),
        partial(world.accounts.revoke_key, world.admin(), "phx_nothing"),
    ):
        assert outcomes(race([attempt])) == {"NotFound": 1}
    world.accounts.create_user(world.admin(), world.tenant.organization_id, "rina@example.org")
    assert_derivable(world.conninfo)


def test_quotas_set_at_once_leave_the_one_that_was_saved_last(world: World) -> None:
    organization = world.tenant.organization_id
    race([partial(world.accounts.set_quota, world.admin(), organization, number) for number in range(30)])
    rows = assert_derivable(world.conninfo)
    assert rows.limits[organization] == world.store.load(Organization, organization).monthly_quota


def test_grants_made_at_once_all_count(world: World) -> None:
    organization, until = world.tenant.organization_id, NOW + timedelta(days=1)
    race([partial(world.accounts.grant_quota, world.admin(), organization, 5, until)] * 20)
    assert assert_derivable(world.conninfo).grants[organization, 5, until] == 20
    assert len(world.store.load(Organization, organization).grants) == 20


def test_a_key_is_issued_in_full_once_and_revoked_once(world: World) -> None:
    organization = world.tenant.organization_id
    world.accounts.create_user(world.admin(), organization, "rina@example.org")
    issued = world.accounts.issue_key(
        world.admin(), "RINA@example.org", "ci", ["*", "*"], [world.tenant.environment_id], NOW + timedelta(days=1)
    )
    assert issued.key.startswith(issued.prefix)
    state = world.value("SELECT convert_from(state, 'utf8')::jsonb FROM store.events WHERE topic = 'ApiKeyIssued'")
    assert state["key_hash"] == hash_key(b"tests", issued.key) != hash_key(b"other", issued.key)
    assert state["scopes"] == ["*"]
    results = race([partial(world.accounts.revoke_key, world.admin(), issued.prefix)] * 50)
    assert outcomes(results) == {"int": 1, "Conflict": 49}
    key: UUID = world.value("SELECT originator_id FROM store.events WHERE topic = 'ApiKeyRevoked'")
    assert world.store.load(ApiKey, key).revoked
    assert_derivable(world.conninfo)


def test_a_key_is_confined_to_environments_of_its_users_organization(world: World) -> None:
    elsewhere = world.accounts.create_organization(world.admin(), "Other", None)
    foreign = world.accounts.create_environment(world.admin(), elsewhere.id, "Web")
    world.accounts.create_user(world.admin(), world.tenant.organization_id, "rina@example.org")
    for environments, error in (([foreign.id], NotFound), ([4711], NotFound)):
        with pytest.raises(error):
            world.accounts.issue_key(world.admin(), "rina@example.org", "ci", ["*"], environments)
    assert world.count("ApiKeyIssued") == 0


def test_rotated_tokens_are_all_different_and_the_last_one_holds(world: World) -> None:
    rotate = partial(world.accounts.rotate_token, Context(OPERATOR, NOW, uuid4()), world.tenant.environment_id)
    results = race([rotate] * 20)
    tokens = {result.project_token for result in results if isinstance(result, CreatedEnvironment)}
    assert len(tokens) == 20
    assert not any(isinstance(result, Conflict) for result in results)
    assert world.count("ProjectTokenRotated") == 20
