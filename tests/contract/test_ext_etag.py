"""ETag and If-Match on scanners: optional for clients, and an edit of what was not seen is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, refusal, scanner

FAILED = (412, "invalid_request", "precondition_failed", None)


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def patch(api: httpx.Client, scanner_id: str, seen: str, **fields: object) -> httpx.Response:
    return api.patch(f"scanners/{scanner_id}/", json=fields, headers={"If-Match": seen})


def test_every_answer_that_shows_a_scanner_has_its_tag(api: httpx.Client) -> None:
    made = api.post("scanners/", json={**MONITOR, "name": str(uuid4())})
    path = f"scanners/{made.json()['id']}/"
    assert made.headers["etag"] == api.get(path).headers["etag"] == api.head(path).headers["etag"]
    edited = api.patch(path, json={"description": "other"})
    assert edited.headers["etag"] == api.get(path).headers["etag"] != made.headers["etag"]
    same = api.patch(path, json={"description": "other"})
    assert same.headers["etag"] == edited.headers["etag"]


def test_an_edit_of_what_was_seen_goes_through_and_another_does_not(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    seen = api.get(f"scanners/{made}/").headers["etag"]
    first = patch(api, made, seen, description="mine")
    assert first.status_code == 200
    assert refusal(patch(api, made, seen, description="theirs")) == FAILED
    assert api.get(f"scanners/{made}/").json()["description"] == "mine"
    assert patch(api, made, f'"nonsense", {first.headers["etag"]}', description="next").status_code == 200


@pytest.mark.parametrize("seen", ['"x"', 'W/"1"', '"99999999999999999999"', '""'])
def test_tags_that_match_nothing(api: httpx.Client, seen: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    assert refusal(patch(api, made, seen, description="x")) == FAILED
    assert refusal(api.delete(f"scanners/{made}/", headers={"If-Match": seen})) == FAILED


@pytest.mark.parametrize("seen", ['"a,b", ""', 'W/":V&[0", "o", W/"R<Q4,"'])
def test_a_comma_inside_a_tag_ends_no_tag(api: httpx.Client, seen: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    assert refusal(patch(api, made, seen, description="x")) == FAILED
    present = api.get(f"scanners/{made}/").headers["etag"]
    assert patch(api, made, f"{seen},{present}", description="x").status_code == 200


@pytest.mark.parametrize("seen", ["1", '"1', "nonsense", '"1" "2"', '"1"; "2"', ",".join(['"1"'] * 101)])
def test_what_is_no_list_of_tags(api: httpx.Client, seen: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    answer = patch(api, made, seen, description="x")
    assert refusal(answer) == (400, "validation_error", "invalid_input", None)


@pytest.mark.parametrize("seen", ["*", ""])
def test_whatever_is_there(api: httpx.Client, seen: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    assert patch(api, made, seen, description="x").status_code == 200
    assert refusal(patch(api, str(uuid4()), seen, description="x"))[0] == 404


def test_a_delete_of_what_was_seen(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    seen = {"If-Match": api.get(f"scanners/{made}/").headers["etag"]}
    api.patch(f"scanners/{made}/", json={"enabled": False})
    assert refusal(api.delete(f"scanners/{made}/", headers=seen)) == FAILED
    assert api.delete(f"scanners/{made}/").status_code == 204


def test_one_of_20_concurrent_edits_of_the_same_sight_wins(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    seen = api.get(f"scanners/{made}/").headers["etag"]
    with ThreadPoolExecutor(20) as threads:
        answers = threads.map(lambda n: patch(api, made, seen, sampling_rate=n / 100).status_code, range(20))
        assert sorted(answers) == [200] + [412] * 19
    assert api.get(f"scanners/{made}/").json()["scanner_version"] == 2


def test_20_concurrent_edits_without_a_tag_all_count(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    path = f"scanners/{made}/"
    with ThreadPoolExecutor(20) as threads:
        rates = [(n + 1) / 100 for n in range(20)]
        answers = list(threads.map(lambda rate: api.patch(path, json={"sampling_rate": rate}), rates))
    assert {answer.status_code for answer in answers} == {200}
    assert api.get(path).json()["scanner_version"] == 21
