"""Contract 3.4: the estimates that scanners carry. Also 7 (the projection) and engine.md's traps 31, 32, 35, 64."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from consumers.selection.estimate import Refresh
from projections.queries.estimates import Inputs, stored
from tests.contract.recorded import Place, estimate, new_place
from tests.contract.site import Site, scanner

DAY = timedelta(days=1)
KEYS = [
    "matched_sessions_in_window",
    "window_days",
    "estimated_observations_per_month",
    "sampling_rate",
    "other_enabled_scanners_monthly",
]


@pytest.fixture
def place(site: Site) -> Place:
    return new_place(site, str(uuid4()))


# --- stored estimates (contract 3.4) --------------------------------------------------------------------------------


def shown(place: Place, scanner_id: str) -> int | None:
    (listed,) = [row for row in place.api.get("scanners/").json()["results"] if row["id"] == scanner_id]
    retrieved = place.api.get(f"scanners/{scanner_id}/").json()
    assert listed["estimated_monthly_observations"] == retrieved["estimated_monthly_observations"]
    number: int | None = retrieved["estimated_monthly_observations"]
    return number


def edited(place: Place, scanner_id: str, **changes: Any) -> int | None:
    response = place.api.patch(f"scanners/{scanner_id}/", json=changes)
    assert response.status_code == 200
    number: int | None = response.json()["estimated_monthly_observations"]
    assert shown(place, scanner_id) == number
    return number


def refreshed(site: Site, *, later: timedelta = timedelta(0)) -> None:
    """The background refresh, at the end of which nothing is due."""
    worker = replace(site.services.estimates, clock=lambda: site.services.clock() + later)
    refresh = Refresh(worker.pool, worker)
    while refresh.run() is not None:
        pass


@pytest.mark.rule("3.4/estimate-create")
def test_a_created_scanner_has_its_estimate_at_once(place: Place) -> None:
    for number in range(4):
        place.recorded(f"s{number}", 29.5 * DAY)
    made = scanner(place.api, "new", sampling_rate=0.5)
    assert made["estimated_monthly_observations"] == 2 == shown(place, made["id"])


@pytest.mark.rule("3.4/estimate-update", "3.4/estimate-reenable")
def test_edits_of_query_and_rate_work_it_out_anew_and_others_do_not(place: Place) -> None:
    place.recorded("a", 29.5 * DAY)
    made = scanner(place.api, "new")["id"]
    place.recorded("b", 29.5 * DAY)
    assert edited(place, made, name="renamed", emits_signals=True, scanner_config={"prompt": "q"}) == 1
    assert edited(place, made, query={}) == 1, "the same value is no change"
    assert edited(place, made, enabled=False) == 1
    assert edited(place, made, enabled=True) == 1, "on re-enable only when it is older than a day"
    assert edited(place, made, query={"session_ids": ["a", "b"]}) == 2
    assert edited(place, made, sampling_rate=0.0) == 0


@pytest.mark.rule("3.4/estimate-reenable")
def test_re_enabling_works_out_one_older_than_a_day(site: Site, place: Place) -> None:
    place.recorded("a", 29.5 * DAY)
    made = scanner(place.api, "new")["id"]
    place.recorded("b", 29.5 * DAY)
    with site.services.pool.connection() as conn:
        conn.execute(
            "UPDATE selection.estimate SET estimated_at = estimated_at - interval '25 hours' WHERE scanner_id = %s",
            (made,),
        )
    assert edited(place, made, description="on all the time", enabled=True) == 1
    assert edited(place, made, enabled=False) == 1
    assert edited(place, made, enabled=True) == 2


@pytest.mark.rule("3.4/estimate-refresh", "trap/32")
def test_the_refresh_keeps_it_about_a_day_old_and_moves_nothing_else(site: Site, place: Place) -> None:
    """Trap 32: bookkeeping bumps neither version nor updated_at, and ETags stay good."""
    place.recorded("a", 29.5 * DAY)
    place.taken_in(29.5 * DAY)
    odd = {"version": 1.0, "limit": 5, "user_modified_filters": {"ä": [1.50, None, 1e20]}, "kind": "RecordingsQuery"}
    made = scanner(place.api, "new", query=odd)
    before = place.api.get(f"scanners/{made['id']}/")
    place.recorded("b", 9 * DAY)
    place.recorded("c", 9 * DAY)
    refreshed(site, later=timedelta(hours=23))
    assert shown(place, made["id"]) == 1
    refreshed(site, later=timedelta(hours=25))
    after = place.api.get(f"scanners/{made['id']}/")
    assert after.json() == {**before.json(), "estimated_monthly_observations": 2}
    assert after.headers["etag"] == before.headers["etag"]


@pytest.mark.rule("3.4/estimate-refresh")
def test_the_refresh_makes_up_for_one_that_is_missing(site: Site, place: Place) -> None:
    place.recorded("a", 29.5 * DAY)
    made, gone = scanner(place.api, "new")["id"], scanner(place.api, "gone")["id"]
    with site.services.pool.connection() as conn:
        conn.execute("DELETE FROM selection.estimate WHERE scanner_id = %s", (made,))
        assert shown(place, made) is None
        place.api.delete(f"scanners/{gone}/")
        refreshed(site)
        assert shown(place, made) == 1
        left = conn.execute(
            "SELECT scanner_id FROM selection.estimate WHERE environment_id = %s", (place.environment_id,)
        )
        assert left.fetchall() == [(UUID(made),)], "a deleted scanner's row goes"


@pytest.mark.rule("trap/64")
def test_a_result_of_old_inputs_is_dropped(site: Site, place: Place) -> None:
    """Trap 64: a count that began before an edit ends after it."""
    for name in "abc":
        place.recorded(name, 29.5 * DAY)
    made = scanner(place.api, "new")
    old = Inputs(UUID(made["id"]), place.tenant, {}, 1.0, 1)
    assert edited(place, made["id"], query={"session_ids": ["a"]}) == 1
    with site.services.pool.connection() as conn:
        assert not site.services.estimates.work_out(conn, old)
        assert shown(place, made["id"]) == 1
        conn.execute("DELETE FROM selection.estimate WHERE scanner_id = %s", (made["id"],))
        assert not site.services.estimates.work_out(conn, old), "nor when there is none yet of the new inputs"
        assert stored(conn, place.tenant, old.scanner_id) is None
        assert site.services.estimates.work_out(conn, replace(old, query={"session_ids": ["a"]}, scanner_version=2))
        place.api.delete(f"scanners/{made['id']}/")
        assert not site.services.estimates.work_out(conn, replace(old, scanner_version=3)), "nor of a deleted one"


def test_one_scanner_that_cannot_be_counted_does_not_stop_the_others(site: Site, place: Place) -> None:
    made = [scanner(place.api, f"n{number}")["id"] for number in range(3)]
    broken = scanner(place.api, "broken")["id"]
    with site.services.pool.connection() as conn:
        conn.execute("DELETE FROM selection.estimate WHERE environment_id = %s", (place.environment_id,))
        conn.execute("UPDATE read_scanners.scanner SET query = '[]' WHERE id = %s", (broken,))
        worker = replace(site.services.estimates, seconds=0.05)
        with conn.transaction():
            conn.execute("LOCK TABLE capture.session IN ACCESS EXCLUSIVE MODE")
            while Refresh(worker.pool, worker).run() is not None:
                pass
        assert [shown(place, one) for one in made] == [None] * 3
    refreshed(site)
    assert [shown(place, one) for one in made] == [None] * 3, "each has its turn again a while later"
    refreshed(site, later=timedelta(minutes=16))
    assert [shown(place, one) for one in made] == [0] * 3


@pytest.mark.rule("trap/31", "trap/35")
def test_saves_leave_the_watermark_alone_but_switching_on(site: Site, place: Place) -> None:
    """Traps 31 and 35: whole and partial saves; only a scanner that is switched on begins anew."""
    made = scanner(place.api, "swept")
    swept = datetime(2126, 1, 1, tzinfo=UTC)
    with site.services.pool.connection() as conn:
        conn.execute(
            "INSERT INTO selection.watermark (scanner_id, environment_id, organization_id, enabled, settle_number,"
            " swept_at, as_of) VALUES (%s, %s, %s, true, 0, %s, 0)",
            (made["id"], place.environment_id, site.organization_id, swept),
        )
    known = place.api.get(f"scanners/{made['id']}/").json()
    assert known["last_swept_at"] == "2126-01-01T00:00:00Z"
    for changes in (known, {"name": "swept again"}, {"enabled": False}, {"query": {}, "sampling_rate": 0.5}):
        saved = place.api.patch(f"scanners/{made['id']}/", json=changes).json()
        assert saved["last_swept_at"] == "2126-01-01T00:00:00Z"
    with site.services.pool.connection() as conn:
        conn.execute("DELETE FROM selection.watermark WHERE scanner_id = %s", (made["id"],))
    for whole in (True, False):
        place.api.patch(f"scanners/{made['id']}/", json={"enabled": False})
        at = site.services.clock()
        changes = {**known, "enabled": True} if whole else {"enabled": True}
        saved = place.api.patch(f"scanners/{made['id']}/", json=changes).json()
        assert abs(datetime.fromisoformat(saved["last_swept_at"]) - (at - site.services.settle)) < timedelta(seconds=5)


# --- what is summed up ----------------------------------------------------------------------------------------------


@pytest.fixture
def organization(site: Site) -> Callable[[], tuple[int, int]]:
    """(the quota's projection, the sum of the others' estimates) of the organization."""

    def sums() -> tuple[int, int]:
        api: httpx.Client = site.client()
        quota = api.get("quota/").json()["projected_monthly_observations"]
        return quota, api.post("scanners/estimate/").json()["other_enabled_scanners_monthly"]

    return sums


@pytest.mark.rule("6/others", "7/projected", "10/16")
def test_estimates_of_enabled_scanners_are_summed_over_the_organization(
    site: Site, place: Place, organization: Callable[[], tuple[int, int]]
) -> None:
    """Contract 6 and 7: all projects, only enabled ones that exist, a missing estimate counts 0."""
    before, _ = organization()
    other = new_place(site, str(uuid4()))
    for where in (place, other):
        for name in "ab":
            where.recorded(name, 29.5 * DAY)
    one, two = scanner(place.api, "one")["id"], scanner(other.api, "two")["id"]
    off = scanner(other.api, "off", enabled=False)["id"]
    assert organization() == (before + 4, before + 4)
    assert estimate(place, scanner_id=one)["other_enabled_scanners_monthly"] == before + 2
    assert estimate(other, scanner_id=off)["other_enabled_scanners_monthly"] == before + 4
    edited(other, off, enabled=True)
    assert organization()[0] == before + 6
    with site.services.pool.connection() as conn:
        conn.execute("DELETE FROM selection.estimate WHERE scanner_id = %s", (off,))
    other.api.delete(f"scanners/{two}/")
    assert organization() == (before + 2, before + 2)


@pytest.mark.rule("trap/64")
def test_20_edits_at_once_leave_the_estimate_of_the_last_one(place: Place) -> None:
    for name in "abcdefgh":
        place.recorded(name, 29.5 * DAY)
    made = scanner(place.api, "contended")["id"]

    def edit(number: int) -> None:
        place.api.patch(f"scanners/{made}/", json={"query": {"session_ids": list("abcdefgh")[: number % 8 + 1]}})

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = place.api.get(f"scanners/{made}/").json()
    assert last["estimated_monthly_observations"] == len(last["query"]["session_ids"])
