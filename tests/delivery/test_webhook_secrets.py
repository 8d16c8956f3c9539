"""Webhook secrets: up to three alive, sealed beside the log, shown once, erased when they retire."""

from __future__ import annotations

import base64
from functools import partial

import psycopg
import pytest

from commands.sealing import Seal
from commands.webhook_secrets import WebhookSecrets
from domain.errors import NotFound
from domain.webhook_secret import MOST_ALIVE
from projections.queries.delivery import list_webhook_secrets
from tests.projections.world import World, catch_up
from tests.store.racing import outcomes, race


def test_a_crowd_makes_three_and_no_more(world: World) -> None:
    made = race([partial(world.webhook_secrets.create, world.admin(), 1)] * 12)
    assert outcomes(made) == {"NewSecret": MOST_ALIVE, "Conflict": 12 - MOST_ALIVE}
    with pytest.raises(NotFound):
        world.webhook_secrets.create(world.admin(), 99)


def test_the_life_of_a_secret(world: World, connection: psycopg.Connection) -> None:
    secrets = world.webhook_secrets
    first, second = secrets.create(world.admin(), 1), secrets.create(world.admin(), 1)
    for made in (first, second):
        assert made.secret.startswith("whsec_")
        assert len(base64.b64decode(made.secret.removeprefix("whsec_"), validate=True)) == 32
        assert made.secret not in repr(made)
    assert secrets.alive(1) == [second.secret, first.secret]
    assert secrets.alive(2) == []
    for table in ("store.events", "store.private_text"):
        for made in (first, second):
            held = f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%%' || %s || '%%'"
            assert connection.execute(held, (made.secret.removeprefix("whsec_"),)).fetchone() == (0,)
    catch_up(connection)
    assert [listed["id"] for listed in list_webhook_secrets(connection, 1)] == [first.number, second.number]
    assert list_webhook_secrets(connection, 2) == []

    before = connection.execute("SELECT count(*) FROM store.private_text").fetchone()
    secrets.retire(world.admin(), first.number)
    assert secrets.alive(1) == [second.secret]
    assert before is not None
    assert connection.execute("SELECT count(*) FROM store.private_text").fetchone() == (before[0] - 1,)
    with pytest.raises(NotFound):
        secrets.retire(world.admin(), first.number)
    with pytest.raises(NotFound):
        secrets.retire(world.admin(), 999)
    catch_up(connection)
    assert [listed["id"] for listed in list_webhook_secrets(connection)] == [second.number]
    # There is room again.
    secrets.create(world.admin(), 1)
    secrets.create(world.admin(), 1)
    assert WebhookSecrets(world.store, Seal(b"secret")).alive(1)[-1] == second.secret
