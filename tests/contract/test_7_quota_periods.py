"""Contract 7 at its edges: periods, grants, a limit below use, and one answer to "is it exhausted?" everywhere."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.contract.site import Site, observe, refusal, scanner, served

CONFIG = {"prompt": "Did the visitor give up?"}
ANSWER = {"reasoning": "r", "verdict": "yes", "confidence": 1}
INSTANT = timedelta(microseconds=1)
NOVEMBER = datetime(2030, 11, 20, 12, tzinfo=UTC)
DECEMBER = datetime(2030, 12, 1, tzinfo=UTC)
JANUARY = datetime(2031, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2031, 2, 1, tzinfo=UTC)


@dataclass
class Clock:
    """The time of the second server; tests move it."""

    now: datetime = NOVEMBER

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Customer:
    """An organization of its own with two environments, seen through a server whose clock can be moved."""

    site: Site
    clock: Clock
    api: httpx.Client
    sibling: httpx.Client
    scanner_id: str

    def observe(self) -> str:
        return observe(self.api, self.scanner_id, str(uuid4()))

    def refused(self, api: httpx.Client | None = None) -> bool:
        """Whether `observe` answers 402, asked with a body that would else be refused: nothing is ever started."""
        response = (api or self.api).post(f"scanners/{self.scanner_id}/observe/", json={})
        told = refusal(response)
        assert told in (
            (402, "server_error", "quota_limit_exceeded", None),
            (400, "validation_error", "required", "session_id"),
        )
        return told[0] == 402

    def retried(self, observation_id: str) -> int:
        return self.api.post(f"scanners/{self.scanner_id}/observations/{observation_id}/retry/").status_code

    def succeed(self, observation_id: str, run: int = 1) -> None:
        self.site.succeed(observation_id, "monitor", CONFIG, ANSWER, self.site.start(observation_id, run=run))

    def quota(self) -> dict[str, Any]:
        """The document, which is consistent in itself, and with what observe says, at any moment."""
        quota: dict[str, Any] = self.api.get("quota/").json()
        assert quota == self.sibling.get("quota/").json()
        left = quota["monthly_quota"] - quota["usage_this_month"]
        assert quota["remaining"] == max(0, left)
        assert quota["exhausted"] is (left <= 0) is self.refused()
        start, end = (datetime.fromisoformat(quota[name]) for name in ("period_start", "period_end"))
        assert start <= self.clock.now < end
        return quota

    def used(self, at: datetime | None = None) -> int:
        """Usage of the month of `at`, or of now."""
        before, self.clock.now = self.clock.now, at or self.clock.now
        used: int = self.quota()["usage_this_month"]
        self.clock.now = before
        return used

    def allow(self, amount: int) -> None:
        context = replace(self.site.system, now=self.clock.now)
        self.site.accounts.set_quota(context, self.site.organization_id, amount)
        self.site.standing()

    def grant(self, amount: int, expires_at: datetime) -> None:
        context = replace(self.site.system, now=self.clock.now)
        self.site.accounts.grant_quota(context, self.site.organization_id, amount, expires_at)
        self.site.standing()


@pytest.fixture(scope="module")
def moved(site: Site) -> Iterator[tuple[Site, Clock]]:
    """The site behind a second server, and the clock of that server."""
    clock = Clock()
    services = replace(site.services, clock=clock)
    with served(services) as client:
        yield replace(site, services=services, url=str(client.base_url).rstrip("/")), clock


@pytest.fixture
def customer(moved: tuple[Site, Clock]) -> Customer:
    """Ten observations a month, none used; the clock stands in November."""
    site, clock = moved
    clock.now = NOVEMBER
    organization_id = site.accounts.create_organization(site.system, "Customer", 10).id
    return _customer(site, clock, organization_id)


def _customer(site: Site, clock: Clock, organization_id: UUID) -> Customer:
    create = partial(site.accounts.create_environment, site.system, organization_id)
    environment_id, sibling_id = create("First").id, create("Second").id
    email = f"{uuid4()}@example.org"
    site.caught_up(site.accounts.create_user(site.system, organization_id, email).position)
    here = replace(site, organization_id=organization_id, environment_id=environment_id)
    key = here.key(email=email)
    api = here.client(key)
    return Customer(here, clock, api, here.client(key, sibling_id), scanner(api, "S")["id"])


def test_nobody_is_given_the_default(moved: tuple[Site, Clock]) -> None:
    site, clock = moved
    unset = site.accounts.create_organization(site.system, "Unset", None)
    customer = _customer(site, clock, unset.id)
    assert customer.quota()["monthly_quota"] == 3000
    customer.grant(5, NOVEMBER + timedelta(days=1))
    assert customer.quota()["monthly_quota"] == 3005
    customer.allow(0)
    assert customer.quota()["monthly_quota"] == 5


# --- limits ---------------------------------------------------------------------------------------------------------


def test_each_observation_up_to_the_last_counts_in_every_answer(customer: Customer) -> None:
    customer.allow(3)
    for used in range(3):
        assert customer.quota()["usage_this_month"] == used
        customer.observe()
    quota = customer.quota()
    assert (quota["usage_this_month"], quota["remaining"], quota["exhausted"]) == (3, 0, True)


def test_the_refusal_tells_the_limit_and_the_day_of_the_reset(customer: Customer) -> None:
    customer.allow(0)
    customer.clock.now = DECEMBER + timedelta(days=3)
    response = customer.api.post(f"scanners/{customer.scanner_id}/observe/", json={"session_id": "s"})
    assert " 0 " in response.json()["detail"]
    assert "2031-01-01" in response.json()["detail"]


def test_a_limit_below_use_stops_new_work_and_undoes_none(customer: Customer) -> None:
    first, second, third, fourth = (customer.observe() for _ in range(4))
    customer.allow(2)
    quota = customer.quota()
    assert (quota["monthly_quota"], quota["usage_this_month"], quota["remaining"], quota["exhausted"]) == (
        2,
        4,
        0,
        True,
    )
    customer.succeed(first)
    assert customer.used() == 4
    customer.site.fail(second)
    assert (customer.used(), customer.refused(), customer.retried(second)) == (3, True, 402)
    customer.site.judge_ineligible(third)
    assert (customer.used(), customer.refused(), customer.retried(third)) == (2, True, 402)
    customer.site.fail(fourth)
    assert (customer.used(), customer.refused(), customer.retried(fourth)) == (1, False, 202)
    assert customer.refused()
    customer.allow(3)
    assert not customer.refused()


def test_a_quota_of_nothing(customer: Customer) -> None:
    customer.allow(0)
    quota = customer.quota()
    assert (quota["monthly_quota"], quota["remaining"], quota["exhausted"]) == (0, 0, True)
    bulk = customer.api.post(f"scanners/{customer.scanner_id}/bulk_observe/", json={"session_ids": ["a", "b"]})
    assert (bulk.status_code, bulk.json()["started"]) == (202, 0)
    assert {result["scan_outcome"] for result in bulk.json()["results"]} == {"skipped_quota"}
    assert customer.api.get(f"scanners/{customer.scanner_id}/observations/").json()["count"] == 0
    assert scanner(customer.api, "creating is free")["scanner_version"] == 1


def test_one_left_is_one_everywhere(customer: Customer) -> None:
    """Engine trap 62: no two notions of "used up"."""
    failed = customer.observe()
    customer.site.fail(failed)
    customer.allow(1)
    assert not customer.refused()
    bulk = customer.api.post(f"scanners/{customer.scanner_id}/bulk_observe/", json={"session_ids": ["a", "b"]})
    assert [result["scan_outcome"] for result in bulk.json()["results"]] == ["started", "skipped_quota"]
    assert (customer.quota()["exhausted"], customer.retried(failed)) == (True, 402)
    assert customer.refused(), "also for a session that is observed already"


def test_environments_of_an_organization_share_it_up_to_the_last(customer: Customer) -> None:
    customer.allow(2)
    other = scanner(customer.sibling, "S")["id"]
    customer.observe()
    observe(customer.sibling, other, "s")
    response = customer.sibling.post(f"scanners/{other}/observe/", json={"session_id": "t"})
    assert (response.status_code, customer.quota()["remaining"]) == (402, 0)
    assert customer.sibling.delete(f"scanners/{other}/").status_code == 204
    assert customer.quota()["remaining"] == 1


# --- periods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (NOVEMBER, "2030-11-01T00:00:00Z", "2030-12-01T00:00:00Z"),
        (DECEMBER - INSTANT, "2030-11-01T00:00:00Z", "2030-12-01T00:00:00Z"),
        (DECEMBER, "2030-12-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        (JANUARY - INSTANT, "2030-12-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        (JANUARY, "2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z"),
        (JANUARY.astimezone(timezone(timedelta(hours=-8))), "2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z"),
        ((JANUARY - INSTANT).astimezone(timezone(timedelta(hours=14))), "2030-12-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        (datetime(2032, 2, 29, 23, 59, tzinfo=UTC), "2032-02-01T00:00:00Z", "2032-03-01T00:00:00Z"),
    ],
)
def test_a_period_is_a_half_open_month_in_utc(customer: Customer, now: datetime, start: str, end: str) -> None:
    """Engine trap 57: also in December, and whatever the zone of the server's clock."""
    customer.clock.now = now
    quota = customer.quota()
    assert (quota["period_start"], quota["period_end"]) == (start, end)


@pytest.mark.parametrize("end", [DECEMBER, JANUARY, FEBRUARY], ids=["December", "January", "February"])
def test_what_is_asked_at_the_very_end_belongs_to_the_next_period(customer: Customer, end: datetime) -> None:
    customer.allow(2)
    customer.clock.now = end - INSTANT
    customer.observe()
    customer.observe()
    assert customer.refused()
    customer.clock.now = end
    assert (customer.used(), customer.refused()) == (0, False)
    customer.observe()
    assert (customer.used(), customer.used(end - INSTANT)) == (1, 2)


def test_a_charge_goes_back_to_the_month_of_its_reservation(customer: Customer) -> None:
    failing, judged, succeeding, staying = (customer.observe() for _ in range(4))
    customer.clock.now = DECEMBER
    customer.observe()
    customer.site.fail(failing)
    assert (customer.used(NOVEMBER), customer.used()) == (3, 1)
    customer.site.judge_ineligible(judged)
    assert (customer.used(NOVEMBER), customer.used()) == (2, 1)
    customer.succeed(succeeding)
    assert (customer.used(NOVEMBER), customer.used()) == (2, 1)
    row = customer.api.get(f"observations/{staying}/").json()
    assert row["status"] == "pending", "work in flight goes on in the next month"


def test_the_use_of_a_month_says_nothing_about_the_next(customer: Customer) -> None:
    customer.allow(1)
    running = customer.observe()
    customer.clock.now = DECEMBER
    assert not customer.refused(), "work in flight of the month before takes nothing of this one"
    customer.observe()
    assert customer.refused()
    customer.site.fail(running)
    assert customer.refused(), "and its refund gives nothing to this one"
    customer.clock.now = NOVEMBER
    assert not customer.refused()


def test_a_retry_charges_the_month_in_which_it_is_made(customer: Customer) -> None:
    """And only that one; its failure goes back there too (engine trap 60: one observation, one period)."""
    made = customer.observe()
    customer.site.fail(made)
    customer.clock.now = JANUARY
    assert customer.retried(made) == 202
    assert (customer.used(NOVEMBER), customer.used(DECEMBER), customer.used()) == (0, 0, 1)
    customer.clock.now = FEBRUARY
    customer.site.judge_ineligible(made, customer.site.start(made, run=2))
    assert (customer.used(JANUARY), customer.used()) == (0, 0)
    assert customer.retried(made) == 202
    customer.succeed(made, run=3)
    assert (customer.used(NOVEMBER), customer.used(JANUARY), customer.used()) == (0, 0, 1)
    assert customer.retried(made) == 400, "what succeeded is not charged twice"
    assert customer.used() == 1


def test_a_retry_that_is_refused_charges_nothing(customer: Customer) -> None:
    failed, running = customer.observe(), customer.observe()
    customer.site.fail(failed)
    customer.allow(1)
    assert (customer.retried(failed), customer.used()) == (402, 1)
    assert customer.api.get(f"observations/{failed}/").json()["status"] == "failed"
    customer.clock.now = DECEMBER
    customer.succeed(running)
    assert (customer.retried(failed), customer.used(), customer.used(NOVEMBER)) == (202, 1, 1)


def test_deleting_gives_back_work_in_flight_to_each_month_and_nothing_else(customer: Customer) -> None:
    """Engine trap 61; contract 10 row 5."""
    done, failed, _ = (customer.observe() for _ in range(3))
    customer.succeed(done)
    customer.site.fail(failed)
    customer.clock.now = DECEMBER
    late, retried, _ = customer.observe(), customer.retried(failed), customer.observe()
    customer.succeed(late)
    assert (retried, customer.used(NOVEMBER), customer.used()) == (202, 2, 3)
    other = scanner(customer.api, "other")["id"]
    kept = observe(customer.api, other, "s")
    customer.clock.now = JANUARY
    assert customer.api.delete(f"scanners/{customer.scanner_id}/").status_code == 204
    customer.scanner_id = other
    assert (customer.used(NOVEMBER), customer.used(DECEMBER), customer.used()) == (1, 2, 0)
    customer.site.fail(kept)
    assert customer.used(DECEMBER) == 1
    assert customer.api.delete(f"scanners/{other}/").status_code == 204
    quota = customer.api.get("quota/").json()
    assert (quota["usage_this_month"], quota["remaining"]) == (0, 10)


# --- grants ---------------------------------------------------------------------------------------------------------


def test_a_grant_counts_until_the_moment_it_expires(customer: Customer) -> None:
    customer.allow(1)
    expiry = NOVEMBER + timedelta(hours=1)
    customer.grant(2, expiry)
    for now, limit in ((NOVEMBER, 3), (expiry - INSTANT, 3), (expiry, 1), (expiry + INSTANT, 1)):
        customer.clock.now = now
        assert customer.quota()["monthly_quota"] == limit
    customer.clock.now = expiry - INSTANT
    made = [customer.observe() for _ in range(3)]
    assert customer.quota()["exhausted"]
    customer.clock.now = expiry
    assert (customer.quota()["remaining"], customer.used()) == (0, 3)
    for one in made[:2]:
        customer.site.fail(one)
    assert (customer.used(), customer.refused(), customer.retried(made[0])) == (1, True, 402)
    customer.site.fail(made[2])
    assert (customer.used(), customer.retried(made[0])) == (0, 202)


def test_grants_add_up_and_reach_over_months(customer: Customer) -> None:
    customer.allow(0)
    customer.grant(1, DECEMBER + timedelta(days=1))
    customer.grant(2, JANUARY)
    for now, limit in ((NOVEMBER, 3), (DECEMBER, 3), (DECEMBER + timedelta(days=1), 2), (JANUARY, 0)):
        customer.clock.now = now
        assert customer.quota()["monthly_quota"] == limit
    customer.clock.now = NOVEMBER
    customer.observe()
    customer.clock.now = DECEMBER
    assert customer.quota()["remaining"] == 3, "a grant is not used up by another month"
    customer.clock.now = JANUARY
    assert customer.refused()
