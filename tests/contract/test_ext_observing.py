"""Extensions "Observing": bulk_observe and retry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from commands.observations import ObservationLimits, Observations
from tests.contract.site import Site, observe, refusal, scanner, served


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture
def target(api: httpx.Client) -> str:
    identifier: str = scanner(api, str(uuid4()))["id"]
    return identifier


def bulk(api: httpx.Client, scanner_id: str, *session_ids: Any) -> dict[str, Any]:
    response = api.post(f"scanners/{scanner_id}/bulk_observe/", json={"session_ids": session_ids})
    assert response.status_code == 202, response.text
    return response.json()


def succeed(site: Site, observation_id: str) -> None:
    site.succeed(observation_id, "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 0.5})


def test_bulk_tells_what_became_of_each_in_their_order(site: Site, api: httpx.Client, target: str) -> None:
    running, done = observe(api, target, "running"), observe(api, target, "done")
    site.start(running)
    succeed(site, done)
    answer = bulk(api, target, "new", "running", " done ", "new", 5)
    assert answer["started"] == 2
    outcomes = [(result["session_id"], result["scan_outcome"]) for result in answer["results"]]
    assert outcomes == [
        ("new", "started"),
        ("running", "already_running"),
        ("done", "already_scanned"),
        ("new", "already_running"),
        ("5", "started"),
    ]
    ids = [result["observation_id"] for result in answer["results"]]
    assert (ids[1], ids[2], ids[0] == ids[3]) == (running, done, True)
    rows = api.get(f"scanners/{target}/observations/").json()
    assert rows["count"] == 4, "the new ones are in the very next list"


def test_bulk_takes_200_sessions_as_far_as_the_cap_allows(api: httpx.Client, target: str) -> None:
    answer = bulk(api, target, *(f"session {number}" for number in range(200)))
    assert (answer["started"], len(answer["results"])) == (150, 200)
    assert {result["scan_outcome"] for result in answer["results"][150:]} == {"skipped_limit"}
    assert bulk(api, target, "session 7")["results"][0]["scan_outcome"] == "already_running"


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({}, "required", "session_ids"),
        ({"session_ids": None}, "null", "session_ids"),
        ({"session_ids": "one"}, "not_a_list", "session_ids"),
        ({"session_ids": {}}, "not_a_list", "session_ids"),
        ({"session_ids": []}, "empty", "session_ids"),
        ({"session_ids": ["x"] * 201}, "max_length", "session_ids"),
        ({"session_ids": ["x", ""]}, "blank", "session_ids__1"),
        ({"session_ids": ["x", "y", "z" * 129]}, "max_length", "session_ids__2"),
        ({"session_ids": [["x"]]}, "invalid_input", "session_ids__0"),
        ({"session_ids": ["a\x00"]}, "null_characters_not_allowed", "session_ids__0"),
    ],
)
def test_bulk_bodies_that_are_refused(
    api: httpx.Client, target: str, body: dict[str, Any], code: str, attr: str
) -> None:
    response = api.post(f"scanners/{target}/bulk_observe/", json=body)
    assert refusal(response) == (400, "validation_error", code, attr)
    assert api.get(f"scanners/{target}/observations/").json()["count"] == 0, "nothing is half done"


def test_bulk_beyond_the_quota_and_the_cap(site: Site, api: httpx.Client, target: str, quota_of: Any) -> None:
    quota_of(api.get("quota/").json()["usage_this_month"] + 2)
    answer = bulk(api, target, "a", "b", "c", "a")
    assert [result["scan_outcome"] for result in answer["results"]] == [
        "started",
        "started",
        "skipped_quota",
        "already_running",
    ]
    assert answer["results"][2]["observation_id"] is None
    quota_of(100_000)
    limits = ObservationLimits(per_scanner=3, per_environment=100_000)
    store = site.services.observations._store  # noqa: SLF001 - the same store under other limits
    services = replace(site.services, observations=Observations(store, limits), limits=limits)
    path = f"/api/projects/{site.environment_id}/vision/scanners/{target}/bulk_observe/"
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        results = client.post(path, json={"session_ids": ["c", "d"]}).json()["results"]
    assert [result["scan_outcome"] for result in results] == ["started", "skipped_limit"]


def test_bulk_of_others(site: Site, api: httpx.Client, target: str) -> None:
    for client, scanner_id in ((api, uuid4()), (api, "nonsense"), (site.client(environment=site.sibling_id), target)):
        response = client.post(f"scanners/{scanner_id}/bulk_observe/", json={})
        assert refusal(response) == (404, "invalid_request", "not_found", None)


@pytest.mark.rule("10/1")
@pytest.mark.parametrize("ending", ["fail", "judge_ineligible"])
def test_a_retry_is_the_next_run_of_the_same_observation(
    site: Site, api: httpx.Client, target: str, ending: str
) -> None:
    made = observe(api, target, "again")
    getattr(site, ending)(made)
    used = api.get("quota/").json()["usage_this_month"]
    response = api.post(f"scanners/{target}/observations/{made}/retry/")
    assert response.status_code == 202
    assert response.json() == {
        "workflow_id": f"replay-vision-apply-scanner-{target}-again",
        "observation_id": made,
    }
    row = api.get(f"scanners/{target}/observations/{made}/").json()
    assert (row["status"], row["error_reason"], row["completed_at"]) == ("pending", "", None)
    assert api.get("quota/").json()["usage_this_month"] == used + 1
    again = api.post(f"scanners/{target}/observations/{made}/retry/")
    assert refusal(again)[0] == 409


def test_retries_that_are_refused(site: Site, api: httpx.Client, target: str, quota_of: Any) -> None:
    pending, done, failed = (observe(api, target, name) for name in ("pending", "done", "failed"))
    succeed(site, done)
    site.fail(failed)
    assert refusal(api.post(f"scanners/{target}/observations/{pending}/retry/"))[0] == 409
    assert refusal(api.post(f"scanners/{target}/observations/{done}/retry/"))[0] == 400
    other = scanner(api, str(uuid4()))["id"]
    for path in (
        f"scanners/{other}/observations/{failed}/retry/",
        f"scanners/{target}/observations/{uuid4()}/retry/",
        f"scanners/{target}/observations/x/retry/",
    ):
        assert refusal(api.post(path))[0] == 404
    foreign = site.client(environment=site.sibling_id)
    assert refusal(foreign.post(f"scanners/{target}/observations/{failed}/retry/"))[0] == 404
    quota_of(0)
    assert refusal(api.post(f"scanners/{target}/observations/{failed}/retry/"))[0] == 402


@pytest.mark.rule("trap/15", "10/24")
def test_20_concurrent_retries_open_one_run(site: Site, api: httpx.Client, target: str) -> None:
    made = observe(api, target, "contended")
    site.fail(made)
    used = api.get("quota/").json()["usage_this_month"]

    def ask(_: int) -> int:
        return api.post(f"scanners/{target}/observations/{made}/retry/").status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = sorted(threads.map(ask, range(20)))
    assert statuses == [202] + [409] * 19
    assert api.get("quota/").json()["usage_this_month"] == used + 1


@pytest.mark.parametrize("path", ["bulk_observe/", "observations/{made}/retry/"])
@pytest.mark.parametrize("scope", ["replay_scanner:write", "session_recording:read"])
def test_scopes(site: Site, api: httpx.Client, target: str, path: str, scope: str) -> None:
    made = observe(api, target, "scoped")
    client = site.client(site.key(scope))
    response = client.post(f"scanners/{target}/{path.format(made=made)}", json={"session_ids": ["x"]})
    assert refusal(response) == (403, "authentication_error", "permission_denied", None)
