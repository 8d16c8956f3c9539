"""Races over observations: one per pair, one lease, one ending, and none without its scanner."""

import random
from functools import partial
from uuid import UUID, uuid4

import pytest

from commands.observations import Lease, Requested
from domain.errors import Conflict, LeaseLost, NotFound
from domain.observation import Observation
from tests.store.derived import assert_derivable
from tests.store.racing import RACERS, outcomes, race
from tests.store.world import NOW, World, build_world, success


def answers(results: list[list[Requested] | Exception]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for result in results:
        for requested in result if isinstance(result, list) else []:
            counted[requested.outcome] = counted.get(requested.outcome, 0) + 1
    return counted


@pytest.mark.rule("4/one-per-pair", "10/24")
def test_one_observation_per_pair(world: World) -> None:
    scanner = world.scanner()
    results = race(
        [partial(world.observations.request, world.context, scanner, ["s-1"], "on_demand")] * (RACERS // 2)
        + [partial(world.observations.request, world.context, scanner, ["s-1"], "schedule")] * (RACERS // 2)
    )
    assert answers(results) == {"started": 1, "exists": RACERS - 1}  # type: ignore[arg-type]
    assert (
        len({requested.observation_id for result in results if isinstance(result, list) for requested in result}) == 1
    )
    assert world.count("ObservationRequested") == 1
    assert (world.used(), world.in_flight(scanner)) == (1, 1)
    assert_derivable(world.conninfo)


def test_overlapping_bulk_requests_start_each_pair_once(world: World) -> None:
    scanner = world.scanner()
    sessions = [f"s-{number}" for number in range(120)]
    dice = random.Random(7)
    attempts = [
        partial(world.observations.request, world.context, scanner, dice.sample(sessions, 60), "on_demand")
        for _ in range(40)
    ]
    counted = answers(race(attempts))  # type: ignore[arg-type]
    wanted = {session for attempt in attempts for session in attempt.args[2]}
    assert counted == {"started": len(wanted), "exists": 40 * 60 - len(wanted)}
    assert (world.used(), world.in_flight(scanner)) == (len(wanted), len(wanted))
    assert_derivable(world.conninfo)


def test_one_of_many_workers_gets_the_lease(world: World) -> None:
    scanner = world.scanner()
    [requested] = world.observations.request(world.context, scanner, ["s-1"], "on_demand")
    leases = [Lease(requested.observation_id, 1, uuid4()) for _ in range(RACERS)]
    results = race(
        [partial(world.observations.start, world.context, lease, try_number=1, subject=None) for lease in leases]
    )
    assert outcomes(results) == {"Observation": 1, "LeaseLost": RACERS - 1}
    [won] = [lease for lease, result in zip(leases, results, strict=True) if isinstance(result, Observation)]
    world.observations.succeed(world.context, won, success())
    assert_derivable(world.conninfo)


@pytest.mark.rule("trap/7", "trap/5")
def test_a_run_ends_once_and_its_reservation_is_settled_once(world: World) -> None:
    scanner = world.scanner()
    lease = world.started(scanner, "s-1")
    endings = [
        partial(world.observations.succeed, world.context, lease, success()),
        partial(world.observations.fail, world.context, lease, kind="provider_error", message="No."),
        partial(world.observations.judge_ineligible, world.context, lease, kind="too_short", message="3 s."),
        partial(world.observations.abandon, world.context, lease.observation_id, 1, message="Gone."),
        partial(world.observations.fail_try, world.context, lease, kind="timeout", message="Slow.", retry_at=NOW),
    ] * (RACERS // 5)
    results = race(endings)
    assert set(outcomes(results)) <= {"NoneType", "LeaseLost"}
    ended = sum(map(world.count, ("ObservationSucceeded", "ObservationFailed", "ObservationIneligible")))
    assert ended == 1
    assert results.count(None) == 1 + world.count("TryFailed")
    assert world.in_flight(scanner) == 0
    assert world.used() == world.count("ObservationSucceeded")
    assert_derivable(world.conninfo)


def test_a_takeover_shuts_out_the_worker_before(world: World) -> None:
    scanner = world.scanner()
    first = world.started(scanner, "s-1")
    second = Lease(first.observation_id, 1, uuid4())
    attempts = [
        partial(world.observations.succeed, world.context, first, success()),
        partial(world.observations.start, world.context, second, try_number=2, subject=None),
    ] * 30
    race(attempts)
    observation = world.observations.load(world.context, first.observation_id)
    if observation.status == "running":
        assert observation.lease_token == second.token
        with pytest.raises(LeaseLost):
            world.observations.succeed(world.context, first, success())
        world.observations.succeed(world.context, second, success())
    assert world.count("ObservationSucceeded") == 1
    assert_derivable(world.conninfo)


@pytest.mark.rule("trap/15", "10/24")
def test_one_of_many_retries_opens_the_next_run(world: World) -> None:
    scanner = world.scanner()
    lease = world.started(scanner, "s-1")
    world.observations.fail(world.context, lease, kind="provider_error", message="No.")
    assert (world.used(), world.in_flight(scanner)) == (0, 0)
    results = race([partial(world.observations.retry, world.context, lease.observation_id)] * RACERS)
    assert outcomes(results) == {"tuple": 1, "Conflict": RACERS - 1}
    assert (world.used(), world.in_flight(scanner), world.count("ObservationRetried")) == (1, 1, 1)
    assert_derivable(world.conninfo)


@pytest.mark.rule("trap/4")
def test_a_delete_and_requests_cannot_cross(world: World) -> None:
    scanner, other = world.scanner("doomed"), world.scanner("other")
    requests = [
        partial(world.observations.request, world.context, scanner, [f"s-{number}", f"t-{number}"], "on_demand")
        for number in range(RACERS)
    ]
    bystanders = [partial(world.observations.request, world.context, other, [f"s-{n}"], "on_demand") for n in range(20)]
    delete = partial(world.scanners.delete, world.context, scanner)
    results = race([*requests[:20], delete, *requests[20:], *bystanders])
    assert set(outcomes(results)) <= {"list", "NotFound", "int"}
    deleted_at = world.value("SELECT notification_id FROM store.events WHERE topic = 'ScannerDeleted'")
    orphans = (
        "SELECT count(*) FROM store.events WHERE topic = 'ObservationRequested' AND notification_id > %s "
        "AND convert_from(state, 'utf8')::jsonb->>'scanner_id' = %s"
    )
    assert world.value(orphans, deleted_at, str(scanner)) == 0
    assert (world.in_flight(scanner), world.in_flight(other), world.used()) == (0, 20, 20)
    assert_derivable(world.conninfo)


@pytest.mark.rule("3.4/delete-in-flight")
def test_after_a_delete_nothing_of_the_scanner_can_end_or_begin(world: World) -> None:
    scanner = world.scanner()
    leases = [world.started(scanner, f"s-{number}") for number in range(40)]
    done = world.started(scanner, "done")
    world.observations.succeed(world.context, done, success())
    endings = [partial(world.observations.succeed, world.context, lease, success()) for lease in leases]
    *results, deleted = race([*endings, partial(world.scanners.delete, world.context, scanner)])
    assert isinstance(deleted, int)
    assert set(outcomes(results)) <= {"NoneType", "LeaseLost"}
    succeeded = world.count("ObservationSucceeded")
    assert succeeded == 1 + results.count(None)
    assert (world.used(), world.in_flight(scanner)) == (succeeded, 0)
    lost = [lease for lease, result in zip(leases, results, strict=True) if isinstance(result, LeaseLost)]
    open_lease = lost[0] if lost else done
    for attempt in (
        partial(world.observations.fail, world.context, open_lease, kind="timeout", message="Slow."),
        partial(world.observations.abandon, world.context, open_lease.observation_id, 1, message="Gone."),
        partial(world.observations.start, world.context, open_lease, try_number=2, subject={"distinct_id": "d"}),
        partial(world.observations.retry, world.context, open_lease.observation_id),
    ):
        assert set(outcomes(race([attempt]))) <= {"LeaseLost", "NotFound", "Conflict"}
    assert_derivable(world.conninfo)


def test_a_retry_of_a_deleted_scanners_observation_is_not_found(world: World) -> None:
    scanner = world.scanner()
    lease = world.started(scanner, "s-1")
    world.observations.fail(world.context, lease, kind="timeout", message="Slow.")
    world.scanners.delete(world.context, scanner)
    with pytest.raises(NotFound):
        world.observations.retry(world.context, lease.observation_id)
    assert_derivable(world.conninfo)


def test_an_observation_in_flight_or_succeeded_is_not_retried(world: World) -> None:
    scanner = world.scanner()
    lease = world.started(scanner, "s-1")
    for _ in range(2):
        with pytest.raises(Conflict):
            world.observations.retry(world.context, lease.observation_id)
        if world.in_flight(scanner):
            world.observations.succeed(world.context, lease, success())
    assert world.used() == 1


def test_observations_of_another_environment_are_not_found(world: World) -> None:
    other = build_world(world.conninfo, world.store)
    lease = world.started(world.scanner(), "s-1")
    for attempt in (
        partial(world.observations.retry, other.context, lease.observation_id),
        partial(world.observations.succeed, other.context, lease, success()),
        partial(world.observations.load, other.context, lease.observation_id),
        partial(world.observations.load, world.context, UUID(int=1)),
    ):
        assert outcomes(race([attempt])) == {"NotFound": 1}
