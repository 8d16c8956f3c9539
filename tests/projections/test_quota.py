"""Contract 7: what counts, what is given back, grants, the turn of the month."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import Connection

from commands.store.event_log import EventLog
from projections.engine.parking import lag, parked, replay
from projections.queries.quota import quota, quota_with_grants
from projections.quota import QUOTA
from tests.projections.world import World, catch_up

TWIN = "SELECT organization_id, period, used FROM store.quota_usage WHERE used > 0 ORDER BY 1, 2"
OURS = """
SELECT organization_id, period, requested - refunded FROM read_quota.usage WHERE requested > refunded ORDER BY 1, 2
"""


def used(connection: Connection, world: World, at: datetime | None = None) -> int:
    catch_up(connection)
    assert connection.execute(TWIN).fetchall() == connection.execute(OURS).fetchall()
    return quota(connection, world.tenant, at or world.clock.now, 3000)["usage_this_month"]


@pytest.mark.rule("7/usage", "7/free", "7/ledger")
def test_usage_follows_requests_endings_retries_and_deletion(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    first, second, third, _ = world.observe(scanner_id, "s1", "s2", "s3", "s4")
    assert used(connection, world) == 4
    world.succeed(world.start(first))
    world.fail(world.start(second))
    world.observations.judge_ineligible(world.context(), world.start(third), kind="too_short", message="m")
    assert used(connection, world) == 2
    world.observations.retry(world.context(), second)
    assert used(connection, world) == 3
    world.scanners.delete(world.context(), scanner_id)  # keeps the charge of what succeeded, releases the rest
    assert used(connection, world) == 1


@pytest.mark.rule("7/month-change", "10/6")
def test_a_refund_goes_to_the_month_of_the_request(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    kept, failed = world.observe(scanner_id, "s1", "s2")
    november, world.clock.now = world.clock.now, datetime(2026, 12, 1, tzinfo=UTC)
    world.fail(world.start(failed))
    assert (used(connection, world, november), used(connection, world)) == (1, 0)
    world.observations.retry(world.context(), failed)
    assert (used(connection, world, november), used(connection, world)) == (1, 1)
    world.succeed(world.start(kept))
    assert (used(connection, world, november), used(connection, world)) == (1, 1)


def test_a_parked_stream_that_turns_up_after_its_scanner_ended(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    late, done = world.observe(scanner_id, "s1", "s2")
    world.succeed(world.start(done))
    whole = connection.execute("SELECT originator_id, state FROM store.events WHERE originator_version = 1").fetchall()
    connection.execute("UPDATE store.events SET state = '{}' WHERE originator_id = ANY(%s)", ([late, done],))
    world.scanners.delete(world.context(), scanner_id)
    catch_up(connection)
    assert len(parked(connection)) == 6  # both streams, in quota, observations and history
    for stream_id, state in whole:
        connection.execute(
            "UPDATE store.events SET state = %s WHERE originator_id = %s AND originator_version = 1", (state, stream_id)
        )
    assert replay(connection, QUOTA, EventLog()).released == [late]  # its charge is given back, for its scanner is gone
    assert len(replay(connection, QUOTA, EventLog()).failed) == 1  # later events of the other are still unreadable
    assert connection.execute("SELECT requested, refunded FROM read_quota.usage").fetchall() == [(1, 1)]
    (place,) = (row for row in lag(connection, EventLog()) if row.name == "quota")
    assert place.parked == 1


@pytest.mark.rule("7/base", "7/grants", "7/remaining", "7/exhausted", "7/lowered")
def test_the_document(world: World, connection: Connection) -> None:
    organization = world.tenant.organization_id
    now = world.clock.now
    catch_up(connection)
    assert quota(connection, world.tenant, now, 3000) == {
        "monthly_quota": 3000, "usage_this_month": 0, "remaining": 3000, "exhausted": False,
        "period_start": datetime(2026, 11, 1, tzinfo=UTC), "period_end": datetime(2026, 12, 1, tzinfo=UTC),
        "projected_monthly_observations": 0,
    }  # fmt: skip
    world.observe(world.scanner(), "s1", "s2", "s3")
    world.accounts.set_quota(world.admin(), organization, 2)
    world.accounts.grant_quota(world.admin(), organization, 1, now + timedelta(days=9))
    catch_up(connection)
    document = quota(connection, world.tenant, now, 3000)
    assert (document["monthly_quota"], document["remaining"], document["exhausted"]) == (3, 0, True)
    assert quota_with_grants(connection, organization, now, 3000)["grants"] == [
        {"amount": 1, "expires_at": now + timedelta(days=9)}
    ]
    later = quota(connection, world.tenant, now + timedelta(days=9), 3000)
    assert (later["monthly_quota"], later["remaining"], later["exhausted"]) == (2, 0, True)
