"""Contract 1, the table of operations: address, scopes and success, under both prefixes."""

from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, observe, refusal, scanner

READ, WRITE, RECORDINGS = "replay_scanner:read", "replay_scanner:write", "session_recording:read"
ACTIONS_READ, ACTIONS_WRITE = "vision_action:read", "vision_action:write"
PAGE = ("count", "next", "previous", "results")


@pytest.fixture
def address(site: Site) -> dict[str, str]:
    """Ids of a scanner, an observation of it and an action, to be put into paths."""
    api = site.client()
    made = scanner(api, str(uuid4()))["id"]
    action = api.post("actions/", json={"name": str(uuid4()), "scanner": made}).json()["id"]
    observation = observe(api, made, f"session {made}")
    return {"scanner": made, "observation": observation, "session": f"session {made}", "action": action}


def body(method: str, path: str, scanner_id: str) -> dict[str, object] | None:
    if path.startswith("actions/"):
        return {"name": str(uuid4()), "scanner": scanner_id} if method in ("POST", "PATCH") else None
    if path.endswith("estimate/"):
        return {"sampling_rate": 0.5}
    if path.endswith("observe/"):
        return {"session_id": str(uuid4())}
    return {**MONITOR, "name": str(uuid4())} if method in ("POST", "PATCH") else None


@pytest.mark.rule("1/prefixes", "1/prefixes-actions", "1/json-answer", "2.1/scope-all", "2.1/scope-missing")
@pytest.mark.parametrize("prefix", ["environments", "projects"])
@pytest.mark.parametrize(
    ("method", "path", "scopes", "status", "form"),
    [
        pytest.param(
            *("GET", "observations/?session_id={session}", (READ, RECORDINGS), 200, "page"),
            marks=pytest.mark.rule("1/op-01"),
        ),
        pytest.param(
            *("GET", "observations/{observation}/", (READ, RECORDINGS), 200, "object"),
            marks=pytest.mark.rule("1/op-02"),
        ),
        pytest.param(*("GET", "quota/", (READ,), 200, "object"), marks=pytest.mark.rule("1/op-03")),
        pytest.param(*("GET", "scanners/", (READ,), 200, "page"), marks=pytest.mark.rule("1/op-04")),
        pytest.param(*("POST", "scanners/", (WRITE, RECORDINGS), 201, "object"), marks=pytest.mark.rule("1/op-05")),
        pytest.param(*("GET", "scanners/{scanner}/", (READ,), 200, "object"), marks=pytest.mark.rule("1/op-06")),
        pytest.param(
            *("PATCH", "scanners/{scanner}/", (WRITE, RECORDINGS), 200, "object"), marks=pytest.mark.rule("1/op-07")
        ),
        pytest.param(*("DELETE", "scanners/{scanner}/", (WRITE,), 204, ""), marks=pytest.mark.rule("1/op-08")),
        pytest.param(
            *("POST", "scanners/{scanner}/observe/", (WRITE, RECORDINGS), 202, "object"),
            marks=pytest.mark.rule("1/op-09"),
        ),
        pytest.param(
            *("GET", "scanners/{scanner}/observations/", (READ, RECORDINGS), 200, "page"),
            marks=pytest.mark.rule("1/op-10"),
        ),
        pytest.param(
            *("GET", "scanners/{scanner}/observations/{observation}/", (READ, RECORDINGS), 200, "object"),
            marks=pytest.mark.rule("1/op-11"),
        ),
        pytest.param(
            *("GET", "scanners/{scanner}/observations/stats/", (READ, RECORDINGS), 200, "object"),
            marks=pytest.mark.rule("1/op-12"),
        ),
        pytest.param(*("GET", "scanners/creators/", (READ,), 200, "object"), marks=pytest.mark.rule("1/op-13")),
        pytest.param(
            *("POST", "scanners/estimate/", (READ, RECORDINGS), 200, "object"), marks=pytest.mark.rule("1/op-14")
        ),
        pytest.param(*("GET", "scanners/stats/", (READ,), 200, "object"), marks=pytest.mark.rule("1/op-15")),
        pytest.param(*("GET", "actions/", (ACTIONS_READ,), 200, "page"), marks=pytest.mark.rule("1/op-16")),
        pytest.param(
            *("POST", "actions/", (ACTIONS_WRITE, RECORDINGS), 201, "object"), marks=pytest.mark.rule("1/op-17")
        ),
        pytest.param(*("GET", "actions/{action}/", (ACTIONS_READ,), 200, "object"), marks=pytest.mark.rule("1/op-18")),
        pytest.param(
            *("PATCH", "actions/{action}/", (ACTIONS_WRITE, RECORDINGS), 200, "object"),
            marks=pytest.mark.rule("1/op-19"),
        ),
        pytest.param(*("DELETE", "actions/{action}/", (ACTIONS_WRITE,), 204, ""), marks=pytest.mark.rule("1/op-20")),
    ],
)
def test_each_operation_succeeds_with_exactly_its_scopes(
    site: Site,
    address: dict[str, str],
    prefix: str,
    method: str,
    path: str,
    scopes: tuple[str, ...],
    status: int,
    form: str,
) -> None:
    path = path.format(**address)
    for missing in scopes:
        elsewhere = WRITE if missing.startswith("vision_action") else ACTIONS_WRITE
        held = [scope for scope in scopes if scope != missing] or [elsewhere]
        sent = body(method, path, address["scanner"])
        refused = site.client(site.key(*held), prefix=prefix).request(method, path, json=sent)
        assert refusal(refused) == (403, "authentication_error", "permission_denied", None)
        assert refused.json()["detail"] == f"API key missing required scope '{missing}'"
    sent = body(method, path, address["scanner"])
    answer = site.client(site.key(*scopes), prefix=prefix).request(method, path, json=sent)
    assert answer.status_code == status, answer.text
    if form:
        assert answer.headers["content-type"] == "application/json"
        assert (set(answer.json()) == set(PAGE)) is (form == "page")
    else:
        assert answer.content == b""


@pytest.mark.rule("2.1/scope-star")
def test_the_star_is_every_scope(site: Site, address: dict[str, str]) -> None:
    api = site.client(site.key("*"))
    assert api.get(f"scanners/{address['scanner']}/observations/").status_code == 200
    assert api.patch(f"scanners/{address['scanner']}/", json={"description": "d"}).status_code == 200
    assert api.get(f"scanners/{address['scanner']}/history/").status_code == 200


@pytest.mark.rule("1/put", "2.2/wrong-verb", "4/read-only")
@pytest.mark.parametrize(
    ("path", "offered"),
    [
        ("observations/", "GET"),
        ("observations/{observation}/", "GET"),
        ("quota/", "GET"),
        ("scanners/", "GET, POST"),
        ("scanners/{scanner}/", "GET, PATCH, DELETE"),
        ("scanners/{scanner}/observe/", "POST"),
        ("scanners/{scanner}/observations/", "GET"),
        ("scanners/{scanner}/observations/{observation}/", "GET"),
        ("scanners/{scanner}/observations/stats/", "GET"),
        ("scanners/creators/", "GET"),
        ("scanners/stats/", "GET"),
        ("scanners/estimate/", "POST"),
        ("actions/", "GET, POST"),
        ("actions/{action}/", "GET, PATCH, DELETE"),
    ],
)
def test_other_verbs_are_405_and_told_what_is_offered(
    site: Site, address: dict[str, str], path: str, offered: str
) -> None:
    api = site.client()
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(offered.split(", ")):
        answer = api.request(verb, path.format(**address), json={})
        assert refusal(answer) == (405, "invalid_request", "method_not_allowed", None)
        assert answer.json()["detail"] == f'Method "{verb}" not allowed.'
        assert answer.headers["allow"].startswith(offered)
    assert api.get(f"observations/{address['observation']}/").status_code == 200


@pytest.mark.rule("1/head")
@pytest.mark.parametrize(
    "path",
    [
        "observations/?session_id={session}",
        "observations/{observation}/",
        "quota/",
        "scanners/?limit=1",
        "scanners/{scanner}/",
        "scanners/{scanner}/observations/",
        "scanners/{scanner}/observations/{observation}/",
        "scanners/{scanner}/observations/stats/",
        "scanners/creators/",
        "scanners/stats/",
        "actions/",
        "actions/{action}/",
    ],
)
def test_head_is_the_get_without_its_body(site: Site, address: dict[str, str], path: str) -> None:
    api = site.client()
    got, head = api.get(path.format(**address)), api.head(path.format(**address))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]
    assert site.bare().head(f"/api/projects/{site.environment_id}/vision/{path.format(**address)}").status_code == 401


@pytest.mark.rule("1/options")
@pytest.mark.parametrize(
    "path", ["quota/", "scanners/{scanner}/", "scanners/{scanner}/observe/", "scanners/stats/", "actions/{action}/"]
)
def test_options_is_200_everywhere(site: Site, address: dict[str, str], path: str) -> None:
    answer = site.client().options(path.format(**address))
    assert answer.status_code == 200
    assert answer.headers["allow"].endswith("OPTIONS")
    assert answer.json()["renders"] == ["application/json"]


@pytest.mark.rule("1/slash", "1/slash-post")
@pytest.mark.parametrize("slash", ["", "/"])
def test_both_forms_of_an_address_do_the_same(site: Site, address: dict[str, str], slash: str) -> None:
    api = site.client()
    made = api.post(f"scanners{slash}", json={**MONITOR, "name": str(uuid4())})
    assert (made.status_code, made.history) == (201, [])
    path = f"scanners/{made.json()['id']}"
    asked = api.post(f"{path}/observe{slash}", json={"session_id": "s"})
    assert (asked.status_code, asked.history) == (202, [])
    assert api.get(f"{path}/observations{slash}").json()["results"][0]["session_id"] == "s"
    assert api.get(f"{path}/observations/stats{slash}").json()["status_counts"]["total"] == 1
    assert api.patch(f"{path}{slash}", json={"description": "other"}).json()["description"] == "other"
    assert api.post(f"scanners/estimate{slash}", json={}).status_code == 200
    action = api.post(f"actions{slash}", json={"name": str(uuid4()), "scanner": address["scanner"]})
    assert (action.status_code, action.history) == (201, [])
    assert api.delete(f"actions/{action.json()['id']}{slash}").status_code == 204
    assert api.delete(f"{path}{slash}").status_code == 204
    assert api.get(f"scanners/creators{slash}").json() == api.get("scanners/creators/").json()


@pytest.mark.rule("1/precedence-observation-stats")
def test_stats_is_no_observation(site: Site, address: dict[str, str]) -> None:
    answer = site.client().get(f"scanners/{address['scanner']}/observations/stats/")
    assert "status_counts" in answer.json()
    assert "id" not in answer.json()


@pytest.mark.rule("1/current")
def test_current_works_for_reading_and_writing_under_both_prefixes(site: Site) -> None:
    for prefix in ("environments", "projects"):
        current: httpx.Client = site.client(environment="@current", prefix=prefix)
        scanner(current, str(uuid4()))
        made = scanner(current, str(uuid4()))
        assert site.client().get(f"scanners/{made['id']}/").json() == made
        following = current.get("scanners/?limit=1").json()["next"]
        assert f"/api/{prefix}/@current/vision/scanners/?" in following
