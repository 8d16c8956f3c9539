"""Contract 4.1, 4.3, 4.4: the document in each state, filters, orders, neighbours, private text, deleted scanners."""

from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from domain.ids import workflow_id
from domain.tenant import Tenant
from projections.catalogue import named
from projections.engine.place import enter, live_place
from projections.observations import OBSERVATIONS
from projections.queries import observations
from projections.queries.observations import ObservationFilters
from tests.projections.world import CONFIGS, World, catch_up


def one(connection: Connection, world: World, observation_id: UUID) -> dict[str, object]:
    catch_up(connection)
    found = observations.observation(connection, world.tenant, observation_id)
    assert found is not None
    return found


def found(connection: Connection, world: World, order_by: str | None = None, **filters: object) -> list[str]:
    count, rows = observations.page(connection, world.tenant, ObservationFilters(**filters), order_by)  # type: ignore[arg-type]
    assert count == len(rows)
    return [row["session_id"] for row in rows]


@pytest.mark.rule("4.1/keys", "4.1/started-at", "trap/5")
def test_the_document_through_the_life_of_an_observation(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    (observation_id,) = world.observe(scanner_id, "s1")
    pending = one(connection, world, observation_id)
    snapshot = pending.pop("scanner_snapshot")
    assert snapshot == {
        "name": "Checkout", "scanner_type": "monitor", "scanner_version": 1, "model": "builtin", "provider": "builtin",
        "emits_signals": False, "scanner_config": CONFIGS["monitor"],
    }  # fmt: skip
    user = pending.pop("triggered_by_user")
    assert isinstance(user, dict)
    assert user["id"] == 1
    created_at = pending.pop("created_at")
    assert pending == {
        "id": observation_id, "scanner_id": scanner_id, "session_id": "s1", "status": "pending", "error_reason": "",
        "workflow_id": "", "scanner_result": None, "triggered_by": "on_demand", "distinct_id": None,
        "recording_subject_email": None, "previous_observation_id": None, "next_observation_id": None,
        "started_at": None, "completed_at": None,
    }  # fmt: skip

    lease = world.start(observation_id, distinct_id="visitor-88", email="v@example.org")
    running = one(connection, world, observation_id)
    started_at = running["started_at"]
    assert started_at is not None
    assert (running["status"], running["distinct_id"], running["recording_subject_email"]) == (
        "running", "visitor-88", "v@example.org",
    )  # fmt: skip
    assert running["workflow_id"] == workflow_id(scanner_id, "s1")

    world.observations.fail_try(
        world.context(), lease, kind="provider_transient", message="503", retry_at=world.clock()
    )
    lease = world.start(observation_id, try_number=2)
    assert one(connection, world, observation_id)["started_at"] == started_at

    world.succeed(lease)
    done = one(connection, world, observation_id)
    assert (done["status"], done["error_reason"], done["created_at"]) == ("succeeded", "", created_at)
    assert done["completed_at"] is not None
    assert done["scanner_result"] == {
        "model_output": {
            "scanner_type": "monitor", "verdict": "yes", "reasoning": "The card was declined twice.",
            "reasoning_segments": [], "confidence": 0.9,
        },
        "signals_count": 2,
    }  # fmt: skip


def test_failure_retry_and_ineligible(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    failed, ineligible = world.observe(scanner_id, "s1", "s2")
    world.fail(world.start(failed))
    world.observations.judge_ineligible(
        world.context(), world.start(ineligible), kind="too_short", message="12 s: shorter than 15 s"
    )
    document = one(connection, world, failed)
    assert (document["status"], document["error_reason"]) == ("failed", "provider_rejected:refused")
    assert document["scanner_result"] is None
    assert one(connection, world, ineligible)["error_reason"] == "too_short:12 s: shorter than 15 s"
    world.observations.retry(world.context(), failed)
    again = one(connection, world, failed)
    assert (again["status"], again["error_reason"], again["started_at"], again["completed_at"]) == (
        "pending", "", None, None,
    )  # fmt: skip
    assert again["created_at"] == document["created_at"]
    world.succeed(world.start(failed))
    assert one(connection, world, failed)["status"] == "succeeded"


@pytest.mark.rule("2.5/deleted")
def test_an_erased_text_leaves_the_structured_answer(world: World, connection: Connection) -> None:
    (observation_id,) = world.observe(world.scanner(), "s1")
    world.succeed(world.start(observation_id, distinct_id="v"))
    catch_up(connection)
    connection.execute("DELETE FROM store.private_text")
    document = one(connection, world, observation_id)
    assert document["distinct_id"] is None
    assert document["triggered_by_user"] is None
    result = document["scanner_result"]
    assert isinstance(result, dict)
    assert result["model_output"] == {"scanner_type": "monitor", "verdict": "yes", "confidence": 0.9}


@pytest.fixture
def scored(world: World, connection: Connection) -> UUID:
    """A scorer's observations: s0..s4 with scores 10, 2, none (failed), none (pending), 5."""
    scanner_id = world.scanner("scorer", "scorer")
    ids = [world.observe(scanner_id, f"s{n}")[0] for n in range(5)]
    world.succeed(world.start(ids[0]), "scorer", score=10)
    world.scanners.edit(world.context(), scanner_id, {"sampling_rate": 0.5})
    world.succeed(world.start(ids[1]), "scorer", score=2)
    world.fail(world.start(ids[2]))
    world.succeed(world.start(ids[4]), "scorer", score=5.5)
    catch_up(connection)
    return scanner_id


@pytest.mark.rule("4.3/order-numeric", "4.3/order-missing", "4.3/order-times")
def test_orders_are_numeric_with_missing_values_last(world: World, connection: Connection, scored: UUID) -> None:
    assert found(connection, world) == ["s4", "s3", "s2", "s1", "s0"]
    assert found(connection, world, "created_at") == ["s0", "s1", "s2", "s3", "s4"]
    up, down = found(connection, world, "result_score"), found(connection, world, "-result_score")
    assert (up[:3], down[:3]) == (["s1", "s4", "s0"], ["s0", "s4", "s1"])
    assert up[3:] == down[3:]
    assert {*up[3:]} == {"s2", "s3"}
    assert found(connection, world, "started_at")[-1] == found(connection, world, "-started_at")[-1] == "s3"
    assert found(connection, world, "-completed_at")[:4] == ["s4", "s2", "s1", "s0"]
    assert found(connection, world, "status")[0] == "s2"
    assert len(found(connection, world, "-scanner_version")) == len(found(connection, world, "result_verdict")) == 5
    with pytest.raises(KeyError):
        found(connection, world, "run")


@pytest.mark.rule("4.3/status", "4.3/triggered-by", "4.3/verdict", "4.3/tags", "4.3/tags-exact", "4.3/session-id")
def test_filters(world: World, connection: Connection, scored: UUID) -> None:
    tagged = world.scanner("tags", "classifier")
    one_id, two_id = world.observe(tagged, "t1", "t2")
    world.succeed(world.start(one_id), "classifier", {"reasoning": "r", "tags_freeform": ["odd_one"]})
    world.succeed(world.start(two_id), "classifier", {"reasoning": "r", "tags_freeform": []}, tags=["address"])
    world.succeed(world.start(world.observe(world.scanner("yes"), "m1")[0]))
    world.observations.request(world.context(user_id=None), tagged, ["t3"], "schedule")
    catch_up(connection)
    assert sorted(found(connection, world, statuses=("failed", "pending"))) == ["s2", "s3", "t3"]
    assert found(connection, world, triggers=("schedule",)) == ["t3"]
    assert found(connection, world, verdicts=("yes",)) == ["m1"]
    assert found(connection, world, verdicts=("no",)) == []
    assert found(connection, world, tags=("payment",)) == ["t1"]
    assert found(connection, world, tags=("odd_one",)) == ["t1"]
    assert sorted(found(connection, world, tags=("odd_one", "address"))) == ["t1", "t2"]
    assert found(connection, world, tags=("Payment", "%")) == []
    assert sorted(found(connection, world, session_ids=("t1", "m1", "nobody"))) == ["m1", "t1"]
    assert found(connection, world, scanner_id=scored, statuses=("failed",)) == ["s2"]
    assert found(connection, world, scanner_id=tagged, statuses=("failed",)) == []


@pytest.mark.rule("4.1/neighbours")
def test_neighbours_are_the_newer_and_the_older_of_the_same_scanner(world: World, connection: Connection) -> None:
    scanner_id, other = world.scanner(), world.scanner("other")
    first = world.observe(scanner_id, "s1")[0]
    twins = sorted(world.observe(scanner_id, "s2", "s3"))  # of one request, so of one moment
    world.observe(other, "s4")
    last = world.observe(scanner_id, "s5")[0]
    catch_up(connection)
    chain = [row["id"] for row in observations.page(connection, world.tenant, ObservationFilters(scanner_id))[1]]
    assert chain == [last, *twins, first]
    for place, observation_id in enumerate(chain):
        document = observations.observation(connection, world.tenant, observation_id, neighbours=True)
        assert document is not None
        assert document["previous_observation_id"] == (chain[place - 1] if place else None)
        assert document["next_observation_id"] == (chain[place + 1] if place < 3 else None)


def test_lookups_by_scanner_and_tenant(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    (observation_id,) = world.observe(scanner_id, "s1")
    catch_up(connection)
    assert observations.observation(connection, world.tenant, observation_id, scanner_id) is not None
    assert observations.observation(connection, world.tenant, observation_id, uuid4()) is None
    other = Tenant(2, uuid4())
    assert observations.observation(connection, other, observation_id) is None
    assert observations.page(connection, other, ObservationFilters()) == (0, [])


def test_rows_of_a_deleted_scanner_hide_at_once_and_go_in_chunks(world: World, connection: Connection) -> None:
    doomed, kept = world.scanner("doomed"), world.scanner("kept")
    world.observe(doomed, *(f"d{n}" for n in range(7)))
    world.observe(kept, "k1")
    world.scanners.delete(world.context(), doomed)
    catch_up(connection)
    assert found(connection, world) == ["k1"]
    rows = "SELECT count(*) FROM read_observations.observation"
    assert connection.execute(rows).fetchone() == (8,)
    place = live_place(connection, "observations")
    assert place is not None
    assert OBSERVATIONS.tidy is not None
    left: list[int] = []
    more = True
    while more:
        with connection.transaction():
            enter(connection, place)
            more = OBSERVATIONS.tidy(connection, 3)
        left += connection.execute(rows).fetchone() or ()
    assert left == [5, 2, 1, 1]
    assert named("observations") is OBSERVATIONS
    assert found(connection, world) == ["k1"]
