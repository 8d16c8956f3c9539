"""Contract 6: estimate. Also 3.4 (stored estimates), 7 (the projection) and engine.md's traps 31, 32, 35, 63, 64."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from consumers.selection.counting import Matched
from consumers.selection.estimate import Refresh, monthly
from projections.queries.estimates import Inputs, stored
from tests.contract.recorded import Place, new_place
from tests.contract.site import Site, refusal, scanner, served

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


def estimate(place: Place, **body: Any) -> dict[str, Any]:
    response = place.api.post("scanners/estimate/", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def counted(place: Place, **body: Any) -> int:
    found: int = estimate(place, **body)["matched_sessions_in_window"]
    return found


# --- the operation --------------------------------------------------------------------------------------------------


@pytest.mark.rule("6/shape", "6/matched", "6/rate", "6/rate-echoed", "6/query-omitted")
def test_the_shape_and_the_defaults(place: Place) -> None:
    for number in range(4):
        place.recorded(f"s{number}", 29 * DAY if number else 29.5 * DAY)
    answer = estimate(place)
    assert list(answer) == KEYS
    assert (answer["matched_sessions_in_window"], answer["window_days"]) == (4, 30)
    assert (answer["estimated_observations_per_month"], answer["sampling_rate"]) == (4, 1.0)
    assert estimate(place, query={}, sampling_rate="0.5", scanner_id=None, limit=3)["sampling_rate"] == 0.5


@pytest.mark.rule("6/empty-body", "6/query-omitted")
def test_an_empty_body_and_both_prefixes(site: Site, place: Place) -> None:
    place.recorded("one")
    bare = place.api.post("scanners/estimate")
    project = site.client(environment=place.environment_id, prefix="projects").post("scanners/estimate/", json={})
    assert bare.status_code == project.status_code == 200
    assert bare.json() == project.json()


@pytest.mark.rule("6/eligible", "10/17")
def test_only_sessions_worth_scanning_are_counted(place: Place) -> None:
    """Contract 4.1 and 10 row 17: the eligibility of the sweep, at its very limits."""
    place.recorded("fits exactly", duration=15, active=10)
    place.recorded("fits at the other end", duration=9000, active=3600)
    place.recorded("short", duration=14.999)
    place.recorded("idle", active=9.999)
    place.recorded("endless", duration=9000, active=3600.001)
    assert counted(place) == 2


@pytest.mark.rule("6/query-dates", "6/matched")
@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ({"kind": "RecordingsQuery", "date_from": "-1h", "date_to": "-30m"}, 3),
        ({"session_ids": ["a", "c", "a", "unknown"]}, 2),
        ({"session_ids": []}, 0),
        ({"distinct_ids": ["two", "three"]}, 2),
        ({"session_ids": ["a"], "distinct_ids": ["two"]}, 0),
        ({"filter_test_accounts": False, "properties": []}, 3),
        ({"events": [{"id": "checkout"}]}, 0),
    ],
)
def test_a_query_counts_what_the_sweep_would_take(place: Place, query: dict[str, Any], matched: int) -> None:
    """Date keys are ignored; a condition that the sweep cannot answer selects nothing, and so counts nothing."""
    place.recorded("a", distinct_ids=["one"])
    place.recorded("b", distinct_ids=["one", "two"], settled=True)
    place.recorded("c", distinct_ids=["three"])
    assert counted(place, query=query) == matched


@pytest.mark.rule("6/window", "trap/63")
def test_the_window_is_30_days_to_the_moment(place: Place) -> None:
    """Trap 63: a look-back cut at midnight counts up to a day too much."""
    place.recorded("just in", 30 * DAY - timedelta(seconds=20))
    place.recorded("just out", 30 * DAY + timedelta(seconds=1))
    place.recorded("same day, out", 30 * DAY + timedelta(hours=3))
    assert counted(place) == 1


def test_a_clock_that_is_ahead_is_not_believed(place: Place) -> None:
    place.recorded("from next year", -400 * DAY, received_ago=timedelta(hours=1))
    place.recorded("from next year, long ago", -400 * DAY, received_ago=31 * DAY)
    answer = estimate(place)
    assert (answer["matched_sessions_in_window"], answer["window_days"]) == (1, 1)


@pytest.mark.rule("6/window", "6/monthly", "trap/64")
@pytest.mark.parametrize(
    ("first", "days"),
    [(timedelta(minutes=1), 1), (DAY - timedelta(minutes=1), 1), (2.5 * DAY, 3), (29.5 * DAY, 30), (300 * DAY, 30)],
)
def test_the_days_of_young_and_of_quiet_projects(place: Place, first: timedelta, days: int) -> None:
    """Trap 64: a young project is not under-estimated, an old quiet one keeps the whole divisor."""
    place.recorded("today", timedelta(seconds=1))
    place.recorded("first", first)
    answer = estimate(place)
    assert answer["window_days"] == days
    in_window = 1 if first > 30 * DAY else 2
    assert answer["estimated_observations_per_month"] == in_window * 30 / days


@pytest.mark.rule("6/window")
def test_a_project_without_recordings(place: Place) -> None:
    answer = estimate(place)
    assert [answer[key] for key in KEYS[:3]] == [0, 1, 0]


@pytest.mark.rule("6/writes-nothing")
def test_an_estimate_changes_nothing(site: Site, place: Place) -> None:
    place.recorded("a", 29.5 * DAY)
    made = scanner(place.api, "kept")["id"]
    place.recorded("b", 29.5 * DAY)

    def standing() -> list[Any]:
        with site.services.pool.connection() as conn:
            events = conn.execute("SELECT count(*), max(notification_id) FROM store.events").fetchall()
            estimates = conn.execute("SELECT * FROM selection.estimate ORDER BY scanner_id").fetchall()
        documents = [place.api.get(path).content for path in ("scanners/", "quota/", f"scanners/{made}/")]
        return [events, estimates, documents]

    site.standing()
    before = standing()
    assert estimate(place, scanner_id=made, sampling_rate=0.5)["matched_sessions_in_window"] == 2
    assert standing() == before


def test_other_projects_are_not_counted(site: Site, place: Place) -> None:
    new_place(site, str(uuid4())).recorded("elsewhere")
    place.recorded("here")
    assert counted(place) == 1


@pytest.mark.rule("6/monthly")
@pytest.mark.parametrize(
    ("sessions", "days", "rate", "expected"),
    [(4210, 30, 0.25, 1052), (6, 30, 0.25, 2), (2, 30, 0.25, 0), (1, 1, 0.05, 2), (3, 7, 1, 13), (1, 1, 0.00001, 0)],
)
def test_the_monthly_number_rounds_halves_to_even(sessions: int, days: int, rate: float, expected: int) -> None:
    """Contract 6, whose example is the first one."""
    assert monthly(Matched(sessions, days), rate) == expected


@pytest.mark.rule("6/rate-tiny", "6/rate-echoed")
def test_rates_too_small_for_a_scanner_are_fine_here(place: Place) -> None:
    assert estimate(place, sampling_rate=0.00001)["sampling_rate"] == 0.00001
    assert estimate(place, sampling_rate=0)["estimated_observations_per_month"] == 0


@pytest.mark.rule("6/query-null", "6/rate", "6/scanner-id")
@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({"query": None}, "null", "query"),
        ({"query": []}, "invalid_input", "query"),
        ({"query": {"nonsense": 1}}, "invalid_input", "query"),
        ({"query": {"date_from": 5}}, "invalid_input", "query"),
        ({"sampling_rate": None}, "null", "sampling_rate"),
        ({"sampling_rate": 1.1}, "max_value", "sampling_rate"),
        ({"sampling_rate": -0.1}, "min_value", "sampling_rate"),
        ({"sampling_rate": "x"}, "invalid_input", "sampling_rate"),
        ({"scanner_id": "x"}, "invalid_input", "scanner_id"),
        ({"scanner_id": 5}, "invalid_input", "scanner_id"),
        ({"scanner_id": str(UUID(int=5))}, "invalid_input", "scanner_id"),
        ({"scanner_id": "x", "sampling_rate": 2}, "max_value", "sampling_rate"),
        ([], "invalid_input", None),
    ],
)
def test_bodies_that_are_refused(place: Place, body: Any, code: str, attr: str | None) -> None:
    response = place.api.post("scanners/estimate/", json=body)
    assert refusal(response) == (400, "validation_error", code, attr)


@pytest.mark.rule("6/scanner-id")
def test_a_scanner_of_another_project_is_refused(site: Site, place: Place) -> None:
    foreign = scanner(site.client(environment=site.sibling_id), str(uuid4()))["id"]
    deleted = scanner(place.api, "deleted")["id"]
    assert place.api.delete(f"scanners/{deleted}/").status_code == 204
    for unknown in (foreign, deleted):
        response = place.api.post("scanners/estimate/", json={"scanner_id": unknown})
        assert refusal(response) == (400, "validation_error", "invalid_input", "scanner_id")


@pytest.mark.parametrize("scope", ["replay_scanner:read", "session_recording:read", "replay_scanner:write"])
def test_scopes(site: Site, place: Place, scope: str) -> None:
    client = site.client(site.key(scope), environment=place.environment_id)
    assert refusal(client.post("scanners/estimate/"))[:3] == (403, "authentication_error", "permission_denied")
    both = site.client(site.key("replay_scanner:read", "session_recording:read"), environment=place.environment_id)
    assert both.post("scanners/estimate/").status_code == 200
    assert refusal(both.get("scanners/estimate/"))[0] == 405


@pytest.mark.rule("3.4/estimate-failure", "3.4/estimate-update")
def test_a_count_that_is_too_slow_is_503_and_says_when_to_come_back(site: Site, place: Place) -> None:
    services = replace(site.services, estimates=replace(site.services.estimates, seconds=0.2))
    path = f"/api/projects/{place.environment_id}/vision/scanners/"
    key = f"Bearer {site.key()}"
    body = {"scanner_type": "monitor", "scanner_config": {"prompt": "p"}, "provider": "builtin", "model": "builtin"}
    with served(services, Authorization=key) as client, site.services.pool.connection() as holding:
        with holding.transaction():
            holding.execute("LOCK TABLE capture.session IN ACCESS EXCLUSIVE MODE")
            slow = client.post(f"{path}estimate/", json={})
            assert refusal(slow) == (503, "server_error", "error", None)
            assert int(slow.headers["retry-after"]) > 0
            made = client.post(path, json={"name": "saved all the same", **body})
            assert made.status_code == 201, "contract 3.4: a failed estimate never fails the save"
            assert made.json()["estimated_monthly_observations"] is None
        place.recorded("one")
        edited = client.patch(f"{path}{made.json()['id']}/", json={"description": "an edit makes up for it"})
    assert edited.json()["estimated_monthly_observations"] == 30


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
