"""Keys, environments, members: what authentication reads, and what administration lists."""

from datetime import timedelta
from uuid import uuid4

import pytest
from psycopg import Connection

from commands.accounts import hash_key
from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine import Behind, check_complete
from projections.engine.projection import BATCH
from projections.queries import accounts
from tests.projections.world import World, catch_up


def test_a_key_is_found_by_its_hash_until_it_is_revoked(world: World, connection: Connection) -> None:
    user = world.accounts.create_user(world.admin(), world.tenant.organization_id, "rina@example.org", "Rina", "Oduya")
    expires_at = world.clock() + timedelta(days=1)
    issued = world.accounts.issue_key(
        world.admin(), "rina@example.org", "ci", ["replay_scanner:read", "vision_action:read"], [1], expires_at
    )
    catch_up(connection)
    key_hash = hash_key(b"secret", issued.key)
    holder = accounts.key_holder(connection, key_hash)
    assert holder == accounts.KeyHolder(
        issued.prefix, user.id, world.tenant.organization_id, frozenset({"replay_scanner:read", "vision_action:read"}),
        (1,), expires_at,
    )  # fmt: skip
    assert accounts.key_holder(connection, "0" * 64) is None
    listed = {key.prefix: key for key in accounts.list_keys(connection)}
    assert (listed[issued.prefix].email, listed[issued.prefix].label) == ("rina@example.org", "ci")
    world.accounts.revoke_key(world.admin(), issued.prefix)
    catch_up(connection)
    assert accounts.key_holder(connection, key_hash) is None
    assert {key.prefix for key in accounts.list_keys(connection) if key.revoked_at} == {issued.prefix}


def test_environments_tokens_and_members(world: World, connection: Connection) -> None:
    own = world.tenant.organization_id
    second = world.accounts.create_environment(world.admin(), own, "Second", "Europe/Prague")
    foreign = world.accounts.create_organization(world.admin(), "Foreign", None)
    elsewhere = world.accounts.create_environment(world.admin(), foreign.id, "Elsewhere")
    catch_up(connection)
    assert accounts.tenant_of(connection, second.id) == Tenant(second.id, own)
    assert accounts.tenant_of(connection, 999) is None
    assert accounts.tenant_of_token(connection, elsewhere.project_token) == Tenant(elsewhere.id, foreign.id)
    assert accounts.environment_of_token(connection, "phc_\x00") is None
    assert accounts.environments_of(connection, 1) == [1, second.id]
    assert accounts.is_member(connection, 1, own)
    assert not accounts.is_member(connection, 1, foreign.id)
    assert not accounts.is_member(connection, 999, own)
    rotated = world.accounts.rotate_token(world.admin(), second.id)
    catch_up(connection)
    assert accounts.environment_of_token(connection, second.project_token) is None
    assert accounts.environment_of_token(connection, rotated.project_token) == second.id


def test_what_is_not_found_is_unknown_only_when_no_event_about_accounts_is_missing(
    world: World, connection: Connection
) -> None:
    catch_up(connection)
    assert accounts.tenant_of_token(connection, "phc_unknown") is None
    world.scanner()
    assert accounts.tenant_of_token(connection, "phc_unknown") is None, "scanners are nothing to it"
    created = world.accounts.create_environment(world.admin(), world.tenant.organization_id, "Second")
    for token in (created.project_token, "phc_unknown"):
        with pytest.raises(Behind):
            accounts.environment_of_token(connection, token)
    assert accounts.environment_of_token(connection, "") is None
    assert accounts.environment_of_token(connection, "phc_token") == 1
    catch_up(connection)
    assert accounts.environment_of_token(connection, created.project_token) == created.id
    assert accounts.environment_of_token(connection, "phc_unknown") is None


def test_tables_that_are_far_behind_are_behind_whatever_they_lack(world: World, connection: Connection) -> None:
    catch_up(connection)
    others = (
        "INSERT INTO store.events (originator_id, originator_version, topic, state) "
        "SELECT gen_random_uuid(), 1, 'ScannerDeleted', '' FROM generate_series(1, %s)"
    )
    connection.execute(others, (BATCH - 1,))
    check_complete(connection, ACCOUNTS)
    connection.execute(others, (1,))
    with pytest.raises(Behind):
        check_complete(connection, ACCOUNTS)


def test_user_objects(world: World, connection: Connection) -> None:
    catch_up(connection)
    own = accounts.user(connection, 1)
    assert own is not None
    assert accounts.users(connection, world.tenant, [1, 999]) == {1: own}
    assert accounts.users(connection, Tenant(2, uuid4()), [1]) == {}
    connection.execute("DELETE FROM store.private_text")
    assert accounts.user(connection, 1) is None
    assert accounts.users(connection, world.tenant, [1]) == {}
