"""Text from or about people: in the append's transaction, verifiable, erasable, and never in an event."""

import hashlib
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg_pool import ConnectionPool

from commands.accounts import FirstAccounts
from commands.observations import Lease
from commands.store.event_log import EventLog
from commands.store.private_text import private_text, text_digest
from domain.accounts import UserCreated
from domain.errors import Invalid, LeaseLost
from domain.event import TextRef
from domain.observation import ObservationSucceeded, ScanStarted
from tests.store.strategies import TEXT
from tests.store.world import World, success

SECRETS = {
    "distinct": "d-visitor-4711",
    "mail": "Rina.Oduya@example.org",
    "answer": "Rina could not find the way out of the cart.",
    "tag": "lost-in-the-cart",
    "user": "Boss.Person@example.com",
    "first": "Wilhelmina",
    "last": "Quackenbush",
}


def rows(conninfo: str) -> dict[UUID, tuple[int | None, str | None, bytes, Any]]:
    with psycopg.connect(conninfo) as connection:
        found = connection.execute("SELECT id, environment_id, subject, salt, body FROM store.private_text").fetchall()
    return {row[0]: row[1:] for row in found}


def references(conninfo: str) -> list[TextRef]:
    with psycopg.connect(conninfo) as connection:
        events = [recorded.event for recorded in EventLog().read(connection, 0)]
    found: list[TextRef] = []
    for event in events:
        match event:
            case ScanStarted(subject=TextRef() as subject):
                found.append(subject)
            case ObservationSucceeded():
                found.append(event.text)
            case UserCreated():
                found.append(event.profile)
            case _:
                pass
    return found


@pytest.fixture
def told(world: World) -> World:
    """A scan of a person's session, and a user."""
    lease = requested(world)
    subject = {"distinct_id": SECRETS["distinct"], "email": SECRETS["mail"]}
    world.observations.start(world.context, lease, try_number=1, subject=subject)
    private = {"reasoning": SECRETS["answer"], "tags_freeform": [SECRETS["tag"]]}
    answer = success(subject=SECRETS["distinct"])
    world.observations.succeed(world.context, lease, replace_private(answer, private))
    world.accounts.create_user(
        world.admin(), world.tenant.organization_id, SECRETS["user"], SECRETS["first"], SECRETS["last"]
    )
    return world


def replace_private(answer: Any, private: dict[str, Any]) -> Any:
    return replace(answer, private=private)


def requested(world: World, session_id: str = "s-1") -> Lease:
    scanner = world.scanner(f"scanner {uuid4()}")
    [made] = world.observations.request(world.context, scanner, [session_id], "on_demand")
    return Lease(made.observation_id, 1, uuid4())


def test_no_event_and_no_guard_row_holds_what_was_told(told: World) -> None:
    tables = ("events", "claim", "quota_limit", "quota_grant", "quota_usage", "in_flight")
    with psycopg.connect(told.conninfo) as connection:
        states = connection.execute("SELECT convert_from(state, 'utf8') FROM store.events").fetchall()
        others = [row for table in tables for row in connection.execute(f"SELECT t::text FROM store.{table} t")]
    written = "\n".join(row[0] for row in [*states, *others]).lower()
    assert "scannercreated" in written
    assert not [name for name, secret in SECRETS.items() if secret.lower() in written]


def test_every_reference_has_its_row_and_the_digest_verifies(told: World) -> None:
    stored = rows(told.conninfo)
    found = references(told.conninfo)
    assert len(found) == 3
    assert {reference.id for reference in found} == set(stored)
    for reference in found:
        _, _, salt, body = stored[reference.id]
        assert len(salt) == 16
        assert text_digest(salt, body) == reference.digest
        assert reference.digest != hashlib.sha256(orjson.dumps(body)).hexdigest()
    environment = told.tenant.environment_id
    assert {(row[0], row[1]) for row in stored.values()} == {
        (environment, SECRETS["distinct"]), (None, SECRETS["user"].lower()),
    }  # fmt: skip


def test_the_same_text_twice_has_two_digests() -> None:
    first, second = (private_text(7, "d", {"reasoning": "Same."})[0] for _ in range(2))
    assert first.digest != second.digest
    assert first.id != second.id


def test_erasing_a_person_leaves_the_events_intact(told: World, pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        before = EventLog().read_raw(connection, 0)
        erased = connection.execute(
            "DELETE FROM store.private_text WHERE environment_id = %s AND subject = %s",
            (told.tenant.environment_id, SECRETS["distinct"]),
        )
        assert erased.rowcount == 2
        assert EventLog().read_raw(connection, 0) == before
        assert [EventLog().decode(row).event for row in before]
    left = rows(told.conninfo)
    assert [row[3]["first_name"] for row in left.values()] == [SECRETS["first"]]
    observation = told.value("SELECT originator_id FROM store.events WHERE topic = 'ObservationSucceeded'")
    assert told.observations.load(told.context, observation).status == "succeeded"


def test_a_refused_save_leaves_no_text_behind(world: World) -> None:
    lease = requested(world)
    world.observations.start(world.context, lease, try_number=1, subject={"distinct_id": "d"})
    world.scanners.delete(world.context, world.observations.load(world.context, lease.observation_id).scanner_id)
    before = rows(world.conninfo)
    with pytest.raises(LeaseLost):
        world.observations.succeed(world.context, lease, success())
    takeover = Lease(lease.observation_id, 1, uuid4())
    with pytest.raises(LeaseLost):
        world.observations.start(world.context, takeover, try_number=2, subject={"distinct_id": "e"})
    organization = world.tenant.organization_id
    world.accounts.create_user(world.admin(), organization, "one@example.org")
    with pytest.raises(Invalid, match="already exists"):
        world.accounts.create_user(world.admin(), organization, "ONE@example.org ")
    assert len(rows(world.conninfo)) == len(before) + 1


def test_beginning_the_same_try_again_leaves_no_second_text(world: World) -> None:
    lease = requested(world)
    for _ in range(3):
        world.observations.start(world.context, lease, try_number=1, subject={"distinct_id": "d"})
    assert len(rows(world.conninfo)) == 1


def test_the_set_up_keeps_its_mail_private_too(world: World) -> None:
    first = FirstAccounts(uuid4(), "phc_1", "phx_first_key_of_all", SECRETS["user"])
    world.accounts.set_up(world.admin(), first)
    assert not world.value(
        "SELECT count(*) FROM store.events WHERE lower(convert_from(state, 'utf8')) LIKE %s", "%boss.person%"
    )
    assert not world.value(
        "SELECT count(*) FROM store.events WHERE convert_from(state, 'utf8') LIKE %s", "%phx_first_key_of_all%"
    )


@pytest.mark.parametrize("text", ["NUL \x00 here", "half \ud83d of an emoji", "\udc00", "\x00"])
def test_what_postgresql_cannot_hold_is_replaced_not_refused(world: World, text: str) -> None:
    """Pages and models do send such text; a scan must not fail for it."""
    lease = requested(world)
    world.observations.start(world.context, lease, try_number=1, subject={"distinct_id": text, "email": None})
    answer = replace_private(success(subject=text), {"reasoning": text, "tags_freeform": [text], text: 1})
    world.observations.succeed(world.context, lease, answer)
    stored = rows(world.conninfo)
    for reference in references(world.conninfo):
        _, subject, salt, body = stored[reference.id]
        assert text_digest(salt, body) == reference.digest
        assert "\ufffd" in (subject or "")
        assert "\ufffd" in orjson.dumps(body).decode()


BODIES = st.dictionaries(
    TEXT, TEXT | st.lists(TEXT, max_size=3) | st.integers(-(2**53), 2**53) | st.booleans(), max_size=4
)


@given(BODIES)
@settings(max_examples=200)
def test_digests_verify_after_any_trip_through_json(body: dict[str, Any]) -> None:
    reference, row = private_text(7, None, body)
    sent = orjson.loads(orjson.dumps(row))
    assert text_digest(bytes.fromhex(sent["salt"]), dict(reversed(sent["body"].items()))) == reference.digest
