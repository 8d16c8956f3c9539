"""Contract 2.4, 3.5 and 4.3: every key of every order, both ways, with ties by id and missing values last."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, observe, scanner, served

Row = dict[str, Any]
Value = Callable[[Row], Any]
ONE_MOMENT = datetime(2029, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def walk(site: Site, api: httpx.Client, path: str, order_by: str, limit: int) -> list[str]:
    """Ids of the whole list, page by page along `next`."""
    ids: list[str] = []
    address: str | None = f"{path}&order_by={order_by}&limit={limit}"
    while address:
        page = api.get(address).json()
        ids += [row["id"] for row in page["results"]]
        address = page["next"] and page["next"].replace(site.services.public_url, site.url)
    return ids


def ordered(rows: list[Row], value: Value, *, descending: bool) -> list[str]:
    """By the contract: rows without the value last both ways, ties by id ascending both ways."""
    present = sorted((row for row in rows if value(row) is not None), key=lambda row: row["id"])
    missing = sorted((row for row in rows if value(row) is None), key=lambda row: row["id"])
    return [row["id"] for row in [*sorted(present, key=value, reverse=descending), *missing]]


def output(key: str) -> Value:
    return lambda row: ((row["scanner_result"] or {}).get("model_output") or {}).get(key)


def label(row: Row) -> str | None:
    user = row["created_by"]
    return user and (user["first_name"] or user["last_name"] or user["email"])


OBSERVATIONS: dict[str, Value] = {
    "created_at": lambda row: row["created_at"],
    "started_at": lambda row: row["started_at"],
    "completed_at": lambda row: row["completed_at"],
    "status": lambda row: row["status"],
    "result_score": output("score"),
    "result_verdict": output("verdict"),
    "scanner_version": lambda row: row["scanner_snapshot"]["scanner_version"],
}
SCANNERS: dict[str, Value] = {
    "name": lambda row: row["name"],
    "created_at": lambda row: row["created_at"],
    "updated_at": lambda row: row["updated_at"],
    "scanner_type": lambda row: row["scanner_type"],
    "enabled": lambda row: row["enabled"],
    "sampling_rate": lambda row: row["sampling_rate"],
    "created_by": label,
}


@pytest.fixture(scope="module")
def scored(site: Site, api: httpx.Client) -> str:
    """A scorer with 13 versions and rows in every state; many were made and scored alike."""
    config: dict[str, Any] = {"prompt": "p", "scale": {"min": 0, "max": 20}}
    made: str = scanner(api, str(uuid4()), scanner_type="scorer", scanner_config=config)["id"]
    twins = {"session_ids": [f"twin-{number}" for number in range(6)]}
    ids = [one["observation_id"] for one in api.post(f"scanners/{made}/bulk_observe/", json=twins).json()["results"]]
    for number in range(12):
        api.patch(f"scanners/{made}/", json={"sampling_rate": number / 12})
        ids.append(observe(api, made, f"s-{number}"))
    for row, score in zip(ids[:8], (9, 10, 9, 2, 10.5, 9, 0, 20), strict=True):
        site.succeed(row, "scorer", config, {"reasoning": "r", "score": score, "confidence": 1})
    site.fail(ids[8])
    site.judge_ineligible(ids[9])
    site.start(ids[10])
    site.standing()
    return made


@pytest.mark.rule(
    "4.3/order-keys", "4.3/order-numeric", "4.3/order-missing", "4.3/order-times", "4.3/order-version", "2.4/ties",
    "2.4/order-one-key",
)  # fmt: skip
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", OBSERVATIONS)
def test_observations_of_a_scanner(site: Site, api: httpx.Client, scored: str, key: str, sign: str) -> None:
    path = f"scanners/{scored}/observations/?"
    rows = api.get(path).json()["results"]
    wanted = ordered(rows, OBSERVATIONS[key], descending=sign == "-")
    assert len(wanted) == 18
    assert walk(site, api, path, sign + key, 100) == wanted
    assert walk(site, api, path, sign + key, 5) == wanted, "no page repeats or loses a row"


@pytest.mark.rule("4.3/order-keys", "4.3/order-missing", "2.4/ties")
@pytest.mark.parametrize("sign", ["", "-"])
def test_observations_by_verdict(site: Site, api: httpx.Client, sign: str) -> None:
    config: dict[str, Any] = {"prompt": "p", "allow_inconclusive": True}
    made = scanner(api, str(uuid4()), scanner_config=config)["id"]
    for number, verdict in enumerate(("no", "yes", "inconclusive", "yes", "no")):
        answer = {"reasoning": "r", "verdict": verdict, "confidence": 1}
        site.succeed(observe(api, made, f"v-{number}"), "monitor", config, answer)
    observe(api, made, "pending")
    site.fail(observe(api, made, "failed"))
    path = f"scanners/{made}/observations/?"
    wanted = ordered(api.get(path).json()["results"], OBSERVATIONS["result_verdict"], descending=sign == "-")
    assert walk(site, api, path, f"{sign}result_verdict", 3) == wanted


@pytest.mark.rule("4.3/default-order", "4.4/across-scanners", "2.4/ties", "4.4/order-by")
def test_observations_of_one_moment_go_by_id(site: Site, api: httpx.Client) -> None:
    session = str(uuid4())
    base = f"/api/projects/{site.environment_id}/vision/"
    with served(replace(site.services, clock=lambda: ONE_MOMENT), Authorization=f"Bearer {site.key()}") as client:
        made = [client.post(f"{base}scanners/", json={**MONITOR, "name": str(uuid4())}).json()["id"] for _ in range(5)]
        for scanner_id in made:
            assert client.post(f"{base}scanners/{scanner_id}/observe/", json={"session_id": session}).status_code == 202
    ids = [row["id"] for row in api.get(f"observations/?session_id={session}").json()["results"]]
    assert ids == sorted(ids)
    assert len(ids) == 5
    for order in ("created_at", "-created_at", "-status", "result_score"):
        assert walk(site, api, f"observations/?session_id={session}", order, 2) == ids
    last = {"session_ids": [f"b-{number}" for number in range(5)]}
    assert api.post(f"scanners/{made[0]}/bulk_observe/", json=last).json()["started"] == 5
    rows = api.get(f"scanners/{made[0]}/observations/").json()["results"]
    assert [row["id"] for row in rows] == ordered(rows, OBSERVATIONS["created_at"], descending=True)


@pytest.fixture(scope="module")
def several(site: Site) -> str:
    """A mark in the names of scanners of several people, types and rates, some of one moment."""
    mark = str(uuid4())[:8]
    keys = [site.key()]
    for first, last in (("Mia", "M"), ("", "Abel"), ("", "")):
        address = f"{uuid4()}@example.org"
        site.caught_up(site.accounts.create_user(site.system, site.organization_id, address, first, last).position)
        keys.append(site.key(email=address))
    types: list[tuple[str, dict[str, Any]]] = [
        ("monitor", {"prompt": "p"}),
        ("summarizer", {"prompt": "p"}),
        ("classifier", {"prompt": "p", "tags": ["a"]}),
    ]
    for number in range(10):
        kind, config = types[number % 3]
        api = site.client(keys[number % 4])
        rate = (1, 0.5, 0.25)[number % 3]
        fields = {"scanner_type": kind, "scanner_config": config, "sampling_rate": rate, "enabled": number % 2 == 0}
        made = scanner(api, f"{mark} {(number * 7) % 10}", **fields)
        if number % 4 == 0:
            api.patch(f"scanners/{made['id']}/", json={"description": "edited"})
    return mark


@pytest.mark.rule("3.5/order-keys", "3.5/order-enabled", "3.5/order-creator", "2.4/ties", "2.4/order-one-key")
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", SCANNERS)
def test_scanners(site: Site, api: httpx.Client, several: str, key: str, sign: str) -> None:
    path = f"scanners/?search={several}"
    rows = api.get(path).json()["results"]
    wanted = ordered(rows, SCANNERS[key], descending=sign == "-")
    assert len(wanted) == 10
    assert walk(site, api, path, sign + key, 100) == wanted
    assert walk(site, api, path, sign + key, 3) == wanted, "no page repeats or loses a row"
