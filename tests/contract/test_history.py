"""Extensions "Audit", the history of one scanner: oldest first, by cursors, also after its end."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import Site, observe, refusal, scanner

EVENTS = ["ScannerCreated", "ScannerRenamed", "ScannerReconfigured", "ScannerDisabled", "ScannerDeleted"]


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture(scope="module")
def told(site: Site, api: httpx.Client) -> str:
    """A scanner with one event of each of EVENTS, deleted in the end."""
    made: str = scanner(api, "Before")["id"]
    for change in ({"name": "After"}, {"scanner_config": {"prompt": "Another?"}}, {"enabled": False}):
        assert api.patch(f"scanners/{made}/", json=change).status_code == 200
    assert api.delete(f"scanners/{made}/").status_code == 204
    site.standing()
    return made


def history(api: httpx.Client, scanner_id: str, **query: Any) -> dict[str, Any]:
    response = api.get(f"scanners/{scanner_id}/history/", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def test_the_whole_story_also_of_a_deleted_scanner(site: Site, api: httpx.Client, told: str) -> None:
    page = history(api, told)
    assert set(page) == {"next", "previous", "results"}
    entries = page["results"]
    assert [entry["type"] for entry in entries] == EVENTS
    assert [entry["version"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["position"] for entry in entries] == sorted(entry["position"] for entry in entries)
    assert all(entry["stream"] == {"type": "scanner", "id": told} for entry in entries)
    renamed = entries[1]
    assert set(renamed) == {
        "position",
        "id",
        "type",
        "stream",
        "version",
        "recorded_at",
        "actor",
        "changes",
        "correlation_id",
        "causation_id",
    }
    assert renamed["changes"] == [{"field": "name", "before": "Before", "after": "After"}]
    assert renamed["actor"]["type"] == "key"
    assert renamed["actor"]["user"]["id"] == site.user_id
    assert renamed["actor"]["key_prefix"] == api.headers["authorization"].removeprefix("Bearer ")[:12]
    assert renamed["recorded_at"].endswith("Z")


def test_events_carry_the_correlation_id_of_the_answer(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    answer = api.patch(f"scanners/{made['id']}/", json={"description": "d"})
    site.standing()
    last = history(api, made["id"])["results"][-1]
    assert last["correlation_id"] == answer.headers["replay-vision-correlation-id"]


def test_cursors_lead_through_and_back(site: Site, api: httpx.Client, told: str) -> None:
    seen: list[str] = []
    address: str | None = f"{api.base_url}scanners/{told}/history/?limit=2"
    pages = []
    while address:
        page = api.get(address).json()
        pages.append(page)
        seen += [entry["type"] for entry in page["results"]]
        address = page["next"] and page["next"].replace(site.services.public_url, site.url)
    assert seen == EVENTS
    assert pages[0]["previous"] is None
    assert pages[1]["next"].startswith(f"{site.services.public_url}/api/environments/")
    back = api.get(pages[1]["previous"].replace(site.services.public_url, site.url)).json()
    assert back["results"] == pages[0]["results"]


def test_filters(site: Site, api: httpx.Client, told: str) -> None:
    def types(**query: Any) -> list[str]:
        return [entry["type"] for entry in history(api, told, **query)["results"]]

    entries = history(api, told)["results"]
    third = entries[2]["recorded_at"]
    assert types(type="ScannerCreated,ScannerDeleted") == ["ScannerCreated", "ScannerDeleted"]
    assert types(type="Nothing") == []
    assert types(after=third) == EVENTS[2:]
    assert types(before=third) == EVENTS[:2]
    assert types(before=(datetime.fromisoformat(third) + timedelta(hours=2)).isoformat()) == EVENTS
    assert types(actor=site.user_id) == types(actor="key") == EVENTS
    assert types(actor=site.user_id + 1000) == types(actor="system") == []


def test_ndjson_streams_everything(api: httpx.Client, told: str) -> None:
    path = f"scanners/{told}/history/?limit=1&type=ScannerCreated,ScannerRenamed"
    response = api.get(path, headers={"Accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["type"] for line in response.text.splitlines()] == ["ScannerCreated", "ScannerRenamed"]


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("after=yesterday", "after"),
        ("before=2026-13-01", "before"),
        ("after=0001-01-01T00:00:00%2B14:00", "after"),
        ("cursor=x", "cursor"),
        ("cursor=YWZ0ZXI6LTE", "cursor"),
        ("actor=" + "9" * 300, "actor"),
        ("type=%00", "type"),
    ],
)
def test_values_that_are_refused(api: httpx.Client, told: str, query: str, attr: str) -> None:
    response = api.get(f"scanners/{told}/history/?{query}")
    assert refusal(response) == (400, "validation_error", "invalid_input", attr)


def test_only_scanners_have_this_history(site: Site, api: httpx.Client, told: str) -> None:
    other = observe(api, scanner(api, str(uuid4()))["id"], "not a scanner")
    site.standing()
    assert api.get(f"scanners/{other}/history/").status_code == 404
    assert api.get(f"scanners/{uuid4()}/history/").status_code == 404
    assert site.client(environment=site.sibling_id).get(f"scanners/{told}/history/").status_code == 404
