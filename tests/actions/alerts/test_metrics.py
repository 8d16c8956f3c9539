"""What each metric measures, of the observations that a selection takes (contract 8.1, extensions "Mode alert")."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from domain.alert_config import whole
from domain.tenant import Tenant
from projections.queries.alert_metrics import measured, telling
from projections.queries.selected import Selected, Window
from tests.projections.world import START, World, catch_up

LONG = Window(START, START + timedelta(days=1), None, 0)
SHARE = whole({"metric": "verdict_share", "verdict": "no", "threshold": 0.5})
AVERAGE = whole({"metric": "avg_score", "threshold": 5})


def observed(world: World, scanner_id: UUID, scanner_type: str, *results: dict[str, Any]) -> list[UUID]:
    """One observation for each result; `private` is its free text."""
    ids = world.observe(scanner_id, *(f"s{number}-{uuid4()}" for number in range(len(results))))
    for observation_id, result in zip(ids, results, strict=True):
        lease = world.start(observation_id)
        world.succeed(lease, scanner_type, result.pop("private", None), **result)
    return ids


def value(
    connection: Connection, world: World, scanner_id: UUID, config: dict[str, Any], **selection: Any
) -> float | None:
    catch_up(connection)
    return measured(connection, world.tenant, config, Selected.of(selection, scanner_id), LONG).value


def test_a_count_is_of_what_succeeded(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    observed(world, scanner_id, "monitor", {}, {})
    world.fail(world.start(world.observe(scanner_id, "failed")[0]))
    world.observe(scanner_id, "pending")
    assert value(connection, world, scanner_id, whole({"metric": "count", "threshold": 1})) == 2


def test_a_share_of_a_verdict_is_of_all_verdicts(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    assert value(connection, world, scanner_id, SHARE) is None
    observed(world, scanner_id, "monitor", *({"verdict": each} for each in ("no", "yes", "inconclusive", "no")))
    assert value(connection, world, scanner_id, SHARE) == 0.5


def test_a_share_of_a_tag_counts_tags_of_either_kind_once(world: World, connection: Connection) -> None:
    scanner_id = world.scanner(scanner_type="classifier")
    observed(
        world,
        scanner_id,
        "classifier",
        {"tags": ["payment"]},
        {"tags": ["address"], "private": {"reasoning": "x", "tags_freeform": ["slow page"]}},
        {"tags": ["payment", "address"], "private": {"reasoning": "x", "tags_freeform": ["slow page", "payment"]}},
        {"tags": ["address"]},
    )
    for tag, expected in (("payment", 0.5), ("slow page", 0.5), ("address", 0.75), ("other", 0.0)):
        config = whole({"metric": "tag_share", "tag": tag, "threshold": 0.5})
        assert value(connection, world, scanner_id, config) == expected


def test_an_average_of_scores_and_of_none(world: World, connection: Connection) -> None:
    scanner_id = world.scanner(scanner_type="scorer")
    assert value(connection, world, scanner_id, AVERAGE) is None
    observed(world, scanner_id, "scorer", {"score": 0}, {"score": 7}, {"score": 8})
    assert value(connection, world, scanner_id, AVERAGE) == 5.0


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, 3),
        ({"verdict": "no"}, 1),
        ({"verdict": "bogus"}, 0),
        ({"verdict": "", "status": "", "scanner_type": "", "tags": [], "scanner_ids": []}, 3),
        ({"status": "succeeded", "scanner_type": "monitor"}, 3),
        ({"status": "failed"}, 0),
        ({"scanner_type": "scorer"}, 0),
        ({"min_score": 0}, 0),
        ({"tags": ["payment"]}, 0),
        ({"scanner_ids": ["not an id"]}, 0),
    ],
)
def test_the_keys_of_a_selection_of_verdicts(
    world: World, connection: Connection, selection: dict[str, Any], expected: int
) -> None:
    scanner_id = world.scanner()
    observed(world, scanner_id, "monitor", {"verdict": "no"}, {"verdict": "yes"}, {"verdict": "yes"})
    world.fail(world.start(world.observe(scanner_id, "failed")[0]))
    assert value(connection, world, scanner_id, whole({"metric": "count", "threshold": 1}), **selection) == expected


def test_the_keys_of_a_selection_over_several_scanners(world: World, connection: Connection) -> None:
    """Limits of a score are inclusive, any of the tags will do, and what lacks what is asked for is left out."""
    scorer, classifier, other = (world.scanner(each, each) for each in ("scorer", "classifier", "monitor"))
    observed(world, scorer, "scorer", {"score": 2}, {"score": 4}, {"score": 6})
    observed(world, classifier, "classifier", {"tags": ["payment"]}, {"tags": ["address"]})
    observed(world, other, "monitor", {})
    count = whole({"metric": "count", "threshold": 1})
    ids = [str(scorer), str(classifier), str(other)]

    def counted(**selection: Any) -> float | None:
        return value(connection, world, scorer, count, scanner_ids=ids, **selection)

    assert counted() == 6
    assert counted(min_score=2, max_score=4) == 2
    assert counted(max_score=5.9) == 2
    assert counted(tags=["payment", "nothing"]) == 1
    assert counted(tags=["payment", "address"]) == 2
    assert counted(scanner_type="monitor") == 1
    assert value(connection, world, scorer, count) == 3
    world.scanners.delete(world.context(), other)
    assert counted() == 5


def test_a_window_is_half_open_by_time_and_open_at_its_beginning_by_place(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    observed(world, scanner_id, "monitor", {}, {}, {})
    catch_up(connection)
    (_, first), (at, second), (_, third) = connection.execute(
        "SELECT completed_at, completed_position FROM read_observations.observation ORDER BY completed_position"
    ).fetchall()
    count, selected = whole({"metric": "count", "threshold": 1}), Selected((scanner_id,))

    def counted(window: Window) -> float | None:
        return measured(connection, world.tenant, count, selected, window).value

    assert counted(Window(START, at, None, 0)) == 1
    assert counted(Window(at, START + timedelta(days=1), None, 0)) == 2
    assert counted(Window(at, at, first, second)) == 1
    assert counted(Window(START, START, first - 1, third)) == 3
    assert counted(Window(START, START, third, third + 10)) == 0


def test_what_tells_most_comes_first(world: World, connection: Connection) -> None:
    scorer, monitor = world.scanner("Scorer", "scorer"), world.scanner("Monitor")
    low, high, middle = observed(world, scorer, "scorer", {"score": 1}, {"score": 9}, {"score": 5})
    yes, no, later = observed(world, monitor, "monitor", {"verdict": "yes"}, {"verdict": "no"}, {"verdict": "no"})
    catch_up(connection)

    def told(scanner_id: UUID, config: dict[str, Any], limit: int = 9) -> list[UUID]:
        found = telling(connection, world.tenant, config, Selected((scanner_id,)), LONG, limit)
        return [one.id for one in found]

    assert told(scorer, AVERAGE) == [high, middle, low]
    assert told(scorer, {**AVERAGE, "direction": "below"}, 2) == [low, middle]
    assert told(monitor, SHARE) == [later, no]
    assert told(monitor, {**SHARE, "direction": "below"}) == [yes]


def test_another_tenant_sees_nothing(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    observed(world, scanner_id, "monitor", {})
    catch_up(connection)
    stranger = Tenant(world.tenant.environment_id + 1, world.tenant.organization_id)
    count = whole({"metric": "count", "threshold": 1})
    assert measured(connection, stranger, count, Selected((scanner_id,)), LONG).value == 0
    assert telling(connection, stranger, count, Selected((scanner_id,)), LONG, 5) == []
