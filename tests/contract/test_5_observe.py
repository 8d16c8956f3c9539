"""Contract 5 and extensions "Observing": observe, its answers and the order of its checks."""

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


@pytest.fixture(scope="module")
def target(api: httpx.Client) -> str:
    identifier: str = scanner(api, "observed")["id"]
    return identifier


@pytest.mark.rule("5/body", "10/2", "2.1/acts-as-user-triggered", "4.1/workflow-id-empty", "4.1/started-at")
def test_the_answer_names_the_work_and_the_row_exists_at_once(site: Site, api: httpx.Client, target: str) -> None:
    """Contract 10 row 2: the pending row is there when 202 is answered."""
    response = api.post(f"scanners/{target}/observe/", json={"session_id": " session-1 "})
    assert response.status_code == 202
    answer = response.json()
    assert answer["workflow_id"] == f"replay-vision-apply-scanner-{target}-session-1"
    row = api.get(f"scanners/{target}/observations/{answer['observation_id']}/").json()
    assert (row["session_id"], row["status"], row["triggered_by"]) == ("session-1", "pending", "on_demand")
    assert row["triggered_by_user"]["id"] == site.user_id
    assert (row["workflow_id"], row["started_at"], row["completed_at"]) == ("", None, None)


@pytest.mark.rule("5/session-required", "5/session-blank", "5/session-length", "5/body-400")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"session_id": ""}, "blank"),
        ({"session_id": "  "}, "blank"),
        ({"session_id": "x" * 129}, "max_length"),
        ({"session_id": None}, "null"),
        ({"session_id": True}, "invalid_input"),
        ({"session_id": ["x"]}, "invalid_input"),
    ],
)
def test_bad_bodies(api: httpx.Client, target: str, body: dict[str, Any], code: str) -> None:
    response = api.post(f"scanners/{target}/observe/", json=body)
    assert refusal(response) == (400, "validation_error", code, "session_id")


@pytest.mark.rule("4.1/session-id", "5/session-length")
@pytest.mark.parametrize("session_id", ["x" * 128, 5, "a/b?c#d", "日本 🎉", "..", "%00"])
def test_strange_sessions_are_taken_and_found_again(api: httpx.Client, target: str, session_id: Any) -> None:
    made = observe(api, target, session_id)
    found = api.get("observations/", params={"session_id": str(session_id)}).json()["results"]
    assert made in [row["id"] for row in found]


@pytest.mark.rule("5/in-progress", "5/deterministic", "4/one-per-pair")
def test_a_repeat_while_in_progress_starts_nothing(site: Site, api: httpx.Client, target: str) -> None:
    first = api.post(f"scanners/{target}/observe/", json={"session_id": "repeated"})
    again = api.post(f"scanners/{target}/observe/", json={"session_id": "repeated"})
    assert (again.status_code, again.json()) == (202, first.json())
    site.start(first.json()["observation_id"])
    running = api.post(f"scanners/{target}/observe/", json={"session_id": "repeated"})
    assert (running.status_code, running.json()) == (202, first.json())
    assert api.get(f"scanners/{target}/observations/?session_id=repeated").json()["count"] == 1


@pytest.mark.rule("5/terminal-pair", "5/deterministic", "10/1", "trap/2")
@pytest.mark.parametrize("ending", ["succeed", "fail", "judge_ineligible"])
def test_a_pair_that_has_an_ending_is_answered_with_200_and_costs_nothing(
    site: Site, api: httpx.Client, target: str, ending: str
) -> None:
    made = observe(api, target, f"ended by {ending}")
    if ending == "succeed":
        site.succeed(made, "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 0.5})
    else:
        getattr(site, ending)(made)
    used = api.get("quota/").json()["usage_this_month"]
    again = api.post(f"scanners/{target}/observe/", json={"session_id": f"ended by {ending}"})
    assert again.status_code == 200
    assert again.json() == {
        "workflow_id": f"replay-vision-apply-scanner-{target}-ended by {ending}",
        "observation_id": made,
    }
    assert api.get("quota/").json()["usage_this_month"] == used


@pytest.mark.rule("5/ignores-rate", "5/ignores-query", "5/ignores-enabled", "3.4/disabled-observe")
def test_a_disabled_scanner_and_a_rate_of_0_can_be_observed(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()), enabled=False, sampling_rate=0, query={"session_ids": ["another"]})
    observe(api, made["id"], "any")


@pytest.mark.rule("4/one-per-pair", "10/24")
def test_50_concurrent_observes_of_one_pair_give_one_observation(site: Site, api: httpx.Client, target: str) -> None:
    before = api.get("quota/").json()["usage_this_month"]

    def ask(_: int) -> tuple[int, str]:
        response = api.post(f"scanners/{target}/observe/", json={"session_id": "contended"})
        return response.status_code, response.json()["observation_id"]

    with ThreadPoolExecutor(25) as threads:
        answers = set(threads.map(ask, range(50)))
    assert len(answers) == 1
    assert answers.pop()[0] == 202
    assert api.get("observations/?session_id=contended").json()["count"] == 1
    assert api.get("quota/").json()["usage_this_month"] == before + 1


@pytest.mark.rule(
    "5/quota-402",
    "5/quota-hides-body",
    "5/scanner-404",
    "3.4/create-no-quota",
    "7/enforced-observe",
    "7/nought",
    "2.2/type-server-error",
    "10/7",
)
def test_an_exhausted_quota_is_402_and_hides_a_bad_body(api: httpx.Client, target: str, quota_of: Any) -> None:
    quota_of(0)
    for body in ({"session_id": "over quota"}, {}, {"session_id": "session-1"}):
        response = api.post(f"scanners/{target}/observe/", json=body)
        assert refusal(response) == (402, "server_error", "quota_limit_exceeded", None)
    assert " 0 " in response.json()["detail"]
    assert api.get("observations/?session_id=over%20quota").json()["count"] == 0
    assert api.post(f"scanners/{uuid4()}/observe/", json={}).status_code == 404
    assert scanner(api, str(uuid4()))["scanner_version"] == 1, "creation does not check quota (contract 3.4)"


@pytest.mark.rule("5/admission-once", "7/exhausted", "trap/62", "trap/40")
def test_the_quota_is_never_exceeded_under_concurrency(
    site: Site, api: httpx.Client, target: str, quota_of: Any
) -> None:
    used = api.get("quota/").json()["usage_this_month"]
    quota_of(used + 3)

    def ask(number: int) -> int:
        return api.post(f"scanners/{target}/observe/", json={"session_id": f"rush {number}"}).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = sorted(threads.map(ask, range(20)))
    assert statuses == [202] * 3 + [402] * 17
    quota = api.get("quota/").json()
    assert (quota["remaining"], quota["exhausted"], quota["usage_this_month"]) == (0, True, used + 3)


@pytest.mark.rule("5/cap-429", "2.2/type-throttled")
def test_the_cap_on_work_in_flight_is_429(site: Site, api: httpx.Client) -> None:
    limits = ObservationLimits(per_scanner=2, per_environment=100_000)
    store = site.services.observations._store  # noqa: SLF001 - the same store under other limits
    services = replace(site.services, observations=Observations(store, limits), limits=limits)
    made = scanner(api, str(uuid4()))
    path = f"/api/environments/{site.environment_id}/vision/scanners/{made['id']}/observe/"
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        for session_id in ("one", "two"):
            assert client.post(path, json={"session_id": session_id}).status_code == 202
        for body in ({"session_id": "three"}, {}):
            response = client.post(path, json=body)
            assert refusal(response) == (429, "throttled_error", "throttled", None)
            assert "retry-after" not in response.headers
        site.fail(api.get("observations/?session_id=one").json()["results"][0]["id"])
        assert client.post(path, json={"session_id": "three"}).status_code == 202
