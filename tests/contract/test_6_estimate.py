"""Contract 6: estimate, and engine.md's trap 63. What scanners carry of it is in test_3_4_estimates.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from consumers.selection.counting import Matched
from consumers.selection.estimate import monthly
from tests.contract.recorded import Place, estimate, new_place
from tests.contract.site import Site, refusal, scanner, served

DAY = timedelta(days=1)
KEYS = [
    "matched_sessions_in_window",
    "window_days",
    "estimated_observations_per_month",
    "sampling_rate",
    "other_enabled_scanners_monthly",
    "unsupported_conditions",
]


@pytest.fixture
def place(site: Site) -> Place:
    return new_place(site, str(uuid4()))


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
