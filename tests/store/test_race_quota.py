"""Races over the quota and the in-flight caps; refunds, retries and deletions go to the right period."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest

from commands.context import Context
from commands.observations import Lease, ObservationLimits, Requested
from commands.store.event_log import EventLog
from domain.accounts import OrganizationCreated, QuotaGranted, QuotaSet
from domain.errors import QuotaExhausted, Throttled
from domain.observation import ObservationFailed, ObservationIneligible, ObservationRequested
from domain.tenant import Tenant
from tests.store.derived import assert_derivable
from tests.store.racing import RACERS, outcomes, race
from tests.store.world import NOW, World, build_world, success

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
ROOMY = ObservationLimits(per_scanner=1000, per_environment=1000, kept_per_scanner=0, kept_per_environment=0)


@pytest.fixture
def hundred(world: World) -> World:
    """100 observations a month, and caps that are out of the way."""
    return build_world(world.conninfo, world.store, quota=100, limits=ROOMY)


def request(world: World, scanner: UUID, *sessions: str, context: Context | None = None) -> list[Requested]:
    return world.observations.request(context or world.context, scanner, sessions, "on_demand")


def tally(results: Sequence[object]) -> Counter[str]:
    return Counter(r.outcome for result in results if isinstance(result, list) for r in result)


def assert_never_exceeded(world: World) -> None:
    """Walks the log: at each request the use was below the allowance that held at that very position."""
    used, limit, grants = 0, 0, list[tuple[int, datetime]]()
    running = set[UUID]()
    with psycopg.connect(world.conninfo) as connection:
        for recorded in EventLog().read(connection, 0, limit=10_000):
            event = recorded.event
            if event.organization_id not in (None, world.tenant.organization_id):
                continue
            match event:
                case OrganizationCreated() | QuotaSet() if event.originator_id == world.tenant.organization_id:
                    limit = event.monthly_quota or 0
                case QuotaGranted():
                    grants.append((event.amount, event.expires_at))
                case ObservationRequested():
                    assert used < limit + sum(n for n, until in grants if until > event.recorded_at), recorded.position
                    used += 1
                    running.add(event.originator_id)
                case ObservationFailed() | ObservationIneligible():
                    used -= 1
                case _:
                    pass
    assert running


@pytest.mark.rule("5/admission-once", "trap/40")
def test_the_quota_is_never_exceeded(hundred: World) -> None:
    scanner = hundred.scanner()
    results = race([partial(request, hundred, scanner, f"s-{number}") for number in range(RACERS)])
    assert tally(results) == {"started": 100, "no_quota": 100}
    assert (hundred.used(), hundred.in_flight(scanner)) == (100, 100)
    assert_never_exceeded(hundred)
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("trap/41")
def test_bulk_requests_share_what_is_left_and_take_all_of_it(hundred: World) -> None:
    scanners = [hundred.scanner(f"scanner {number}") for number in range(4)]
    attempts = [
        partial(request, hundred, scanner, *[f"{half}-{n}" for n in range(30)]) for scanner in scanners for half in "ab"
    ]
    assert tally(race(attempts)) == {"started": 100, "no_quota": 140}
    assert sum(hundred.in_flight(scanner) for scanner in scanners) == hundred.used() == 100
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("7/organization")
def test_environments_of_one_organization_share_its_quota_and_others_do_not(hundred: World) -> None:
    organization = hundred.tenant.organization_id
    sister = hundred.accounts.create_environment(hundred.admin(), organization, "App")
    in_sister = replace(hundred.context, tenant=Tenant(sister.id, organization))
    stranger = build_world(hundred.conninfo, hundred.store, quota=30, limits=ROOMY)
    scanner, foreign = hundred.scanner(), stranger.scanner()
    sisters = hundred.scanners.create(
        in_sister, name="S", scanner_type="monitor", scanner_config={"prompt": "p"}, model="a"
    )
    results = race(
        [partial(request, hundred, scanner, f"s-{n}") for n in range(80)]
        + [partial(request, hundred, sisters.scanner.id, f"s-{n}", context=in_sister) for n in range(80)]
        + [partial(request, stranger, foreign, f"s-{n}") for n in range(40)]
    )
    assert tally(results[:160]) == {"started": 100, "no_quota": 60}
    assert tally(results[160:]) == {"started": 30, "no_quota": 10}
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("trap/59", "7/free")
def test_what_fails_makes_room_and_what_succeeds_does_not(hundred: World) -> None:
    scanner = hundred.scanner()
    leases = [hundred.started(scanner, f"s-{number}") for number in range(100)]
    assert tally([request(hundred, scanner, "late")]) == {"no_quota": 1}
    endings: list[Callable[[], object]] = [
        partial(hundred.observations.succeed, hundred.context, lease, success()) for lease in leases[:40]
    ]
    endings += [
        partial(hundred.observations.fail, hundred.context, lease, kind="timeout", message="Slow.")
        for lease in leases[40:70]
    ]
    endings += [
        partial(hundred.observations.judge_ineligible, hundred.context, lease, kind="too_short", message="3 s.")
        for lease in leases[70:]
    ]
    requests = [partial(request, hundred, scanner, f"t-{number}") for number in range(100)]
    mixed = endings + requests
    random.Random(3).shuffle(mixed)
    race(mixed)
    started = hundred.count("ObservationRequested") - 100
    assert started <= 60
    assert (hundred.used(), hundred.in_flight(scanner)) == (40 + started, started)
    assert tally([request(hundred, scanner, *[f"u-{n}" for n in range(100)])])["started"] == 60 - started
    assert_never_exceeded(hundred)
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("7/lowered", "5/quota-detail")
def test_a_limit_lowered_below_use_stops_new_work_and_undoes_none(hundred: World) -> None:
    scanner, organization = hundred.scanner(), hundred.tenant.organization_id
    lower = partial(hundred.accounts.set_quota, hundred.admin(), organization, 10)
    requests = [partial(request, hundred, scanner, f"s-{number}") for number in range(60)]
    race([*requests[:30], lower, *requests[30:]])
    used = hundred.used()
    assert 10 <= used <= 60
    assert_never_exceeded(hundred)
    assert tally([request(hundred, scanner, "more")]) == {"no_quota": 1}
    with pytest.raises(QuotaExhausted, match=r"10 observations.*2026-12-01"):
        hundred.observations.check_admission(hundred.context, scanner)
    hundred.accounts.set_quota(hundred.admin(), organization, used + 1)
    assert tally([request(hundred, scanner, "more", "too much")]) == {"started": 1, "no_quota": 1}
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("7/nought")
def test_a_quota_of_nought_starts_nothing(world: World) -> None:
    nothing = build_world(world.conninfo, world.store, quota=0)
    scanner = nothing.scanner()
    assert tally(race([partial(request, nothing, scanner, f"s-{n}") for n in range(20)])) == {"no_quota": 20}
    assert nothing.count("ObservationRequested") == 0
    assert_derivable(nothing.conninfo)


@pytest.mark.rule("7/base", "trap/58")
def test_the_configured_default_holds_for_who_has_no_quota_of_its_own(world: World) -> None:
    observations = world.limited(replace(ROOMY, default_quota=3))
    scanner = world.scanner()
    attempts = [partial(observations.request, world.context, scanner, [f"s-{n}"], "on_demand") for n in range(20)]
    assert tally(race(attempts)) == {"started": 3, "no_quota": 17}


@pytest.mark.rule("7/grants")
def test_a_grant_counts_until_it_expires(hundred: World) -> None:
    scanner, organization = hundred.scanner(), hundred.tenant.organization_id
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    for amount, until in ((20, soon), (5, later)):
        hundred.accounts.grant_quota(hundred.admin(), organization, amount, until)
    results = race([partial(request, hundred, scanner, f"s-{number}") for number in range(RACERS)])
    assert tally(results) == {"started": 125, "no_quota": 75}
    assert_never_exceeded(hundred)
    assert tally([request(hundred, scanner, "at the end", context=hundred.at(soon))]) == {"no_quota": 1}
    lease = hundred.observations.load(hundred.context, next(iter(requested_ids(results))))
    hundred.observations.abandon(hundred.context, lease.id, 1, message="Gone.")
    assert tally([request(hundred, scanner, "below 125", context=hundred.at(soon))]) == {"no_quota": 1}
    assert tally([request(hundred, scanner, "within", context=hundred.at(NOW))]) == {"started": 1}
    assert_derivable(hundred.conninfo)


def requested_ids(results: Sequence[object]) -> list[UUID]:
    return [
        r.observation_id for result in results if isinstance(result, list) for r in result if r.outcome == "started"
    ]


# --- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("7/month-change", "10/6")
def test_a_refund_goes_to_the_period_of_the_reservation(hundred: World) -> None:
    scanner = hundred.scanner()
    november = [hundred.started(scanner, f"n-{number}") for number in range(20)]
    in_december = hundred.at(DECEMBER)
    december = [hundred.started(scanner, f"d-{number}", in_december) for number in range(20)]
    fail = partial(hundred.observations.fail, in_december, kind="timeout", message="Slow.")
    succeed = partial(hundred.observations.succeed, in_december, success=success())
    race([partial(fail, lease) for lease in november[:15] + december[:5]])
    race([partial(succeed, lease) for lease in november[15:18] + december[5:6]])
    assert (hundred.used("2026-11"), hundred.used("2026-12")) == (5, 15)
    assert (hundred.in_flight(scanner, "2026-11"), hundred.in_flight(scanner, "2026-12")) == (2, 14)
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("7/period-end", "10/6")
def test_the_month_changes_in_the_middle_of_a_race(hundred: World) -> None:
    scanner = hundred.scanner()
    last = hundred.at(DECEMBER - timedelta(microseconds=1))
    attempts = [
        partial(request, hundred, scanner, f"s-{number}", context=last if number % 2 else hundred.at(DECEMBER))
        for number in range(240)
    ]
    results = race(attempts)
    assert tally(results) == {"started": 200, "no_quota": 40}
    assert (hundred.used("2026-11"), hundred.used("2026-12")) == (100, 100)
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("trap/60")
def test_a_retry_charges_the_period_in_which_it_is_made(hundred: World) -> None:
    scanner = hundred.scanner()
    lease = hundred.started(scanner, "s-1")
    hundred.observations.fail(hundred.context, lease, kind="timeout", message="Slow.")
    assert hundred.used("2026-11") == 0
    hundred.observations.retry(hundred.at(DECEMBER), lease.observation_id)
    assert (hundred.used("2026-11"), hundred.used("2026-12")) == (0, 1)
    again = Lease(lease.observation_id, 2, uuid4())
    hundred.observations.start(hundred.at(DECEMBER), again, try_number=1, subject=None)
    hundred.observations.judge_ineligible(hundred.at(DECEMBER), again, kind="too_short", message="3 s.")
    assert (hundred.used("2026-12"), hundred.in_flight(scanner)) == (0, 0)
    assert_derivable(hundred.conninfo)


@pytest.mark.rule("trap/15")
def test_retries_are_refused_when_the_quota_or_a_cap_is_full(world: World) -> None:
    tight = build_world(world.conninfo, world.store, quota=2, limits=replace(ROOMY, per_scanner=1))
    scanner = tight.scanner()
    failed = [tight.started(scanner, "a")]
    tight.observations.fail(tight.context, failed[0], kind="timeout", message="Slow.")
    failed.append(tight.started(scanner, "b"))
    with pytest.raises(Throttled):
        tight.observations.retry(tight.context, failed[0].observation_id)
    tight.observations.succeed(tight.context, failed[1], success())
    tight.accounts.set_quota(tight.admin(), tight.tenant.organization_id, 1)
    with pytest.raises(QuotaExhausted, match="1 observations"):
        tight.observations.retry(tight.context, failed[0].observation_id)
    assert (tight.used(), tight.in_flight(scanner), tight.count("ObservationRetried")) == (1, 0, 0)
    assert_derivable(tight.conninfo)


@pytest.mark.rule("7/ledger", "10/5", "trap/61", "3.4/delete-no-refund")
def test_deleting_releases_what_is_in_flight_in_each_period_and_keeps_what_succeeded(hundred: World) -> None:
    scanner, other = hundred.scanner("doomed"), hundred.scanner("other")
    in_december = hundred.at(DECEMBER)
    for number in range(6):
        for context in (hundred.context, in_december):
            lease = hundred.started(scanner, f"{context.now:%m}-{number}", context)
            if number < 2:
                hundred.observations.succeed(context, lease, success())
    hundred.started(other, "s-1")
    hundred.scanners.delete(in_december, scanner)
    assert (hundred.used("2026-11"), hundred.used("2026-12")) == (2 + 1, 2)
    assert (hundred.in_flight(scanner), hundred.in_flight(other)) == (0, 1)
    assert_derivable(hundred.conninfo)


def test_a_delete_amid_requests_and_endings_gives_everything_back_once(hundred: World) -> None:
    scanner = hundred.scanner()
    leases = [hundred.started(scanner, f"s-{number}") for number in range(50)]
    attempts: list[Callable[[], object]] = [
        partial(hundred.observations.fail, hundred.context, lease, kind="timeout", message="Slow.")
        for lease in leases[:25]
    ]
    attempts += [partial(hundred.observations.succeed, hundred.context, lease, success()) for lease in leases[25:]]
    attempts += [partial(request, hundred, scanner, f"t-{number}") for number in range(50)]
    attempts += [partial(hundred.scanners.delete, hundred.context, scanner)] * 3
    random.Random(5).shuffle(attempts)
    assert set(outcomes(race(attempts))) <= {"NoneType", "list", "LeaseLost", "NotFound", "int"}
    assert (hundred.used(), hundred.in_flight(scanner)) == (hundred.count("ObservationSucceeded"), 0)
    assert_derivable(hundred.conninfo)


# --- caps -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("trap/40")
def test_caps_hold_per_scanner_and_environment_and_keep_room_for_requests_on_demand(world: World) -> None:
    limits = ObservationLimits(per_scanner=30, per_environment=50, kept_per_scanner=10, kept_per_environment=20)
    capped = build_world(world.conninfo, world.store, limits=limits)
    first, second = capped.scanner("first"), capped.scanner("second")

    def ask(scanner: UUID, trigger: str, count: int) -> list[Callable[[], list[Requested]]]:
        asked = capped.observations.request
        return [
            partial(asked, capped.context, scanner, [f"{trigger}-{number}"], trigger)  # type: ignore[arg-type]
            for number in range(count)
        ]

    assert tally(race(ask(first, "schedule", 60))) == {"started": 20, "capped": 40}
    assert tally(race(ask(second, "schedule", 60))) == {"started": 10, "capped": 50}
    assert tally(race(ask(first, "on_demand", 60))) == {"started": 10, "capped": 50}
    assert tally(race(ask(second, "on_demand", 60))) == {"started": 10, "capped": 50}
    assert (capped.in_flight(first), capped.in_flight(second), capped.used()) == (30, 20, 50)
    with pytest.raises(Throttled):
        capped.observations.check_admission(capped.context, first)
    assert_derivable(capped.conninfo)


def test_an_ending_makes_room_under_the_cap(world: World) -> None:
    tight = build_world(world.conninfo, world.store, limits=replace(ROOMY, per_scanner=5))
    scanner = tight.scanner()
    leases = [tight.started(scanner, f"s-{number}") for number in range(5)]
    assert tally([request(tight, scanner, "more")]) == {"capped": 1}
    for lease in leases[:2]:
        tight.observations.succeed(tight.context, lease, success())
    results = race([partial(request, tight, scanner, f"t-{number}") for number in range(30)])
    assert tally(results) == {"started": 2, "capped": 28}
    assert_derivable(tight.conninfo)


def test_work_of_last_month_fills_the_caps_of_this_month(world: World) -> None:
    tight = build_world(world.conninfo, world.store, limits=replace(ROOMY, per_scanner=5))
    scanner = tight.scanner()
    request(tight, scanner, *"abc")
    results = [request(tight, scanner, *"defgh", context=tight.at(DECEMBER))]
    assert tally([*results]) == {"started": 2, "capped": 3}
    assert_derivable(tight.conninfo)


def test_a_capped_request_is_not_charged_and_no_quota_is_told_first(world: World) -> None:
    tight = build_world(world.conninfo, world.store, quota=1, limits=replace(ROOMY, per_scanner=1))
    scanner = tight.scanner()
    assert [each.outcome for each in request(tight, scanner, "a", "b")] == ["started", "no_quota"]
    tight.accounts.set_quota(tight.admin(), tight.tenant.organization_id, 2)
    assert [each.outcome for each in request(tight, scanner, "b", "a")] == ["capped", "exists"]
    assert tight.used() == 1
    assert_derivable(tight.conninfo)


@pytest.mark.rule("arch/scheduled-per-day")
def test_a_day_holds_no_more_scheduled_scans_than_it_may_however_many_ask(world: World) -> None:
    """Failures give nothing back, requests on demand do not count, and the next day begins anew."""
    limited = world.limited(replace(ROOMY, scheduled_per_day=50))
    scanners = [world.scanner(f"scanner {number}") for number in range(4)]
    attempts = [
        partial(limited.request, world.context, scanners[number % 4], [f"s-{number}", f"t-{number}"], "schedule")
        for number in range(60)
    ]
    assert tally(race(attempts)) == {"started": 50, "day_full": 70}
    assert world.value("SELECT count FROM store.scheduled WHERE environment_id = %s", world.tenant.environment_id) == 50
    assert world.used() == 50, "what was refused was not charged"
    [asked] = limited.request(world.context, scanners[0], ["on demand"], "on_demand")
    assert asked.outcome == "started"
    limited.abandon(world.context, asked.observation_id, 1, message="Gone.")
    [full] = limited.request(world.context, scanners[0], ["one more"], "schedule")
    assert full.outcome == "day_full"
    tomorrow = world.at(NOW.replace(hour=0, minute=0) + timedelta(days=1))
    assert [each.outcome for each in limited.request(tomorrow, scanners[0], ["one more"], "schedule")] == ["started"]
    [late] = limited.request(world.context, scanners[0], ["of a clock behind"], "schedule")
    assert late.outcome == "started"
    assert_derivable(world.conninfo)


def test_a_day_of_nothing_schedules_nothing(world: World) -> None:
    limited = world.limited(replace(ROOMY, scheduled_per_day=0))
    [asked] = limited.request(world.context, world.scanner(), ["s"], "schedule")
    assert (asked.outcome, world.used()) == ("day_full", 0)
