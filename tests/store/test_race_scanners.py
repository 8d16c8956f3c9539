"""Races over scanners: unique names, lost updates, deletion."""

from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest

from commands.scanners import WrittenScanner
from domain.errors import Invalid, NotFound, StaleVersion
from tests.store.derived import assert_derivable
from tests.store.racing import RACERS, outcomes, race
from tests.store.world import SCANNER, World, build_world


def names(world: World) -> dict[UUID, str]:
    scope = f"scanner_name:{world.tenant.environment_id}"
    return {owner: key for kind, key, owner in assert_derivable(world.conninfo).claims if kind == scope}


@pytest.mark.rule("3.4/name-race")
def test_one_of_many_creates_gets_the_name(world: World) -> None:
    results = race([partial(world.scanner, "Dead ends")] * RACERS)
    assert outcomes(results) == {"UUID": 1, "Invalid": RACERS - 1}
    refusals = {(result.field, result.code) for result in results if isinstance(result, Invalid)}
    assert refusals == {("name", "invalid_input")}
    assert list(names(world).values()) == ["Dead ends"]
    assert world.count("ScannerCreated") == 1


@pytest.mark.rule("3.4/name-exact")
def test_names_differ_by_case_and_by_environment(world: World) -> None:
    other = build_world(world.conninfo, world.store)
    attempts = [partial(world.scanner, "A"), partial(world.scanner, "a"), partial(other.scanner, "A")] * (RACERS // 3)
    assert outcomes(race(attempts))["UUID"] == 3
    assert sorted(names(world).values()) == ["A", "a"]
    assert list(names(other).values()) == ["A"]


@pytest.mark.rule("3.4/name-race")
def test_one_of_many_renames_gets_the_name(world: World) -> None:
    scanners = [world.scanner(f"scanner {number}") for number in range(50)]
    renames = [partial(world.scanners.edit, world.context, scanner, {"name": "Best"}) for scanner in scanners]
    assert outcomes(race(renames)) == {"WrittenScanner": 1, "Invalid": 49}
    assert sorted(names(world).values()).count("Best") == 1
    assert len(names(world)) == 50


@pytest.mark.rule("3.4/name-own")
def test_a_rename_frees_the_old_name_and_ones_own_name_is_no_change(world: World) -> None:
    first = world.scanner("A")
    assert world.scanners.edit(world.context, first, {"name": "A"}).position is None
    world.scanners.edit(world.context, first, {"name": "B"})
    second = world.scanner("A")
    world.scanners.edit(world.context, first, {"name": "C"})
    world.scanners.edit(world.context, second, {"name": "B"})
    world.scanners.edit(world.context, first, {"name": "A"})
    assert names(world) == {first: "A", second: "B"}


def test_a_ring_of_renames_never_gives_one_name_twice(world: World) -> None:
    """Everybody wants the neighbour's name, over and over; each name has at most one owner at every moment."""
    ring = [world.scanner(f"name {number}") for number in range(20)]

    def push(scanner: UUID, number: int) -> WrittenScanner:
        return world.scanners.edit(world.context, scanner, {"name": f"name {number % 21}"})

    attempts = [partial(push, scanner, number + shift) for shift in range(1, 11) for number, scanner in enumerate(ring)]
    results = race(attempts)
    assert outcomes(results).keys() <= {"WrittenScanner", "Invalid"}
    held = names(world)
    assert set(held) == set(ring)
    assert len(set(held.values())) == len(ring)


def test_a_deleted_scanners_name_is_free(world: World) -> None:
    first = world.scanner("A")

    def replace() -> UUID:
        return world.scanner("A")

    results = race([*[replace] * 100, partial(world.scanners.delete, world.context, first), *[replace] * 99])
    created = [result for result in results if isinstance(result, UUID)]
    assert len(created) <= 1
    assert list(names(world)) == created
    assert names(world) or world.scanner("A")


def test_a_scanner_is_deleted_once(world: World) -> None:
    scanner = world.scanner()
    results = race([partial(world.scanners.delete, world.context, scanner)] * 50)
    assert outcomes(results) == {"int": 1, "NotFound": 49}
    assert world.count("ScannerDeleted") == 1
    assert names(world) == {}


def test_edits_that_have_seen_the_same_version_exclude_each_other(world: World) -> None:
    scanner = world.scanner()
    edits = [
        partial(world.scanners.edit, world.context, scanner, {"name": f"name {number}"}, expected_versions={1})
        for number in range(RACERS)
    ]
    results = race(edits)
    assert outcomes(results) == {"WrittenScanner": 1, "StaleVersion": RACERS - 1}
    [won] = [result for result in results if isinstance(result, WrittenScanner)]
    assert names(world) == {scanner: won.scanner.name}
    assert won.scanner.version == 2


def test_an_expected_version_holds_also_for_an_edit_that_changes_nothing(world: World) -> None:
    scanner = world.scanner("A")
    world.scanners.edit(world.context, scanner, {"name": "B"})
    results = race([partial(world.scanners.edit, world.context, scanner, {"name": "B"}, expected_versions={1})])
    assert isinstance(results[0], StaleVersion)


@pytest.mark.rule("3.4/version-race", "trap/36")
def test_each_of_200_concurrent_edits_raises_the_version_by_one(world: World) -> None:
    scanner = world.scanner()
    edits = [
        partial(world.scanners.edit, world.context, scanner, {"query": {"limit": number}}) for number in range(200)
    ]
    results = race(edits)
    versions = sorted(result.scanner.scanner_version for result in results if isinstance(result, WrittenScanner))
    assert versions == list(range(2, 202))
    positions = sorted(result.position or 0 for result in results if isinstance(result, WrittenScanner))
    assert all(a < b for a, b in pairwise(positions))


def test_edits_and_a_delete_leave_a_deleted_scanner_and_no_claim(world: World) -> None:
    scanner = world.scanner()
    edits = [partial(world.scanners.edit, world.context, scanner, {"name": f"name {number}"}) for number in range(20)]
    results = race([*edits[:10], partial(world.scanners.delete, world.context, scanner), *edits[10:]])
    assert all(isinstance(result, WrittenScanner | NotFound | int) for result in results)
    assert names(world) == {}
    last = "SELECT topic FROM store.events WHERE originator_id = %s ORDER BY originator_version DESC LIMIT 1"
    assert world.value(last, scanner) == "ScannerDeleted"


def test_a_scanner_of_another_environment_is_not_found(world: World) -> None:
    other = build_world(world.conninfo, world.store)
    scanner = world.scanner()
    for attempt in (
        partial(world.scanners.edit, other.context, scanner, {"name": "Mine"}),
        partial(world.scanners.delete, other.context, scanner),
        partial(world.observations.request, other.context, scanner, ["s"], "on_demand"),
    ):
        assert outcomes(race([attempt])) == {"NotFound": 1}
    assert names(world) == {scanner: "Dead ends"}


def test_a_refused_create_leaves_nothing(world: World) -> None:
    world.scanner("A")
    head = world.head()
    results = race([partial(world.scanners.create, world.context, name="A", **SCANNER)])
    assert isinstance(results[0], Invalid)
    assert world.head() == head
