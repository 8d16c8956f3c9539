"""Contract 5 and 7: the text of a 402, outages, and the quota of months and limits as the API tells them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from commands.observations import Observations
from tests.contract.site import Site, observe, refusal, scanner, served

NEW_YEAR = datetime(2031, 1, 1, tzinfo=UTC)
"""Later than everything else in this database, so that its months are empty."""


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.mark.rule(
    "5/quota-detail", "5/quota-402", "5/quota-hides-body", "7/lowered", "7/remaining", "7/exhausted", "trap/62"
)
def test_a_limit_below_the_use_is_told_with_the_day_of_the_reset(api: httpx.Client, quota_of: Any) -> None:
    made = scanner(api, str(uuid4()))["id"]
    rows = [observe(api, made, f"s-{number}") for number in range(3)]
    used = api.get("quota/").json()["usage_this_month"]
    for limit in (used + 1, used, used - 1, 0):
        quota_of(limit)
        quota = api.get("quota/").json()
        assert (quota["monthly_quota"], quota["usage_this_month"]) == (limit, used)
        assert quota["remaining"] == max(0, limit - used)
        assert quota["exhausted"] is (limit <= used)
        if quota["exhausted"]:
            for body in ({"session_id": "more"}, {}):
                answer = api.post(f"scanners/{made}/observe/", json=body)
                assert refusal(answer) == (402, "server_error", "quota_limit_exceeded", None)
                assert f" {limit} " in answer.json()["detail"]
                assert quota["period_end"][:10] in answer.json()["detail"]
    assert [api.get(f"observations/{row}/").json()["status"] for row in rows] == ["pending"] * 3
    quota_of(used + 1)
    assert api.post(f"scanners/{made}/observe/", json={"session_id": "more"}).status_code == 202


@pytest.mark.rule("5/outage-503", "2.2/unavailable", "10/7")
def test_what_cannot_be_handed_on_is_503_and_leaves_nothing(site: Site, api: httpx.Client) -> None:
    """The store goes away after the checks and before the write."""
    whole = site.services.observations._store  # noqa: SLF001 - the same store, until it goes away

    class GoingAway:
        load, standing = whole.load, whole.standing

        def save_each(self, _saves: Any, **_: Any) -> Any:
            raise site.services.outages[0]("secret address")

    made = scanner(api, str(uuid4()))["id"]
    path = f"/api/projects/{site.environment_id}/vision/scanners/{made}/observe/"
    away = replace(site.services, observations=Observations(GoingAway(), site.services.limits))  # type: ignore[arg-type]
    with served(away, Authorization=f"Bearer {site.key()}") as client:
        answer = client.post(path, json={"session_id": "s"})
    assert refusal(answer) == (503, "server_error", "error", None)
    assert answer.json()["error"] == answer.json()["detail"]
    assert "secret" not in answer.text
    assert api.get(f"scanners/{made}/observations/").json()["count"] == 0
    assert api.post(f"scanners/{made}/observe/", json={"session_id": "s"}).status_code == 202


@pytest.mark.rule("5/in-progress", "5/deterministic", "5/terminal-pair", "4/one-per-pair")
def test_an_edit_does_not_make_another_pair(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    path = f"scanners/{made}/observe/"
    first = api.post(path, json={"session_id": "s"}).json()
    api.patch(f"scanners/{made}/", json={"scanner_config": {"prompt": "another"}})
    assert api.post(path, json={"session_id": " s "}).json() == first
    site.judge_ineligible(first["observation_id"])
    assert api.post(path, json={"session_id": "s"}).json() == first
    rows = api.get(f"scanners/{made}/observations/").json()["results"]
    assert [(row["id"], row["status"]) for row in rows] == [(first["observation_id"], "ineligible")]


@pytest.mark.rule("7/period", "7/period-december", "7/period-end", "7/usage", "10/6", "7/month-change")
def test_the_month_turns_at_midnight_utc(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    base = f"/api/projects/{site.environment_id}/vision/"

    def at(moment: datetime, session: str | None = None) -> tuple[str, str, int]:
        services = replace(site.services, clock=lambda: moment)
        with served(services, Authorization=f"Bearer {site.key()}") as client:
            if session is not None:
                asked = client.post(f"{base}scanners/{made}/observe/", json={"session_id": session})
                assert asked.status_code == 202
            quota = client.get(f"{base}quota/").json()
        return quota["period_start"], quota["period_end"], quota["usage_this_month"]

    december = ("2030-12-01T00:00:00Z", "2031-01-01T00:00:00Z")
    january = ("2031-01-01T00:00:00Z", "2031-02-01T00:00:00Z")
    last = NEW_YEAR - timedelta(microseconds=1)
    assert at(last, "the last one") == (*december, 1)
    assert at(NEW_YEAR, "the first one") == (*january, 1)
    assert at(last) == (*december, 1)
    rows = api.get(f"scanners/{made}/observations/?session_id=the%20last%20one").json()["results"]
    site.fail(rows[0]["id"])
    assert (at(last)[2], at(NEW_YEAR)[2]) == (0, 1), "what fails is given back to its own month"


@pytest.mark.rule("7/grants", "7/base")
def test_grants_count_until_they_expire(site: Site) -> None:
    base = f"/api/projects/{site.environment_id}/vision/quota/"
    before = site.client().get("quota/").json()["monthly_quota"]
    until = site.services.clock() + timedelta(days=2)
    site.accounts.grant_quota(replace(site.system, now=site.services.clock()), site.organization_id, 11, until)
    site.standing()
    for moment, bonus in ((until - timedelta(microseconds=1), 11), (until, 0)):
        services = replace(site.services, clock=lambda moment=moment: moment)
        with served(services, Authorization=f"Bearer {site.key()}") as client:
            assert client.get(base).json()["monthly_quota"] == before + bonus


@pytest.mark.rule("3.4/watermark-sweep", "3.1/last-swept", "trap/32")
def test_a_sweep_shows_in_last_swept_at_and_nowhere_else(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    api.patch(f"scanners/{made['id']}/", json={"description": "edited"})
    before = api.get(f"scanners/{made['id']}/").json()
    assert before["last_swept_at"] == made["last_swept_at"], "no edit moves it"
    with site.services.pool.connection() as conn:
        conn.execute(
            "INSERT INTO selection.watermark (scanner_id, environment_id, organization_id, enabled, settle_number,"
            " swept_at, as_of) VALUES (%s, %s, %s, true, 7, '2040-01-01T00:00:00Z', 1)",
            (made["id"], site.environment_id, site.organization_id),
        )
    assert api.get(f"scanners/{made['id']}/").json() == {**before, "last_swept_at": "2040-01-01T00:00:00Z"}
