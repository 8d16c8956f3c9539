"""Contract 7: the quota."""

from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import Site, observe, scanner


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.mark.rule("7/keys", "7/period")
def test_the_shape(api: httpx.Client) -> None:
    quota = api.get("quota/").json()
    assert list(quota) == [
        "monthly_quota",
        "usage_this_month",
        "remaining",
        "exhausted",
        "period_start",
        "period_end",
        "projected_monthly_observations",
    ]
    start = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert quota["period_start"] == start.strftime("%Y-%m-%dT00:00:00Z")
    assert quota["period_end"][8:] == "01T00:00:00Z"
    assert quota["remaining"] == quota["monthly_quota"] - quota["usage_this_month"]


@pytest.mark.rule("7/usage", "7/free", "7/ledger", "3.4/delete-no-refund", "10/5", "trap/61")
def test_failed_and_ineligible_are_free_and_deleting_refunds_only_work_in_flight(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    before = api.get("quota/").json()["usage_this_month"]

    def used() -> int:
        now: int = api.get("quota/").json()["usage_this_month"]
        return now - before

    ids = [observe(api, made["id"], f"q-{number}") for number in range(4)]
    assert used() == 4
    site.fail(ids[0])
    site.judge_ineligible(ids[1])
    assert used() == 2
    site.succeed(ids[2], "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 1})
    assert used() == 2
    assert api.delete(f"scanners/{made['id']}/").status_code == 204
    assert used() == 1


@pytest.mark.rule("7/organization")
def test_the_organization_shares_it(site: Site, api: httpx.Client) -> None:
    before = api.get("quota/").json()
    sibling = site.client(environment=site.sibling_id)
    made = scanner(sibling, str(uuid4()))
    observe(sibling, made["id"], "counted for all")
    assert api.get("quota/").json()["usage_this_month"] == before["usage_this_month"] + 1
    assert sibling.get("quota/").json() == api.get("quota/").json()
