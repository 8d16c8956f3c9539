"""Contract 3.6: who made the scanners, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.site import Site, scanner

EMPTY = {"enabled": 0, "total": 0}


@pytest.fixture
def api(site: Site) -> Iterator[httpx.Client]:
    """An environment without scanners."""
    client = site.client(environment=site.sibling_id)
    _clear(client)
    yield client
    _clear(client)


def _clear(client: httpx.Client) -> None:
    for row in client.get("scanners/?limit=1000").json()["results"]:
        client.delete(f"scanners/{row['id']}/")


@pytest.mark.rule("3.6/creators", "3.6/creators-parameters")
def test_3_6_creators_are_the_distinct_users_of_existing_scanners(site: Site, api: httpx.Client) -> None:
    assert api.get("scanners/creators/").json() == {"creators": []}
    ada = site.accounts.create_user(site.system, site.organization_id, "ada@example.org", "Ada", "Zeta")
    site.caught_up(ada.position)
    other = site.client(site.key(email="ada@example.org"), site.sibling_id)
    for number in range(2):
        scanner(api, f"mine {number}")
    hers = scanner(other, "hers")["id"]
    answer = api.get("scanners/creators/?limit=1&search=nothing&created_by=x").json()
    assert [user["first_name"] for user in answer["creators"]] == ["Ada", "Rina"]
    assert answer["creators"][1] == api.get("scanners/").json()["results"][1]["created_by"]
    assert api.delete(f"scanners/{hers}/").status_code == 204
    assert [user["id"] for user in api.get("scanners/creators/").json()["creators"]] == [site.user_id]


@pytest.mark.rule("3.6/stats", "3.6/stats-filters", "3.6/stats-types", "3.4/rate-zero")
def test_3_6_stats_count_every_type_whatever_the_filters(api: httpx.Client) -> None:
    nothing = {"monitor": EMPTY, "classifier": EMPTY, "scorer": EMPTY, "summarizer": EMPTY}
    assert api.get("scanners/stats/").json() == {"total": 0, "enabled": 0, "by_type": nothing}
    scanner(api, "one")
    off = scanner(api, "two", enabled=False)["id"]
    scanner(api, "three", scanner_type="classifier", scanner_config={"prompt": "p", "tags": ["x"]}, sampling_rate=0)
    expected = {
        "total": 3,
        "enabled": 2,
        "by_type": {**nothing, "monitor": {"enabled": 1, "total": 2}, "classifier": {"enabled": 1, "total": 1}},
    }
    assert api.get("scanners/stats/").json() == expected
    assert api.get("scanners/stats/?enabled=enabled&scanner_type=bogus").json() == expected
    api.patch(f"scanners/{off}/", json={"enabled": True})
    assert api.get("scanners/stats/").json()["by_type"]["monitor"] == {"enabled": 2, "total": 2}


def test_3_6_nothing_of_another_project_is_counted(site: Site, api: httpx.Client) -> None:
    scanner(site.client(), "elsewhere")
    assert api.get("scanners/stats/").json()["total"] == 0
    assert api.get("scanners/creators/").json() == {"creators": []}


@pytest.mark.parametrize("path", ["scanners/stats/", "scanners/creators/"])
def test_3_6_scopes(site: Site, path: str) -> None:
    assert site.client(site.key("replay_scanner:read")).get(path).status_code == 200
    assert site.client(site.key("vision_action:read")).get(path).status_code == 403
