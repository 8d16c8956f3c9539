"""Bulk saves: one round trip, an outcome per item, and a refusal leaves its neighbours alone."""

from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from commands.store.application import BULK, TOO_LARGE, Outcome, Save, Store
from commands.store.guards import claim, release, require
from commands.store.private_text import private_text
from commands.store.recorder import Group, Refused
from domain.accounts import Organization
from domain.errors import NotFound
from domain.scanner import Scanner
from tests.store.derived import assert_derivable
from tests.store.world import NOW, PERSON, World


def organization(world: World, name: str = "Acme", amount: int = 5) -> Organization:
    return Organization.create(uuid4(), world.context.stamp(), name=name, monthly_quota=amount)


@pytest.mark.rule("trap/3")
def test_every_kind_of_refusal_among_neighbours_that_are_stored(world: World) -> None:
    existing = organization(world)
    world.store.save(existing)
    existing.set_quota(world.context.stamp(), 7)
    stale = world.store.load(Organization, existing.id)
    stale.set_quota(world.context.stamp(), 8)
    free, taken = str(uuid4()), str(uuid4())
    saves = [
        Save((organization(world),), (claim("tests", taken, uuid4()),)),
        Save((organization(world),), (claim("tests", taken, uuid4()),)),
        Save((organization(world),), (require("tests", free),)),
        Save((existing,)),
        Save((stale,)),
        Save((organization(world), organization(world))),
        Save((organization(world),), (require("tests", taken),)),
    ]
    outcomes = world.store.save_each(saves)
    assert [outcome.refusal for outcome in outcomes] == [
        None, "taken:tests", "missing:tests", None, "version", None, None,
    ]  # fmt: skip
    positions = [outcome.position for outcome in outcomes if outcome.position is not None]
    assert positions == sorted(positions)
    assert world.store.load(Organization, existing.id).monthly_quota == 7
    assert world.count("OrganizationCreated") == 1 + 1 + 1 + 2 + 1


def test_a_save_that_is_too_large_leaves_its_neighbours_alone(world: World) -> None:
    def scanner(prompt: str, query_text: str) -> Scanner:
        return Scanner.create(
            uuid4(),
            world.context.stamp(),
            name="Large",
            scanner_type="monitor",
            scanner_config={"prompt": prompt},
            query={"person_uuid": query_text},
            model="a",
        )

    large = scanner("\x01" * 20_000, "\U0001f600" * 60_000)
    outcomes = world.store.save_each([Save((scanner("p", "x"),)), Save((large,)), Save((scanner("p", "y"),))])
    assert outcomes[1] == Outcome(None, TOO_LARGE)
    assert [outcome.refusal for outcome in outcomes] == [None, TOO_LARGE, None]
    assert world.count("ScannerCreated") == 2


def test_a_refused_item_leaves_none_of_its_guard_rows_and_no_private_text(world: World, database_url: str) -> None:
    """The guards before the one that refuses have already run; they are undone with the item."""
    tenant, scanner = world.tenant, world.scanner()
    key, other = str(uuid4()), str(uuid4())
    world.store.save(organization(world), guards=[claim("tests", other, tenant.organization_id)])
    before = assert_derivable_but(world, "tests")
    reference, row = private_text(tenant.environment_id, "d-1", {"reasoning": "secret"})
    world.limited(world.limits).request(world.context, scanner, ["s-1"], "on_demand")
    reservation = {
        "op": "reserve", "scanner_id": str(scanner), "environment_id": tenant.environment_id,
        "organization_id": str(tenant.organization_id), "period": "2026-11", "at": NOW.isoformat(),
        "default_quota": 10, "scanner_cap": 10, "environment_cap": 10,
    }  # fmt: skip
    guards = [
        claim("tests", key, uuid4()),
        release("tests", other, tenant.organization_id),
        row,
        reservation,
        require("nobody", "has this"),
    ]
    [outcome] = world.store.save_each([Save((organization(world),), guards)])
    assert outcome == Outcome(None, "missing:nobody")
    with pytest.raises(Refused, match="missing:nobody"):
        world.store.save(organization(world), guards=guards)
    assert world.value("SELECT count(*) FROM store.private_text WHERE id = %s", reference.id) == 0
    assert world.store.owner("tests", key) is None
    assert world.store.owner("tests", other) == tenant.organization_id
    assert (world.used(), world.in_flight(scanner)) == (before + 1, 1)


def assert_derivable_but(world: World, scope: str) -> int:
    """Scopes of these tests are not in the log. Returns the use of the quota."""
    assert world.value("SELECT count(*) FROM store.claim WHERE scope = %s", scope) == 1
    return world.used()


def test_requests_answer_per_item_in_the_order_asked(world: World) -> None:
    scanner = world.scanner()
    world.started(scanner, "s-2")
    answers = world.observations.request(world.context, scanner, ["s-1", "s-2", "s-3", "s-1"], "on_demand")
    assert [(answer.session_id, answer.outcome) for answer in answers] == [
        ("s-1", "started"), ("s-2", "exists"), ("s-3", "started"), ("s-1", "started"),
    ]  # fmt: skip
    assert answers[0] == answers[3]
    assert all((answer.position is None) == (answer.outcome == "exists") for answer in answers)
    assert world.count("ObservationRequested") == world.used() == 3
    assert_derivable(world.conninfo)


def test_the_limits_of_a_bulk(world: World) -> None:
    scanner = world.scanner()
    assert world.store.save_each([]) == []
    assert world.observations.request(world.context, scanner, [], "on_demand") == []
    sessions = [f"s-{number}" for number in range(BULK + 1)]
    with pytest.raises(ValueError, match="200"):
        world.observations.request(world.context, scanner, sessions, "schedule")
    with pytest.raises(ValueError, match="200"):
        world.store.save_each([Save((organization(world),)) for _ in range(BULK + 1)])
    with pytest.raises(ValueError, match="recorded something"):
        world.store.save_each([Save((organization(world),)), Save(())])
    assert world.count("ObservationRequested") == 0
    started = world.observations.request(world.context, scanner, sessions[:BULK], "on_demand")
    assert [answer.outcome for answer in started].count("started") == world.limits.per_scanner


def test_a_save_that_recorded_nothing_appends_nothing_and_runs_no_guard(world: World) -> None:
    saved = organization(world)
    assert world.store.save(saved) == world.head()
    head = world.head()
    assert world.store.save(saved, guards=[require("nobody", "has this")]) is None
    assert world.store.save() is None
    assert world.head() == head


def test_one_save_of_many_aggregates_is_all_or_nothing(world: World) -> None:
    first = organization(world)
    world.store.save(first)
    stale = world.store.load(Organization, first.id)
    first.set_quota(world.context.stamp(), 9)
    world.store.save(first)
    stale.set_quota(world.context.stamp(), 8)
    newcomer = organization(world)
    with pytest.raises(Refused, match="version"):
        world.store.save(newcomer, stale)
    with pytest.raises(NotFound):
        world.store.load(Organization, newcomer.id)


def test_a_stream_of_another_kind_is_not_found(world: World) -> None:
    scanner = world.scanner()
    with pytest.raises(NotFound):
        world.store.load(Organization, scanner)
    assert world.store.load(Scanner, scanner).created_by == PERSON.user_id


@pytest.mark.rule("trap/3")
def test_an_unknown_guard_is_an_error_and_stores_nothing(store: Store, database_url: str) -> None:
    event = StoredEvent(uuid4(), 1, "Written", b"{}")
    with pytest.raises(Exception, match="unknown guard"):
        store.recorder.insert_events([event], guards=[{"op": "wish"}])
    with pytest.raises(Exception, match="unknown guard"):
        store.recorder.insert_groups([Group([event], []), Group([event], [{"op": "wish"}])])
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM store.events").fetchone() == (0,)
