"""Contract 1: prefixes, `@current`, the optional slash, verbs, precedence."""

from uuid import uuid4

import httpx
import pytest

from tests.contract.site import Site, refusal, scanner

NOBODY = "00000000-0000-4000-8000-000000000000"
NOT_FOUND = (404, "invalid_request", "not_found", None)


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.mark.rule("1/prefixes")
@pytest.mark.parametrize("prefix", ["environments", "projects"])
def test_both_prefixes_are_the_same_thing(site: Site, prefix: str) -> None:
    api = site.client(prefix=prefix)
    made = scanner(api, f"by {prefix}")
    other = site.client(prefix="projects" if prefix == "environments" else "environments")
    assert other.get(f"scanners/{made['id']}/").json() == made


@pytest.mark.rule("1/current")
def test_current_is_the_first_environment_that_the_key_may_use(site: Site) -> None:
    made = scanner(site.client(), "seen by current")
    assert site.client(environment="@current").get(f"scanners/{made['id']}/").json()["id"] == made["id"]
    confined = site.key(environments=[site.sibling_id])
    assert site.client(confined, environment="@current").get(f"scanners/{made['id']}/").status_code == 404
    assert site.client(confined, environment="@current").get("scanners/").json()["count"] == 0


@pytest.mark.rule("1/slash")
def test_the_trailing_slash_is_optional_without_a_redirect(api: httpx.Client) -> None:
    made = api.post(
        "scanners",
        json={
            "name": "no slash",
            "scanner_type": "summarizer",
            "scanner_config": {"prompt": "p"},
            "model": "builtin",
            "provider": "builtin",
        },
    )
    assert made.status_code == 201
    for path in ("scanners", f"scanners/{made.json()['id']}", "quota", f"scanners/{made.json()['id']}/observations"):
        plain, slashed = api.get(path), api.get(f"{path}/")
        assert plain.status_code == slashed.status_code == 200
        assert not plain.history


@pytest.mark.rule("1/put", "2.2/wrong-verb", "2.2/type-invalid-request")
@pytest.mark.parametrize(
    "path", ["scanners/", f"scanners/{NOBODY}/", "observations/", "quota/", f"scanners/{NOBODY}/observe/"]
)
def test_put_is_offered_nowhere(api: httpx.Client, path: str) -> None:
    response = api.put(path, json={})
    assert refusal(response) == (405, "invalid_request", "method_not_allowed", None)
    assert response.json()["detail"] == 'Method "PUT" not allowed.'
    assert "OPTIONS" in response.headers["allow"]


@pytest.mark.rule("1/head")
def test_head_is_answered_where_get_is(api: httpx.Client) -> None:
    made = scanner(api, "headed")
    for path in ("scanners/", f"scanners/{made['id']}/", "quota/"):
        got, head = api.get(path), api.head(path)
        assert head.status_code == got.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == got.headers["content-length"]
    assert api.head(f"scanners/{uuid4()}/").status_code == 404


@pytest.mark.rule("1/options")
def test_options_answers_with_metadata(api: httpx.Client) -> None:
    response = api.options("scanners/")
    assert response.status_code == 200
    assert response.headers["allow"] == "GET, POST, HEAD, OPTIONS"
    assert response.json()["parses"] == ["application/json"]


@pytest.mark.rule("1/precedence-scanners")
@pytest.mark.parametrize("path", ["scanners/creators/", "scanners/stats/"])
def test_reserved_words_are_never_taken_for_an_id(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 200
    for method in ("PATCH", "DELETE", "PUT", "POST"):
        assert refusal(api.request(method, path, json={}))[:3] == (405, "invalid_request", "method_not_allowed")


@pytest.mark.rule("1/observations-stats-404")
def test_observations_stats_without_a_scanner_is_no_address(api: httpx.Client) -> None:
    assert refusal(api.get("observations/stats/")) == NOT_FOUND


@pytest.mark.rule("1/precedence-estimate")
def test_estimate_is_never_taken_for_an_id(api: httpx.Client) -> None:
    assert set(api.post("scanners/estimate/", json={}).json()) > {"window_days"}
    for method in ("GET", "PATCH", "DELETE", "PUT"):
        answer = api.request(method, "scanners/estimate/", json={})
        assert refusal(answer) == (405, "invalid_request", "method_not_allowed", None)
        assert answer.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["", "nothing/", "scanners/x/y/z/", "scanners//", "../../../etc/passwd"])
def test_unknown_addresses_are_told_in_the_envelope(site: Site, path: str) -> None:
    assert refusal(site.bare().get(f"/api/environments/{site.environment_id}/vision/{path}")) == NOT_FOUND


@pytest.mark.rule("1/unknown-fields", "1/read-only-fields", "1/unknown-parameters")
def test_unknown_body_fields_and_query_parameters_are_ignored(api: httpx.Client) -> None:
    made = scanner(api, "ignoring", id="mine", created_at="yesterday", scanner_version=9, nonsense=[1])
    assert made["scanner_version"] == 1
    assert made["id"] != "mine"
    assert api.get("scanners/?colour=red&fields=name").status_code == 200


def test_every_answer_names_its_correlation_id(api: httpx.Client) -> None:
    assert len(api.get("quota/").headers["replay-vision-correlation-id"]) == 36
