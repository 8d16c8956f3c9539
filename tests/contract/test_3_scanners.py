"""Contract 3: scanners, field by field."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, refusal, scanner

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def invalid(attr: str, code: str = "invalid_input") -> tuple[int, str, str, str]:
    return (400, "validation_error", code, attr)


@pytest.mark.rule(
    "3.1/keys",
    "3.1/id",
    "3.1/name-trimmed",
    "3.1/description-default",
    "3.1/query-default",
    "3.1/rate-default",
    "3.1/provider-default",
    "3.1/enabled-default",
    "3.1/signals-default",
    "3.1/version",
    "3.1/created-at",
    "3.1/created-by",
    "3.1/model-reference",
    "3.2/defaults-unwritten",
)
def test_3_1_defaults_and_the_whole_shape(site: Site, api: httpx.Client) -> None:
    body = {
        "name": "  defaults ",
        "scanner_type": "monitor",
        "scanner_config": {"prompt": "p"},
        "model": "gemini-3-flash-preview",
    }
    response = api.post("scanners/", json=body)
    assert response.status_code == 201
    made = response.json()
    assert list(made) == [
        "id",
        "name",
        "description",
        "scanner_type",
        "scanner_config",
        "query",
        "sampling_rate",
        "provider",
        "model",
        "enabled",
        "emits_signals",
        "scanner_version",
        "estimated_monthly_observations",
        "last_swept_at",
        "created_at",
        "created_by",
        "updated_at",
    ]
    expected = {
        "name": "defaults",
        "description": "",
        "scanner_type": "monitor",
        "scanner_config": {"prompt": "p"},
        "query": {},
        "sampling_rate": 1.0,
        "provider": "google",
        "model": "gemini-3-flash-preview",
        "enabled": True,
        "emits_signals": False,
        "scanner_version": 1,
    }
    assert {key: made[key] for key in expected} == expected
    assert all(MOMENT.fullmatch(made[key]) for key in ("created_at", "updated_at", "last_swept_at"))
    assert made["created_by"]["id"] == site.user_id
    assert api.get(f"scanners/{made['id']}/").json() == made
    assert made in api.get("scanners/", params={"search": "defaults"}).json()["results"]


@pytest.mark.rule("3.1/name-required", "3.1/type-required", "3.1/config-required", "3.1/model-required")
@pytest.mark.parametrize("field", ["name", "scanner_type", "scanner_config", "model"])
def test_3_1_required_fields(api: httpx.Client, field: str) -> None:
    response = api.post("scanners/", json={key: value for key, value in MONITOR.items() if key != field})
    assert refusal(response) == invalid(field, "required")


@pytest.mark.rule(
    "3.1/name-length",
    "3.1/description-null",
    "3.1/description-length",
    "3.1/type-values",
    "3.1/config-required",
    "3.1/query-null",
    "3.1/rate-bounds",
    "3.1/rate-tiny",
    "3.1/provider-values",
    "3.1/model-values",
)
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "x" * 256, "max_length"),
        ("name", "  ", "blank"),
        ("name", None, "null"),
        ("name", True, "invalid_input"),
        ("description", None, "null"),
        ("description", "x" * 1001, "max_length"),
        ("scanner_type", "other", "invalid_choice"),
        ("scanner_config", None, "null"),
        ("query", None, "null"),
        ("sampling_rate", 1.01, "max_value"),
        ("sampling_rate", -0.01, "min_value"),
        ("sampling_rate", 0.00009, "invalid_input"),
        ("sampling_rate", "x", "invalid_input"),
        ("sampling_rate", None, "null"),
        ("provider", "other", "invalid_choice"),
        ("model", "other", "invalid_choice"),
        ("model", "gemini-3-flash-preview", "invalid_choice"),
        ("enabled", "maybe", "invalid_input"),
        ("enabled", None, "null"),
        ("emits_signals", [], "invalid_input"),
    ],
)
def test_3_1_rules_of_fields_on_create_and_on_patch(api: httpx.Client, field: str, value: Any, code: str) -> None:
    """The last `model` row: a model of the other provider is refused on `model`."""
    assert refusal(api.post("scanners/", json={**MONITOR, "name": str(uuid4()), field: value})) == invalid(field, code)
    made = scanner(api, str(uuid4()))
    assert refusal(api.patch(f"scanners/{made['id']}/", json={field: value})) == invalid(field, code)
    assert api.get(f"scanners/{made['id']}/").json() == made


@pytest.mark.rule("2.2/first-problem")
def test_3_1_only_the_first_problem_is_told_in_declaration_order(api: httpx.Client) -> None:
    bad = {"emits_signals": "x", "sampling_rate": "x", "query": {"nonsense": 1}, "scanner_type": "x", "name": ""}
    for field in ("name", "scanner_type"):
        assert refusal(api.post("scanners/", json={**MONITOR, **bad}))[3] == field
        del bad[field]
    assert refusal(api.post("scanners/", json={**MONITOR, **bad}))[3] == "query"


@pytest.mark.rule("3.1/rate-bounds", "2.2/number-strings")
@pytest.mark.parametrize("rate", [0, 0.0001, 1, "0.5"])
def test_3_1_rates_that_are_taken(api: httpx.Client, rate: Any) -> None:
    assert scanner(api, str(uuid4()), sampling_rate=rate)["sampling_rate"] == float(rate)


@pytest.mark.rule("3.1/model-reference", "3.1/model-values")
def test_3_1_the_catalogue(api: httpx.Client) -> None:
    for model in ("gemini-3-flash-preview", "gemini-3.1-flash-lite-preview"):
        assert scanner(api, str(uuid4()), provider="google", model=model)["model"] == model
    made = scanner(api, str(uuid4()))
    assert refusal(api.patch(f"scanners/{made['id']}/", json={"provider": "google"})) == invalid(
        "model", "invalid_choice"
    )
    both = {"provider": "google", "model": "gemini-3-flash-preview"}
    assert api.patch(f"scanners/{made['id']}/", json=both).json()["provider"] == "google"


@pytest.mark.rule(
    "3.2/failure",
    "3.2/object",
    "3.2/prompt-required",
    "3.2/prompt-length",
    "3.2/tags-needed",
    "3.2/tags-most",
    "3.2/tags-text",
    "3.2/tags-length",
    "3.2/tags-slug",
    "3.2/scale-object",
    "3.2/scale-numbers",
    "3.2/scale-order",
    "10/21",
)
@pytest.mark.parametrize(
    ("scanner_type", "config"),
    [
        ("monitor", []),
        ("monitor", "x"),
        ("monitor", {}),
        ("monitor", {"prompt": " "}),
        ("monitor", {"prompt": None}),
        ("monitor", {"prompt": "x" * 20_001}),
        ("monitor", {"prompt": "p", "typo": 1}),
        ("monitor", {"prompt": "p", "allow_inconclusive": "x"}),
        ("classifier", {"prompt": "p"}),
        ("classifier", {"prompt": "p", "tags": []}),
        ("classifier", {"prompt": "p", "tags": 5}),
        ("classifier", {"prompt": "p", "tags": [" "]}),
        ("classifier", {"prompt": "p", "tags": ["x" * 101]}),
        ("classifier", {"prompt": "p", "tags": ["!!"]}),
        ("classifier", {"prompt": "p", "tags": ["login issue", "login_issue"]}),
        ("classifier", {"prompt": "p", "tags": [f"t{number}" for number in range(101)]}),
        ("scorer", {"prompt": "p"}),
        ("scorer", {"prompt": "p", "scale": {"min": 1, "max": 1}}),
        ("scorer", {"prompt": "p", "scale": {"min": False, "max": 1}}),
        ("summarizer", {"prompt": "p", "length": "huge"}),
    ],
)
def test_3_2_configs_that_are_refused(api: httpx.Client, scanner_type: str, config: Any) -> None:
    body = {**MONITOR, "name": str(uuid4()), "scanner_type": scanner_type, "scanner_config": config}
    assert refusal(api.post("scanners/", json=body)) == invalid("scanner_config")


@pytest.mark.rule("3.1/config-as-stored", "3.2/defaults-unwritten")
@pytest.mark.parametrize(
    ("scanner_type", "config"),
    [
        ("monitor", {"prompt": " p "}),
        ("monitor", {"prompt": "p", "allow_inconclusive": True}),
        (
            "classifier",
            {"prompt": "p", "tags": ["Bug", "other one"], "multi_label": False, "allow_freeform_tags": True},
        ),
        ("scorer", {"prompt": "p", "scale": {"min": 0, "max": 10.5, "label": "pain"}}),
        ("summarizer", {"prompt": "p"}),
    ],
)
def test_3_2_configs_come_back_as_they_were_sent(api: httpx.Client, scanner_type: str, config: Any) -> None:
    assert scanner(api, str(uuid4()), scanner_type=scanner_type, scanner_config=config)["scanner_config"] == config


@pytest.mark.rule("3.3/as-sent", "3.3/dates-stripped", "3.3/kind")
def test_3_3_queries_come_back_as_sent_but_for_the_dates(api: httpx.Client) -> None:
    query = {"kind": "RecordingsQuery", "events": [{"id": "x", "type": "events"}], "filter_test_accounts": True}
    assert scanner(api, str(uuid4()), query={**query, "date_from": "-7d", "date_to": None})["query"] == query
    assert scanner(api, str(uuid4()), query={"filter_test_accounts": True})["query"] == {"filter_test_accounts": True}


@pytest.mark.rule("3.3/unknown-keys", "3.3/dates-checked")
@pytest.mark.parametrize(
    "query", [[], "x", {"kind": "Other"}, {"unknown": 1}, {"events": 5}, {"date_from": 5}, {"operand": "XOR"}]
)
def test_3_3_queries_that_are_refused(api: httpx.Client, query: Any) -> None:
    assert refusal(api.post("scanners/", json={**MONITOR, "name": str(uuid4()), "query": query})) == invalid("query")


@pytest.mark.rule(
    "3.4/version-fields",
    "3.4/version-by-one",
    "3.4/version-same-value",
    "3.4/version-untouched",
    "3.1/optional-in-patch",
)
@pytest.mark.parametrize(
    ("change", "bump"),
    [
        ({"scanner_config": {"prompt": "another"}}, 1),
        ({"query": {"operand": "OR"}}, 1),
        ({"sampling_rate": 0.5}, 1),
        ({"emits_signals": True}, 1),
        ({"provider": "google", "model": "gemini-3-flash-preview"}, 1),
        ({"sampling_rate": 0.5, "emits_signals": True}, 1),
        ({"name": "renamed by 3.4"}, 0),
        ({"description": "d"}, 0),
        ({"enabled": False}, 0),
        ({}, 0),
        ({"scanner_config": MONITOR["scanner_config"]}, 0),
        ({"sampling_rate": 1}, 0),
        ({"scanner_type": "monitor"}, 0),
    ],
)
def test_3_4_what_bumps_the_version(api: httpx.Client, change: dict[str, Any], bump: int) -> None:
    made = scanner(api, str(uuid4()))
    edited = api.patch(f"scanners/{made['id']}/", json=change)
    assert edited.status_code == 200
    assert edited.json()["scanner_version"] == 1 + bump
    assert {**made, **change, "scanner_version": 1 + bump, "updated_at": edited.json()["updated_at"]} == edited.json()
    assert api.get(f"scanners/{made['id']}/").json() == edited.json()


@pytest.mark.rule("3.1/updated-at")
def test_3_4_a_change_of_nothing_leaves_updated_at_alone(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    assert api.patch(f"scanners/{made['id']}/", json={"name": made["name"], "enabled": True}).json() == made
    assert api.patch(f"scanners/{made['id']}/", json={"description": "x"}).json()["updated_at"] > made["updated_at"]


@pytest.mark.rule("3.4/version-race", "trap/36")
def test_3_4_concurrent_edits_bump_once_each(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))

    def edit(number: int) -> int:
        return api.patch(f"scanners/{made['id']}/", json={"scanner_config": {"prompt": f"p{number}"}}).status_code

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(edit, range(10))) == {200}
    assert api.get(f"scanners/{made['id']}/").json()["scanner_version"] == 11


@pytest.mark.rule("3.4/name-create", "3.4/name-rename", "3.4/name-own", "3.4/name-exact")
def test_3_4_names_are_unique_in_a_project_and_case_counts(site: Site, api: httpx.Client) -> None:
    first = scanner(api, "Taken name")
    assert refusal(api.post("scanners/", json={**MONITOR, "name": " Taken name "})) == invalid("name")
    scanner(api, "taken name")
    scanner(site.client(environment=site.sibling_id), "Taken name")
    second = scanner(api, "Free name")
    assert refusal(api.patch(f"scanners/{second['id']}/", json={"name": "Taken name"})) == invalid("name")
    assert api.patch(f"scanners/{first['id']}/", json={"name": "Taken name"}).status_code == 200
    assert api.patch(f"scanners/{first['id']}/", json={"name": "Moved on"}).status_code == 200
    assert api.patch(f"scanners/{second['id']}/", json={"name": "Taken name"}).status_code == 200


@pytest.mark.rule("3.4/name-race")
def test_3_4_a_race_for_a_name_has_one_winner_and_no_500(api: httpx.Client) -> None:

    def create(_: int) -> int:
        return api.post("scanners/", json={**MONITOR, "name": "Raced for"}).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = sorted(threads.map(create, range(20)))
    assert statuses == [201] + [400] * 19


@pytest.mark.rule("3.4/type-immutable")
def test_3_4_the_type_is_immutable(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))
    assert refusal(api.patch(f"scanners/{made['id']}/", json={"scanner_type": "scorer"})) == invalid("scanner_type")


@pytest.mark.rule("3.4/delete-observations", "3.4/delete-final")
def test_3_4_delete_is_at_once_and_frees_the_name(api: httpx.Client) -> None:
    made = scanner(api, "Deleted")
    assert api.post(f"scanners/{made['id']}/observe/", json={"session_id": "of-deleted"}).status_code == 202
    gone = api.delete(f"scanners/{made['id']}/")
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.get(f"scanners/{made['id']}/").status_code == 404
    assert api.get("scanners/?search=Deleted").json()["count"] == 0
    assert api.get("observations/?session_id=of-deleted").json()["count"] == 0
    assert api.get(f"scanners/{made['id']}/observations/").status_code == 404
    assert api.post(f"scanners/{made['id']}/observe/", json={"session_id": "s"}).status_code == 404
    assert api.patch(f"scanners/{made['id']}/", json={"name": "x"}).status_code == 404
    assert api.delete(f"scanners/{made['id']}/").status_code == 404
    scanner(api, "Deleted")


def test_a_write_is_in_the_very_next_read(api: httpx.Client) -> None:
    """Architecture 6: 50 times in a row."""
    for number in range(50):
        made = scanner(api, f"next read {number:02}")
        assert api.get(f"scanners/{made['id']}/").json() == made
        assert api.get("scanners/", params={"search": f"next read {number:02}"}).json()["results"] == [made]
