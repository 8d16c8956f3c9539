"""Contract 2.1 to 2.5 through whole requests: objects, the order of checks, pages, users."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.http.errors import from_domain
from domain.errors import Invalid
from tests.contract.site import MONITOR, Site, observe, refusal, scanner

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOT_FOUND = {"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": None}
BAD_BODY: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "application/json"}}


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture(scope="module")
def foreign(site: Site) -> dict[str, str]:
    """A scanner of another project and an observation of it."""
    sibling = site.client(environment=site.sibling_id)
    made = scanner(sibling, str(uuid4()))["id"]
    return {"scanner": made, "observation": observe(sibling, made, "s")}


OBJECTS = [
    ("GET", "scanners/{scanner}/"),
    ("PATCH", "scanners/{scanner}/"),
    ("DELETE", "scanners/{scanner}/"),
    ("POST", "scanners/{scanner}/observe/"),
    ("GET", "scanners/{scanner}/observations/"),
    ("GET", "scanners/{scanner}/observations/stats/"),
    ("GET", "scanners/{scanner}/observations/{observation}/"),
    ("GET", "observations/{observation}/"),
]


@pytest.mark.rule("2.1/object-unknown", "2.1/object-foreign", "2.1/object-malformed", "2.1/attr-null")
@pytest.mark.parametrize(("method", "path"), OBJECTS)
def test_unknown_foreign_and_malformed_ids_have_one_answer(
    site: Site, api: httpx.Client, foreign: dict[str, str], method: str, path: str
) -> None:
    malformed = {"scanner": "not-an-id", "observation": "17"}
    for ids in ({"scanner": UNKNOWN, "observation": UNKNOWN}, foreign, malformed):
        extra: dict[str, Any] = {"json": {"name": "stolen"}} if method in ("POST", "PATCH") else {}
        answer = api.request(method, path.format(**ids), **extra)
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    sibling = site.client(environment=site.sibling_id)
    assert sibling.get(f"scanners/{foreign['scanner']}/observations/").json()["count"] == 1
    assert sibling.get(f"scanners/{foreign['scanner']}/").json()["name"] != "stolen"


@pytest.mark.rule("2.1/order-object", "4.3/not-found", "5/scanner-404")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"scanners/{UNKNOWN}/"),
        ("POST", f"scanners/{UNKNOWN}/observe/"),
        ("GET", f"scanners/{UNKNOWN}/observations/?status=bogus"),
        ("GET", f"scanners/{UNKNOWN}/observations/?order_by=bogus"),
        ("GET", f"scanners/{UNKNOWN}/observations/stats/?verdict=bogus"),
        ("GET", "scanners/nonsense/observations/?verdict=bogus"),
        ("GET", "scanners/nonsense/observations/stats/?order_by=bogus"),
    ],
)
def test_the_object_comes_before_body_and_filters(api: httpx.Client, method: str, path: str) -> None:
    answer = api.request(method, path, **(BAD_BODY if method != "GET" else {}))
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.rule("2.1/order-authentication", "2.1/order-scope", "2.1/order-project", "5/scope-403")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"scanners/{UNKNOWN}/"),
        ("POST", f"scanners/{UNKNOWN}/observe/"),
        ("DELETE", f"scanners/{UNKNOWN}/"),
        ("GET", f"scanners/{UNKNOWN}/observations/?status=bogus"),
        ("GET", "observations/"),
    ],
)
def test_each_check_hides_the_next(site: Site, method: str, path: str) -> None:
    extra = BAD_BODY if method in ("PATCH", "POST") else {}
    nobody, scopeless = "phx_" + "x" * 40, site.key("vision_action:write")
    stranger, whole = site.key(environments=[site.sibling_id]), site.key()

    def asked(key: str, environment: int) -> int:
        return site.client(key, environment).request(method, path, **extra).status_code

    assert asked(nobody, 999_999) == asked(nobody, site.environment_id) == 401
    assert asked(scopeless, 999_999) == asked(scopeless, site.environment_id) == 403
    assert asked(whole, 999_999) == 404
    assert asked(stranger, site.environment_id) == asked(whole, site.foreign_id) == 403
    assert asked(whole, site.environment_id) == (400 if path == "observations/" else 404)


@pytest.mark.rule("2.1/key-first-wins")
def test_a_good_header_counts_whatever_else_is_sent(site: Site, api: httpx.Client) -> None:
    bad = {"personal_api_key": "phx_wrong"}
    assert api.request("GET", "quota/", json=bad, params=bad).status_code == 200
    bare, path = site.bare(), f"/api/projects/{site.environment_id}/vision/quota/"
    assert bare.request("GET", path, json={"personal_api_key": site.key()}, params=bad).status_code == 200


@pytest.mark.rule("2.1/key-nowhere-else", "2.3/links-parameters")
def test_a_key_in_the_query_is_in_no_link(site: Site, api: httpx.Client) -> None:
    for _ in range(3):
        scanner(api, str(uuid4()))
    key = site.key()
    path = f"/api/projects/{site.environment_id}/vision/scanners/"
    parameters = {"personal_api_key": key, "limit": "1", "offset": "1", "enabled": "true"}
    answer = site.bare().get(path, params=parameters)
    assert key not in answer.text
    assert "personal_api_key" not in answer.text
    assert answer.json()["next"].endswith("?enabled=true&limit=1&offset=2")
    assert answer.json()["previous"].endswith("?enabled=true&limit=1")


@pytest.mark.rule("2.2/invalid-input")
def test_the_generic_code_is_told_as_invalid_input() -> None:
    told = from_domain(Invalid("name", "invalid", "No."))
    assert (told.status, told.type, told.code, told.attr) == (400, "validation_error", "invalid_input", "name")


@pytest.mark.rule("2.2/first-problem", "2.2/cross-field-last")
def test_a_field_is_told_before_what_needs_several_fields(api: httpx.Client) -> None:
    """The name is taken, which only the store knows; the configuration needs the type; the rate needs nothing."""
    taken = scanner(api, str(uuid4()))["name"]
    broken: dict[str, Any] = {
        **MONITOR, "name": taken, "scanner_config": {"prompt": ""}, "sampling_rate": 2, "emits_signals": "perhaps",
    }  # fmt: skip
    for field, mended in (
        ("sampling_rate", 1),
        ("emits_signals", False),
        ("scanner_config", {"prompt": "p"}),
        ("name", str(uuid4())),
    ):
        assert refusal(api.post("scanners/", json=broken))[3] == field
        broken[field] = mended
    assert api.post("scanners/", json=broken).status_code == 201


@pytest.mark.rule("2.3/default", "2.3/limit-zero", "2.3/links-ends", "10/15")
def test_a_page_has_100_rows_and_leads_to_the_next(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    sessions = [f"p-{number:03}" for number in range(101)]
    assert api.post(f"scanners/{made}/bulk_observe/", json={"session_ids": sessions}).json()["started"] == 101
    for query in ("", "?limit=0", "?limit=-1", "?limit=many&offset=-5"):
        page = api.get(f"scanners/{made}/observations/{query}").json()
        assert (page["count"], len(page["results"]), page["previous"]) == (101, 100, None)
        assert page["next"].endswith("limit=100&offset=100")
    rest = api.get(f"scanners/{made}/observations/?offset=100").json()
    assert (rest["count"], len(rest["results"]), rest["next"]) == (101, 1, None)
    beyond = api.get(f"scanners/{made}/observations/?offset=102").json()
    assert (beyond["count"], beyond["results"], beyond["next"]) == (101, [], None)


@pytest.mark.rule("2.3/not-paged", "3.6/creators-parameters")
@pytest.mark.parametrize(
    "path", ["quota/", "scanners/creators/", "scanners/stats/", "scanners/{scanner}/observations/stats/"]
)
def test_what_is_no_list_ignores_limit_and_offset(api: httpx.Client, path: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    observe(api, made, "s")
    plain = api.get(path.format(scanner=made)).json()
    assert "results" not in plain
    assert api.get(path.format(scanner=made) + "?limit=1&offset=1").json() == plain


@pytest.mark.rule("2.3/cap", "10/15")
def test_the_document_tells_the_default_and_the_cap(site: Site) -> None:
    document = site.bare().get("/api/schema/").json()
    told = 0
    for path in document["paths"].values():
        for parameter in path.get("get", {}).get("parameters", []):
            if parameter["name"] == "limit" and "history" not in path["get"]["operationId"]:
                assert "100" in parameter["description"]
                assert "1000" in parameter["description"]
                told += 1
    assert told >= 6, "scanners and both lists of observations, under both prefixes"


@pytest.mark.rule("2.5/deleted", "3.1/created-by", "3.5/order-no-creator")
def test_a_user_whose_data_were_erased_is_null(site: Site) -> None:
    gone = site.accounts.create_user(site.system, site.organization_id, f"{uuid4()}@example.org", "Aaron", "A")
    site.caught_up(gone.position)
    with site.services.pool.connection() as conn:
        (email,) = conn.execute(
            "SELECT p.body->>'email' FROM read_accounts.member m JOIN store.private_text p ON p.id = m.profile_id"
            " WHERE m.id = %s",
            (gone.id,),
        ).fetchone()
    api = site.client(site.key(email=email), environment=site.sibling_id)
    made = scanner(api, str(uuid4()))
    assert made["created_by"]["first_name"] == "Aaron"
    row = observe(api, made["id"], "s")
    other = scanner(site.client(environment=site.sibling_id), str(uuid4()))
    with site.services.pool.connection() as conn:
        conn.execute(
            "DELETE FROM store.private_text WHERE id = (SELECT profile_id FROM read_accounts.member WHERE id = %s)",
            (gone.id,),
        )
    assert api.get(f"scanners/{made['id']}/").json()["created_by"] is None
    assert api.get(f"observations/{row}/").json()["triggered_by_user"] is None
    assert gone.id not in [user["id"] for user in api.get("scanners/creators/").json()["creators"]]
    for direction in ("", "-"):
        ids = [one["id"] for one in api.get(f"scanners/?order_by={direction}created_by").json()["results"]]
        assert ids.index(made["id"]) > ids.index(other["id"])
