"""Contract 2.1: where the key is looked for, scopes, tenancy, literal texts, and the order of it all."""

from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, refusal, scanner

DENIED = (403, "authentication_error", "permission_denied", None)
INVALID_KEY = (401, "authentication_error", "authentication_failed", None)


@pytest.fixture(scope="module")
def path(site: Site) -> str:
    return f"/api/environments/{site.environment_id}/vision/scanners/"


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    return site.key()


@pytest.fixture(scope="module")
def bare(site: Site) -> httpx.Client:
    return site.bare()


@pytest.mark.rule("2.1/no-credentials", "2.1/attr-null", "2.2/type-authentication")
def test_no_credentials(bare: httpx.Client, path: str) -> None:
    response = bare.get(path)
    assert refusal(response) == (401, "authentication_error", "not_authenticated", None)
    assert response.json()["detail"] == "Authentication credentials were not provided."
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer", "Basic abc", "phx_abc", "Bearerphx"])
def test_what_is_not_a_bearer_header_is_no_candidate(bare: httpx.Client, path: str, header: str) -> None:
    assert refusal(bare.get(path, headers={"Authorization": header}))[2] == "not_authenticated"


@pytest.mark.rule("2.1/key-header", "2.1/key-body", "2.1/key-query", "2.1/key-nowhere-else")
def test_the_key_may_stand_in_header_body_or_query(bare: httpx.Client, path: str, key: str) -> None:
    assert bare.get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert bare.get(path, headers={"Authorization": f"bearer   {key}"}).status_code == 200
    assert bare.request("GET", path, json={"personal_api_key": key}).status_code == 200
    assert bare.get(path, params={"personal_api_key": key}).status_code == 200
    made = bare.post(path, json={**MONITOR, "name": "by body", "personal_api_key": key})
    assert made.status_code == 201
    assert key not in made.text


@pytest.mark.rule("2.1/unknown-key", "2.1/key-source", "2.1/attr-null")
@pytest.mark.parametrize(
    ("where", "words"),
    [("header", "Authorization header"), ("body", "body"), ("query", "query string")],
)
def test_an_unknown_key_is_named_by_its_place(bare: httpx.Client, path: str, where: str, words: str) -> None:
    bad = "phx_" + "x" * 40
    headers = {"Authorization": f"Bearer {bad}"} if where == "header" else {}
    body = {"personal_api_key": bad} if where == "body" else {}
    query = {"personal_api_key": bad} if where == "query" else {}
    response = bare.request("POST", path, headers=headers, json=body, params=query)
    assert refusal(response) == INVALID_KEY
    assert response.json()["detail"] == f"Personal API key found in request {words} is invalid."
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.rule("2.1/key-first-wins")
def test_the_first_candidate_wins_even_when_it_is_wrong(bare: httpx.Client, path: str, key: str) -> None:
    header = {"Authorization": "Bearer phx_wrong"}
    assert "header" in bare.get(path, headers=header, params={"personal_api_key": key}).json()["detail"]
    response = bare.request("GET", path, json={"personal_api_key": "phx_wrong"}, params={"personal_api_key": key})
    assert "body" in response.json()["detail"]


@pytest.mark.parametrize("bad", ["é" * 10, "x" * 10_000, "\x7f", "phx_\u2028"])
def test_a_strange_key_is_an_unknown_key(bare: httpx.Client, path: str, bad: str) -> None:
    assert refusal(bare.request("GET", path, json={"personal_api_key": bad})) == INVALID_KEY
    assert refusal(bare.get(path, params={"personal_api_key": bad})) == INVALID_KEY


@pytest.mark.rule("2.1/disabled-key")
def test_a_revoked_key_is_an_unknown_key(site: Site, bare: httpx.Client, path: str) -> None:
    revoked = site.key()
    header = {"Authorization": f"Bearer {revoked}"}
    assert bare.get(path, headers=header).status_code == 200
    site.caught_up(site.accounts.revoke_key(site.system, revoked[:12]))
    assert refusal(bare.get(path, headers=header)) == INVALID_KEY


@pytest.mark.rule("2.1/scope-missing", "2.1/scope-first-missing", "2.1/attr-null")
def test_the_first_missing_scope_is_named(site: Site) -> None:
    nothing = site.client(site.key("vision_action:read"))
    assert refusal(nothing.get("scanners/")) == DENIED
    assert nothing.get("scanners/").json()["detail"] == "API key missing required scope 'replay_scanner:read'"
    assert nothing.post("scanners/").json()["detail"] == "API key missing required scope 'replay_scanner:write'"
    half = site.client(site.key("replay_scanner:write"))
    assert half.post("scanners/").json()["detail"] == "API key missing required scope 'session_recording:read'"


@pytest.mark.rule("2.1/scope-write-read")
def test_write_satisfies_read_and_not_the_reverse(site: Site) -> None:
    assert site.client(site.key("replay_scanner:write")).get("scanners/").status_code == 200
    reader = site.client(site.key("replay_scanner:read", "session_recording:read"))
    assert refusal(reader.post("scanners/", json=MONITOR)) == DENIED


@pytest.mark.rule("2.1/scope-all", "2.1/recording-access")
@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "observations/?session_id=a", ["replay_scanner:read", "session_recording:read"]),
        ("GET", "observations/{id}/", ["replay_scanner:read", "session_recording:read"]),
        ("GET", "quota/", ["replay_scanner:read"]),
        ("GET", "scanners/", ["replay_scanner:read"]),
        ("POST", "scanners/", ["replay_scanner:write", "session_recording:read"]),
        ("GET", "scanners/{id}/", ["replay_scanner:read"]),
        ("PATCH", "scanners/{id}/", ["replay_scanner:write", "session_recording:read"]),
        ("DELETE", "scanners/{id}/", ["replay_scanner:write"]),
        ("POST", "scanners/{id}/observe/", ["replay_scanner:write", "session_recording:read"]),
        ("GET", "scanners/{id}/observations/", ["replay_scanner:read", "session_recording:read"]),
        ("GET", "scanners/{id}/observations/{id}/", ["replay_scanner:read", "session_recording:read"]),
        ("GET", "scanners/{id}/history/", ["activity_log:read", "replay_scanner:read"]),
    ],
)
def test_each_operation_needs_its_scopes(site: Site, method: str, path: str, scopes: list[str]) -> None:
    """Contract 1: each of the scopes is needed, told in this order, and together they suffice."""
    address = path.replace("{id}", str(uuid4()))
    for missing in scopes:
        held = [scope for scope in scopes if scope != missing] or ["vision_action:read"]
        response = site.client(site.key(*held)).request(
            method, address, json={} if method in ("POST", "PATCH") else None
        )
        assert refusal(response) == DENIED
        assert response.json()["detail"] == f"API key missing required scope '{missing}'"
    granted = site.client(site.key(*scopes)).request(method, address, json={} if method in ("POST", "PATCH") else None)
    assert granted.status_code in (200, 400, 404)


@pytest.mark.rule("2.1/confined", "2.1/attr-null")
def test_a_key_confined_to_other_projects(site: Site) -> None:
    api = site.client(site.key(environments=[site.sibling_id]))
    assert refusal(api.get("scanners/")) == DENIED
    expected = f"API key does not have access to the requested project: ID {site.environment_id}."
    assert api.get("scanners/").json()["detail"] == expected
    assert site.client(site.key(environments=[site.sibling_id]), site.sibling_id).get("scanners/").status_code == 200


@pytest.mark.rule("2.1/not-a-member", "2.1/attr-null", "10/23", "trap/14")
def test_a_project_of_an_organization_that_one_is_not_a_member_of(site: Site) -> None:
    response = site.client(environment=site.foreign_id).get("scanners/")
    assert refusal(response) == DENIED
    assert response.json()["detail"] == "You don't have access to the project."


@pytest.mark.rule("2.1/project-unknown", "2.1/project-not-integer", "2.1/attr-null", "10/23")
@pytest.mark.parametrize("unknown", ["999999", "0", "abc", "-1", "1.0", "99999999999999999999", "%00", "²", "@other"])
def test_an_unknown_project(site: Site, unknown: str) -> None:
    response = site.client(environment=unknown).get("scanners/")
    assert refusal(response) == (404, "invalid_request", "not_found", None)
    assert response.json()["detail"] == "Project not found."


@pytest.mark.rule("2.1/object-malformed", "2.1/attr-null")
@pytest.mark.parametrize("bad", ["abc", "1", "%00", "00000000-0000-0000-0000-00000000000g", "{}", "é", "a" * 3000])
def test_a_malformed_object_id_is_an_unknown_one(site: Site, bad: str) -> None:
    api = site.client()
    for path in (
        f"scanners/{bad}/",
        f"scanners/{bad}/observations/",
        f"observations/{bad}/",
        f"scanners/{bad}/history/",
    ):
        response = api.get(path)
        assert refusal(response) == (404, "invalid_request", "not_found", None)
        assert response.json()["detail"] == "Not found."
    assert api.patch(f"scanners/{bad}/", json={"name": ""}).status_code == 404
    assert api.delete(f"scanners/{bad}/").status_code == 404
    assert api.post(f"scanners/{bad}/observe/", json={}).status_code == 404


@pytest.mark.rule("2.1/object-foreign")
def test_objects_of_another_project_do_not_exist(site: Site) -> None:
    mine = scanner(site.client(), "only mine")
    sibling = site.client(environment=site.sibling_id)
    assert sibling.get(f"scanners/{mine['id']}/").status_code == 404
    assert sibling.patch(f"scanners/{mine['id']}/", json={"name": "stolen"}).status_code == 404
    assert sibling.delete(f"scanners/{mine['id']}/").status_code == 404
    assert sibling.post(f"scanners/{mine['id']}/observe/", json={"session_id": "s"}).status_code == 404
    assert sibling.get(f"scanners/{mine['id']}/observations/").status_code == 404
    assert sibling.get(f"scanners/{mine['id']}/history/").status_code == 404
    assert sibling.get("scanners/?search=only%20mine").json()["count"] == 0
    assert site.client().get(f"scanners/{mine['id']}/").json()["name"] == "only mine"


@pytest.mark.rule("2.1/order-authentication", "2.1/order-scope", "2.1/order-project", "2.1/order-object")
def test_the_order_of_checks(site: Site) -> None:
    """Authentication, scope, membership, then the body and the object: the first that fails is told."""
    bad_body = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    assert site.bare().post("/api/environments/999999/vision/scanners/", **bad_body).status_code == 401
    reader = site.key("replay_scanner:read")
    assert site.client(reader, environment=999999).post("scanners/", **bad_body).status_code == 403
    assert site.client(environment=999999).post("scanners/", **bad_body).status_code == 404
    assert site.client().post("scanners/", **bad_body).status_code == 400
    assert site.client().patch(f"scanners/{uuid4()}/", **bad_body).status_code == 404


@pytest.mark.rule("2.1/acts-as-user-created-by", "2.5/keys")
def test_a_key_acts_as_its_user(site: Site) -> None:
    made = scanner(site.client(), "whose")
    assert made["created_by"]["id"] == site.user_id
    assert made["created_by"]["email"] == site.email
    assert set(made["created_by"]) == {
        "id",
        "uuid",
        "distinct_id",
        "first_name",
        "last_name",
        "email",
        "is_email_verified",
        "hedgehog_config",
        "role_at_organization",
    }
