"""Contract 3.5: the list of scanners, its filters and orders."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.site import Site, refusal, scanner


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[httpx.Client]:
    """An environment with exactly these scanners."""
    client = site.client(environment=site.sibling_id)
    for row in client.get("scanners/?limit=1000").json()["results"]:
        client.delete(f"scanners/{row['id']}/")
    scanner(client, "b 100% sure", description="Find_me", sampling_rate=0.5)
    scanner(
        client,
        "a",
        scanner_type="scorer",
        scanner_config={"prompt": "Rate the PAIN", "scale": {"min": 0, "max": 1}},
        enabled=False,
    )
    scanner(
        client, "C", scanner_type="summarizer", scanner_config={"prompt": "p"}, emits_signals=True, sampling_rate=0.1
    )
    scanner(
        client, "d 1000 sure", scanner_type="classifier", scanner_config={"prompt": "p", "tags": ["x"]}, enabled=False
    )
    yield client
    for row in client.get("scanners/").json()["results"]:
        client.delete(f"scanners/{row['id']}/")


def names(api: httpx.Client, query: str = "") -> str:
    response = api.get(f"scanners/?{query}")
    assert response.status_code == 200, response.text
    return "".join(row["name"][0] for row in response.json()["results"])


@pytest.mark.rule(
    "3.5/search-fields",
    "3.5/search-case",
    "3.5/search-literal",
    "3.5/search-whole",
    "3.5/search-trimmed",
    "3.5/enabled",
    "3.5/enabled-aliases",
    "3.5/scanner-type",
    "3.5/emits-signals",
    "2.4/last-wins",
    "10/14",
)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=", "Cabd"),
        ("search=%20%20", "Cabd"),
        ("search=FIND_ME", "b"),
        ("search=100%25", "b"),
        ("search=100_", ""),
        ("search=pain", "a"),
        ("search=%20sure%20", "bd"),
        ("search=sure%20b", ""),
        ("search=%5C", ""),
        ("enabled=enabled", "Cb"),
        ("enabled=disabled", "ad"),
        ("enabled=TRUE", "Cb"),
        ("enabled=0", "ad"),
        ("enabled=true,false", "Cabd"),
        ("enabled=", "Cabd"),
        ("scanner_type=scorer,%20classifier", "ad"),
        ("scanner_type=", "Cabd"),
        ("emits_signals=true", "C"),
        ("emits_signals=1", "C"),
        ("emits_signals=False", "abd"),
        ("emits_signals=TRUE", "Cabd"),
        ("created_by=999999", ""),
        ("created_by=" + "9" * 50, ""),
        ("scanner_type=scorer&scanner_type=monitor", "b"),
        ("enabled=disabled&scanner_type=scorer", "a"),
    ],
)
def test_filters(api: httpx.Client, query: str, expected: str) -> None:
    assert sorted(names(api, query)) == sorted(expected)


@pytest.mark.rule("3.5/created-by")
def test_created_by(site: Site, api: httpx.Client) -> None:
    assert len(names(api, f"created_by={site.user_id},%20999999")) == 4


@pytest.mark.rule(
    "3.5/enabled-invalid",
    "3.5/scanner-type",
    "3.5/created-by-invalid",
    "3.5/order-invalid",
    "2.4/order-list",
    "2.2/type-validation",
)
@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("enabled=ENABLED", "enabled"),
        ("enabled=maybe", "enabled"),
        ("scanner_type=other", "scanner_type"),
        ("scanner_type=Scorer", "scanner_type"),
        ("created_by=me", "created_by"),
        ("created_by=1,x", "created_by"),
        ("order_by=prompt", "order_by"),
        ("order_by=name,enabled", "order_by"),
    ],
)
def test_values_that_are_refused(api: httpx.Client, query: str, attr: str) -> None:
    assert refusal(api.get(f"scanners/?{query}")) == (400, "validation_error", "invalid_input", attr)


@pytest.mark.rule("3.5/order-keys")
@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("created_at", "baCd"),
        ("-created_at", "dCab"),
        ("updated_at", "baCd"),
        ("scanner_type", "dbaC"),
        ("-scanner_type", "Cabd"),
    ],
)
def test_orders(api: httpx.Client, order_by: str, expected: str) -> None:
    assert names(api, f"order_by={order_by}") == expected


@pytest.mark.rule("3.5/order-enabled", "3.5/order-keys", "2.4/ties")
def test_orders_with_ties(api: httpx.Client) -> None:
    """Ties are broken by id ascending whatever the direction; false sorts before true."""
    rows = {row["name"][0]: row["id"] for row in api.get("scanners/").json()["results"]}
    disabled, enabled = sorted("ad", key=rows.__getitem__), sorted("Cb", key=rows.__getitem__)
    assert names(api, "order_by=enabled") == "".join(disabled + enabled)
    assert names(api, "order_by=-enabled") == "".join(enabled + disabled)
    whole = sorted("ad", key=rows.__getitem__)
    assert names(api, "order_by=sampling_rate") == "".join(["C", "b", *whole])
    assert names(api, "order_by=-sampling_rate") == "".join([*whole, "b", "C"])


def test_the_default_order_is_by_name(api: httpx.Client) -> None:
    assert names(api) == names(api, "order_by=name")
    assert names(api, "order_by=-name") == names(api)[::-1]


@pytest.mark.rule(
    "3.5/pages", "2.3/envelope", "2.3/count", "2.3/links-parameters", "2.3/links-ends", "2.3/offset-beyond"
)
def test_pages(site: Site, api: httpx.Client) -> None:
    whole = [row["id"] for row in api.get("scanners/").json()["results"]]
    first = api.get("scanners/?limit=3&enabled=true,false").json()
    assert (first["count"], first["previous"]) == (4, None)
    base = f"{site.services.public_url}/api/environments/{site.sibling_id}/vision/scanners/"
    assert first["next"] == f"{base}?enabled=true%2Cfalse&limit=3&offset=3"
    rest = api.get(first["next"].replace(site.services.public_url, site.url)).json()
    assert rest["next"] is None
    assert rest["previous"] == f"{base}?enabled=true%2Cfalse&limit=3"
    assert [row["id"] for row in first["results"] + rest["results"]] == whole
    assert api.get("scanners/?offset=50").json() | {"previous": None} == {
        "count": 4,
        "next": None,
        "previous": None,
        "results": [],
    }


@pytest.mark.rule("2.3/links-absolute")
def test_links_come_from_the_public_address(api: httpx.Client) -> None:
    answer = api.get("scanners/?limit=1", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).json()
    assert "evil" not in answer["next"]
