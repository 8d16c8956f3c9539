"""Contract 3.1, 3.2 and 3.6: what is read-only, replaced whole, checked again; the catalogue; the order of creators."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from commands.scanners import Scanners
from domain.recordings_query import RecordingsQuery
from tests.contract.site import MONITOR, Site, observe, refusal, scanner, served

WITHOUT_A_CONDITION = {
    "kind", "date_from", "date_to", "order", "order_direction", "limit", "offset", "after", "user_modified_filters",
    "modifiers", "response", "tags", "version",
}  # fmt: skip
"""Keys of a query that select nothing (contract 3.3)."""

BAD_CONFIG = (400, "validation_error", "invalid_input", "scanner_config")


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.mark.rule("1/read-only-fields", "3.1/id", "3.1/version", "3.1/estimate", "3.1/last-swept", "3.1/created-at")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "00000000-0000-4000-8000-000000000000"),
        ("scanner_version", 9),
        ("estimated_monthly_observations", 5),
        ("last_swept_at", "2020-01-01T00:00:00Z"),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("updated_at", None),
        ("created_by", {"id": 99}),
    ],
)
def test_3_1_read_only_fields_are_ignored(api: httpx.Client, field: str, value: Any) -> None:
    made = scanner(api, str(uuid4()), **{field: value})
    assert made[field] != value or value is None
    assert made["last_swept_at"] is not None
    assert isinstance(made["estimated_monthly_observations"], int | None)
    assert api.patch(f"scanners/{made['id']}/", json={field: value}).json() == made


@pytest.mark.rule("3.1/config-replaced", "3.1/query-replaced", "3.1/optional-in-patch", "3.1/keys")
def test_3_1_patch_replaces_objects_whole_and_leaves_the_rest(api: httpx.Client) -> None:
    full = {"prompt": "p", "allow_inconclusive": True}
    made = scanner(api, str(uuid4()), scanner_config=full, query={"operand": "OR", "limit": 5}, description="d")
    path = f"scanners/{made['id']}/"
    edited = api.patch(path, json={"scanner_config": {"prompt": "q"}}).json()
    assert edited["scanner_config"] == {"prompt": "q"}
    assert (edited["query"], edited["description"]) == (made["query"], "d")
    edited = api.patch(path, json={"query": {"limit": 7, "date_from": "-1d"}}).json()
    assert (edited["query"], edited["scanner_config"]) == ({"limit": 7}, {"prompt": "q"})
    assert api.patch(path, json={"query": {}, "description": ""}).json()["query"] == {}
    shown = api.get(path).json()
    assert shown["description"] == ""
    assert list(shown) == list(made)
    assert [list(row) for row in api.get("scanners/", params={"search": made["name"]}).json()["results"]] == [
        list(made)
    ]


@pytest.mark.rule("3.1/name-length", "3.1/name-trimmed", "3.1/description-length", "2.2/text-max-length", "2.2/trimmed")
def test_3_1_lengths_are_measured_after_trimming(api: httpx.Client) -> None:
    name = str(uuid4()).ljust(255, "x")
    made = scanner(api, f"  {name} \n", description=" " + "d" * 1000 + " ")
    assert (made["name"], made["description"]) == (name, "d" * 1000)
    answer = api.patch(f"scanners/{made['id']}/", json={"name": name + "y"})
    assert answer.json() == {
        "type": "validation_error",
        "code": "max_length",
        "detail": "Ensure this field has no more than 255 characters.",
        "attr": "name",
    }
    answer = api.patch(f"scanners/{made['id']}/", json={"description": "d" * 1001})
    assert answer.json()["detail"] == "Ensure this field has no more than 1000 characters."


@pytest.mark.rule("3.1/updated-at", "3.1/created-at")
@pytest.mark.parametrize(
    "change",
    [{"name": "moved"}, {"description": "x"}, {"enabled": False}, {"sampling_rate": 0.5}, {"query": {"limit": 1}}],
)
def test_3_1_updated_at_moves_with_every_change(api: httpx.Client, change: dict[str, Any]) -> None:
    made = scanner(api, str(uuid4()))
    if "name" in change:
        change = {"name": str(uuid4())}
    edited = api.patch(f"scanners/{made['id']}/", json=change).json()
    assert edited["updated_at"] > made["updated_at"]
    assert edited["created_at"] == made["created_at"]


@pytest.mark.rule("3.1/query-unreadable")
def test_3_1_a_stored_query_that_no_longer_passes_is_null(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()), query={"limit": 5})
    with site.services.pool.connection() as conn:
        conn.execute(
            "UPDATE read_scanners.scanner SET query = %s WHERE id = %s", ('{"of an older version": 1}', made["id"])
        )
    shown = api.get(f"scanners/{made['id']}/").json()
    assert shown == {**made, "query": None}
    assert api.get("scanners/", params={"search": made["name"]}).json()["results"] == [shown]
    mended = api.patch(f"scanners/{made['id']}/", json={"query": {"limit": 6}})
    assert mended.json()["query"] == {"limit": 6}


@pytest.mark.rule("3.1/catalogue", "3.1/model-values", "3.1/provider-values", "trap/16")
def test_3_1_the_catalogue_is_configuration_and_what_left_it_can_still_be_used(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()), provider="google", model="gemini-3-flash-preview")
    row = observe(api, made["id"], "s")
    catalogue = {"vendor": ("new-model",), "builtin": ("builtin",)}
    store = site.services.scanners._store  # noqa: SLF001 - the same store under another catalogue
    services = replace(site.services, catalogue=catalogue, scanners=Scanners(store, catalogue))
    base = f"/api/projects/{site.environment_id}/vision/"
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        other = {**MONITOR, "name": str(uuid4()), "provider": "vendor", "model": "new-model"}
        assert client.post(f"{base}scanners/", json=other).status_code == 201
        gone = {**MONITOR, "name": str(uuid4()), "provider": "google", "model": "gemini-3-flash-preview"}
        assert refusal(client.post(f"{base}scanners/", json=gone))[2:] == ("invalid_choice", "provider")
        assert client.get(f"{base}scanners/{made['id']}/").json() == made
        assert client.get(f"{base}observations/{row}/").json()["scanner_snapshot"]["model"] == made["model"]
        edited = client.patch(f"{base}scanners/{made['id']}/", json={"description": "still mine", "enabled": False})
        assert (edited.status_code, edited.json()["model"]) == (200, made["model"])


@pytest.mark.rule("3.1/config-as-stored", "3.3/as-sent", "3.2/defaults-unwritten")
def test_3_1_documents_come_back_to_the_letter(api: httpx.Client) -> None:
    """Order of keys, form of numbers and every script."""
    config = '{"scale":{"max":10.0,"min":-0.5,"label":null},"prompt":" Wie ärgerlich? 日本 "}'
    query = '{"user_modified_filters":{"b":100.0,"a":[1,1.0,true,null]},"kind":"RecordingsQuery","operand":"OR"}'
    body = f'{{"name":"{uuid4()}","scanner_type":"scorer","scanner_config":{config},"query":{query},"model":"builtin",'
    made = api.post("scanners/", content=body + '"provider":"builtin"}', headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    for answer in (made, api.get(f"scanners/{made.json()['id']}/")):
        assert f'"scanner_config":{config}' in answer.text
        assert f'"query":{query}' in answer.text


@pytest.mark.rule("3.2/patch-checks")
def test_3_2_patch_checks_the_configuration_only_when_it_is_asked_about(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    path = f"scanners/{made['id']}/"
    tagged = {"prompt": "p", "tags": ["a"]}
    assert refusal(api.patch(path, json={"scanner_config": tagged})) == BAD_CONFIG
    both = {"scanner_config": tagged, "scanner_type": "classifier"}
    assert refusal(api.patch(path, json=both))[3] == "scanner_type"
    assert api.patch(path, json={"scanner_config": {"prompt": "q"}, "scanner_type": "monitor"}).status_code == 200
    assert api.patch(path, json={"scanner_type": "monitor"}).status_code == 200


@pytest.mark.rule("3.2/failure", "3.2/order", "3.2/unknown-keys", "3.2/tags-clash")
@pytest.mark.parametrize(
    ("scanner_type", "config", "says"),
    [
        ("monitor", {"typo": 1, "another": 2, "prompt": "p"}, "another, typo"),
        ("classifier", {"prompt": "p", "tags": ["Bug", "x", "bug"]}, '"Bug" and "bug"'),
        ("classifier", {"prompt": "p", "tags": ["login issue", "login_issue"]}, '"login issue" and "login_issue"'),
        ("scorer", {"prompt": "p", "scale": {"min": 2, "max": 1, "x": 1}, "y": 1}, "min"),
        ("summarizer", {"length": "huge"}, "prompt"),
    ],
)
def test_3_2_one_sentence_says_what_is_wrong(
    api: httpx.Client, scanner_type: str, config: dict[str, Any], says: str
) -> None:
    body = {**MONITOR, "name": str(uuid4()), "scanner_type": scanner_type, "scanner_config": config}
    answer = api.post("scanners/", json=body)
    assert refusal(answer) == BAD_CONFIG
    assert says in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert answer.json()["detail"].endswith(".")


@pytest.mark.rule("3.3/failure")
@pytest.mark.parametrize("query", [{"unknown": 1}, {"operand": "XOR"}, [], "x", {"date_from": 5}, {"events": [1]}])
def test_3_3_every_bad_filter_has_the_same_sentence(api: httpx.Client, query: Any) -> None:
    answer = api.post("scanners/", json={**MONITOR, "name": str(uuid4()), "query": query})
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "type": "validation_error",
            "code": "invalid_input",
            "detail": "The recording filter is invalid.",
            "attr": "query",
        },
    )


@pytest.mark.rule("3.3/evaluated")
def test_3_3_the_readme_names_the_conditions_that_select() -> None:
    readme = Path(__file__).resolve().parents[2] / "README.md"
    text = readme.read_text(encoding="utf-8")
    table = text.partition("**Which conditions of a recording filter (`query`) are evaluated.**")[2].partition(
        "\n\n**"
    )[0]
    named = set(re.findall(r"`(\w+)`", table))
    fields = set(RecordingsQuery.model_fields) - WITHOUT_A_CONDITION
    assert fields <= named, fields - named


@pytest.mark.rule("3.4/name-create", "3.4/name-rename", "3.1/name-trimmed")
def test_3_4_a_taken_name_changes_nothing(api: httpx.Client) -> None:
    first, second = scanner(api, str(uuid4())), scanner(api, str(uuid4()))
    answer = api.patch(f"scanners/{second['id']}/", json={"name": f" {first['name']} ", "sampling_rate": 0.5})
    assert refusal(answer) == (400, "validation_error", "invalid_input", "name")
    assert api.get(f"scanners/{second['id']}/").json() == second


@pytest.mark.rule("3.5/default-order", "2.3/count")
def test_3_5_the_list_goes_by_name(api: httpx.Client) -> None:
    mark = str(uuid4())[:8]
    for letter in "cab":
        scanner(api, f"{mark} {letter}")
    page = api.get("scanners/", params={"search": mark, "limit": 2}).json()
    assert (page["count"], [row["name"][-1] for row in page["results"]]) == (3, ["a", "b"])


@pytest.mark.rule("3.6/creators-order", "3.5/order-creator")
def test_3_6_creators_go_by_first_name_last_name_and_address(site: Site) -> None:
    api = site.client(environment=site.sibling_id)
    people = [
        ("Zoe", "A", "a1"),
        ("Abe", "B", "a3"),
        ("Abe", "A", "a5"),
        ("Abe", "A", "a4"),
        ("", "Last", "a2"),
        ("", "", "z"),
    ]
    wanted: list[int] = []
    for first, last, address in people:
        user = site.accounts.create_user(site.system, site.organization_id, f"{address}@creators.org", first, last)
        site.caught_up(user.position)
        scanner(site.client(site.key(email=f"{address}@creators.org"), site.sibling_id), f"creators {address}")
        wanted.append(user.id)
    zoe, abe_b, abe_a5, abe_a4, last, nameless = wanted
    shown = [user["id"] for user in api.get("scanners/creators/").json()["creators"] if user["id"] in wanted]
    assert shown == [nameless, last, abe_a4, abe_a5, abe_b, zoe]
    rows = api.get("scanners/?order_by=created_by&search=creators%20a&limit=1000").json()["results"]
    labels = [row["created_by"]["first_name"] or row["created_by"]["last_name"] for row in rows]
    assert labels == ["Abe", "Abe", "Abe", "Last", "Zoe"]
    abes = [row["id"] for row in rows[:3]]
    assert abes == sorted(abes)


@pytest.mark.rule("10/18")
def test_the_document_advises_a_way_out(site: Site) -> None:
    """A classifier has to name a tag and a monitor a verdict, also where none fits."""
    document = site.bare().get("/api/schema/").json()
    create = document["paths"]["/api/environments/{environment_id}/vision/scanners/"]["post"]
    name = create["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    config = document["components"]["schemas"][name]["properties"]["scanner_config"]
    assert "`other`" in config["description"]
    assert "allow_inconclusive" in config["description"]
