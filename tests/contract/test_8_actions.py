"""Contract 8: actions. What may be saved, what is answered, and what each refusal says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.refused_actions import REFUSED
from tests.contract.site import Site, refusal, scanner

RULE = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"}
KEYS = [
    "id", "name", "scanner", "enabled", "trigger_type", "mode", "trigger_config", "selection", "synthesis_config",
    "alert_config", "delivery_config", "next_run_at", "last_run_at", "alert_state", "hog_flow_id",
    "created_at", "created_by", "updated_at",
]  # fmt: skip


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client(prefix="projects")


@pytest.fixture(scope="module")
def subject(api: httpx.Client) -> str:
    identifier: str = scanner(api, "Watched")["id"]
    return identifier


@pytest.fixture(scope="module")
def slack(site: Site) -> int:
    number: int = site.integrations.create(site.system, site.environment_id, "slack", "xoxb-1")[0]
    return number


@pytest.fixture
def name() -> str:
    return f"Digest {uuid4()}"


@pytest.fixture
def made(api: httpx.Client, subject: str, name: str) -> Iterator[dict[str, Any]]:
    document = action(api, subject, name, trigger_config=RULE)
    yield document
    api.delete(f"actions/{document['id']}/")


def action(api: httpx.Client, subject: str, name: str, **fields: Any) -> dict[str, Any]:
    response = api.post("actions/", json={"name": name, "scanner": subject, **fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.rule(
    "8.1/keys",
    "8.1/enabled",
    "8.1/trigger-type",
    "8.1/mode",
    "8.1/trigger-config-default",
    "8.1/selection-default",
    "8.1/delivery-default",
    "8.1/last-run",
    "8.1/hog-flow",
    "8.1/moments",
    "8.1/next-run-null",
)
def test_a_new_action_has_the_defaults(site: Site, api: httpx.Client, subject: str, name: str) -> None:
    response = api.post("actions/", json={"name": f"  {name} ", "scanner": subject})
    document = response.json()
    assert (response.status_code, list(document)) == (201, KEYS)
    assert document | {"id": "", "created_at": "", "updated_at": "", "created_by": {}} == {
        "id": "",
        "name": name,
        "scanner": subject,
        "enabled": True,
        "trigger_type": "schedule",
        "mode": "group_summary",
        "trigger_config": {},
        "selection": {"window_days": 1},
        "synthesis_config": {},
        "alert_config": {},
        "delivery_config": [],
        "next_run_at": None,
        "last_run_at": None,
        "alert_state": None,
        "hog_flow_id": None,
        "created_at": "",
        "created_by": {},
        "updated_at": "",
    }
    assert document["created_by"]["id"] == site.user_id
    assert len(document["created_by"]) == 9
    assert document["created_at"] == document["updated_at"]
    found = api.get(f"actions/{document['id']}/")
    assert found.json() == document
    assert found.headers["etag"] == response.headers["etag"] == '"1"'


@pytest.mark.rule("8.1/selection-values", "8.1/prompt-guide", "8.1/slack-keys", "8.1/timezone")
def test_a_full_action_is_answered_as_it_was_sent(api: httpx.Client, subject: str, name: str, slack: int) -> None:
    sent = {
        "enabled": False,
        "trigger_type": "schedule",
        "mode": "group_summary",
        "trigger_config": RULE,
        "selection": {"verdict": "whatever", "tags": ["a", "b"], "min_score": 9, "max_score": 1, "window_days": 7},
        "synthesis_config": {"prompt_guide": ""},
        "delivery_config": [
            {"type": "slack", "integration_id": slack, "channel": "C0123|#checkout"},
            {"type": "webhook", "url": "https://hooks.example.org/vision?x=1"},
        ],
    }
    document = action(api, subject, name, **sent)
    assert {key: document[key] for key in sent} == sent


@pytest.mark.rule("8.1/trigger-config-default", "8.1/selection-default", "8.1/prompt-guide")
def test_other_keys_of_nested_objects_are_dropped(api: httpx.Client, subject: str, name: str) -> None:
    document = action(
        api,
        subject,
        name,
        trigger_config={**RULE, "cron": "* * * * *"},
        selection={"status": "succeeded", "wat": [1]},
        synthesis_config={"temperature": 2},
        delivery_config=[{"type": "webhook", "url": "https://a.example.org/", "channel": "#x", "secret": "s"}],
    )
    assert document["trigger_config"] == RULE
    assert document["selection"] == {"status": "succeeded"}
    assert document["synthesis_config"] == {}
    assert document["delivery_config"] == [{"type": "webhook", "url": "https://a.example.org/"}]


@pytest.mark.rule("10/10", "10/13", "8.1/timezone", "8.1/patch-whole")
def test_a_rule_without_a_zone_is_in_utc_and_an_edit_fills_it_in_too(
    api: httpx.Client, subject: str, name: str
) -> None:
    """Contract 10, row 10: no PATCH leaves the zone to the reader."""
    document = action(api, subject, name, trigger_config=RULE)
    edited = api.patch(f"actions/{document['id']}/", json={"trigger_config": {"rrule": RULE["rrule"]}}).json()
    assert edited["trigger_config"] == {"rrule": RULE["rrule"], "timezone": "UTC"}
    assert datetime.fromisoformat(edited["next_run_at"]).hour == 8
    assert api.get(f"actions/{document['id']}/").json() == edited


def test_lenient_scalars_are_stored_in_their_own_type(api: httpx.Client, subject: str, name: str) -> None:
    selection = {"min_score": "0.5", "window_days": "3", "tags": [5], "verdict": 7}
    document = action(api, subject, name, enabled="no", selection=selection)
    assert document["enabled"] is False
    assert document["selection"] == {"min_score": 0.5, "window_days": 3, "tags": ["5"], "verdict": "7"}


@pytest.mark.rule("8.1/name")
def test_names_are_unique_in_a_project_only(site: Site, api: httpx.Client, made: dict[str, Any], name: str) -> None:
    body = {"name": name, "scanner": made["scanner"]}
    assert refusal(api.post("actions/", json=body)) == (400, "validation_error", "invalid_input", "name")
    other = action(api, made["scanner"], name.upper())
    assert refusal(api.patch(f"actions/{other['id']}/", json={"name": name}))[2:] == ("invalid_input", "name")
    assert api.patch(f"actions/{other['id']}/", json={"name": other["name"]}).status_code == 200
    sibling = site.client(environment=site.sibling_id)
    action(sibling, scanner(sibling, "There")["id"], name)


def test_a_deleted_name_and_a_former_name_are_free(api: httpx.Client, subject: str, name: str) -> None:
    first = action(api, subject, name)
    assert api.patch(f"actions/{first['id']}/", json={"name": f"{name} 2"}).status_code == 200
    second = action(api, subject, name)
    assert api.delete(f"actions/{second['id']}/").status_code == 204
    action(api, subject, name)


@pytest.mark.rule(
    "10/10",
    "8.1/name",
    "8.1/scanner-malformed",
    "8.1/scanner-foreign",
    "8.1/trigger-type",
    "8.1/mode",
    "8.1/null",
    "8.1/prompt-guide",
    "8.1/rrule-blank",
    "8.1/timezone-invalid",
    "8.1/selection-types",
    "8.1/slack-keys",
    "8.1/slack-channel",
    "8.1/slack-integration",
    "8.1/delivery-type",
)
@pytest.mark.parametrize(("fields", "code", "attr"), REFUSED, ids=[str(case[0])[:60] for case in REFUSED])
def test_refusals_name_the_field(
    api: httpx.Client, made: dict[str, Any], fields: dict[str, Any], code: str, attr: str
) -> None:
    """The same for a new action and for an edit, which changes nothing."""
    expected = (400, "validation_error", code, attr)
    assert refusal(api.post("actions/", json={"name": "New", "scanner": made["scanner"], **fields})) == expected
    assert refusal(api.patch(f"actions/{made['id']}/", json=fields)) == expected
    assert api.get(f"actions/{made['id']}/").json() == made


@pytest.mark.rule("8.1/name", "8.1/scanner-required")
@pytest.mark.parametrize("field", ["name", "scanner"])
def test_required_fields(api: httpx.Client, subject: str, field: str) -> None:
    body = {"name": "x", "scanner": subject}
    del body[field]
    assert refusal(api.post("actions/", json=body)) == (400, "validation_error", "required", field)


def test_the_first_problem_in_the_order_of_the_fields_is_told(api: httpx.Client) -> None:
    body = {"name": "x", "scanner": str(uuid4()), "mode": "nope", "trigger_config": {"rrule": "x"}}
    assert refusal(api.post("actions/", json=body))[2:] == ("does_not_exist", "scanner")


@pytest.mark.parametrize(("field", "word"), [("trigger_type", "threshold"), ("mode", "per_observation")])
def test_a_refused_word_is_told_in_its_turn(api: httpx.Client, subject: str, field: str, word: str) -> None:
    for delivery in ("x", [{"type": "email", "to": ["a@b.org"]}]):
        body = {"name": "x", "scanner": subject, field: word, "delivery_config": delivery}
        assert refusal(api.post("actions/", json=body))[2:] == ("invalid_input", field)


@pytest.mark.rule("8.1/scanner-foreign")
def test_a_scanner_of_another_project_does_not_exist(site: Site, api: httpx.Client) -> None:
    sibling = site.client(environment=site.sibling_id)
    body = {"name": "x", "scanner": scanner(sibling, "Sibling's")["id"]}
    assert refusal(api.post("actions/", json=body)) == (400, "validation_error", "does_not_exist", "scanner")


@pytest.mark.rule("8.1/slack-integration")
def test_an_integration_of_another_project_is_refused(site: Site, api: httpx.Client, made: dict[str, Any]) -> None:
    foreign = site.integrations.create(site.system, site.sibling_id, "slack", "xoxb-2")[0]
    body = {"delivery_config": [{"type": "slack", "integration_id": foreign, "channel": "#a"}]}
    expected = (400, "validation_error", "invalid_input", "delivery_config")
    assert refusal(api.patch(f"actions/{made['id']}/", json=body)) == expected


def test_a_deleted_integration_takes_no_new_actions(site: Site, api: httpx.Client, made: dict[str, Any]) -> None:
    number = site.integrations.create(site.system, site.environment_id, "slack", "xoxb-3")[0]
    assert site.integrations.token(site.environment_id, number) == "xoxb-3"
    body = {"delivery_config": [{"type": "slack", "integration_id": number, "channel": "#a"}]}
    edited = api.patch(f"actions/{made['id']}/", json=body)
    assert edited.status_code == 200
    site.integrations.delete(site.system, number)
    fresh = {**body, "name": "Another", "scanner": made["scanner"]}
    assert refusal(api.post("actions/", json=fresh))[2:] == ("invalid_input", "delivery_config")
    assert api.patch(f"actions/{made['id']}/", json={"enabled": False}).status_code == 200


@pytest.mark.rule("8.1/moments", "8.1/patch-whole")
def test_an_edit_records_only_what_changes(api: httpx.Client, made: dict[str, Any]) -> None:
    same = {key: made[key] for key in ("name", "scanner", "enabled", "trigger_config", "selection", "delivery_config")}
    assert api.patch(f"actions/{made['id']}/", json=same).json() == made
    edited = api.patch(f"actions/{made['id']}/", json={"selection": {}}).json()
    assert edited["selection"] == {}
    assert edited["updated_at"] > made["updated_at"]
    assert edited | {"selection": made["selection"], "updated_at": made["updated_at"]} == made


@pytest.mark.rule("8.1/next-run-kept", "8.1/next-run-recomputed", "8.1/next-run-null", "trap/66")
def test_enabling_does_not_move_the_next_run_but_a_zone_alone_does(api: httpx.Client, made: dict[str, Any]) -> None:
    """Engine 10, trap 66."""
    url = f"actions/{made['id']}/"
    for enabled in (False, True):
        assert api.patch(url, json={"enabled": enabled}).json()["next_run_at"] == made["next_run_at"]
    moved = api.patch(url, json={"trigger_config": {**RULE, "timezone": "Asia/Tokyo"}}).json()
    assert moved["next_run_at"] != made["next_run_at"]
    assert datetime.fromisoformat(moved["next_run_at"]).astimezone(UTC).hour == 23
    assert api.patch(url, json={"trigger_config": {}}).json()["next_run_at"] is None


@pytest.mark.rule("8.1/next-run-after-now", "8.1/next-run-local")
def test_the_next_run_is_in_the_future_and_at_the_local_hour(made: dict[str, Any]) -> None:
    at = datetime.fromisoformat(made["next_run_at"])
    now = datetime.now(UTC)
    assert now < at <= now + timedelta(hours=25)
    assert at.hour in (6, 7)
    assert made["next_run_at"].endswith("Z")


@pytest.mark.rule("8.1/next-run-null")
def test_a_rule_that_is_over_is_saved_and_never_due(api: httpx.Client, subject: str, name: str) -> None:
    document = action(api, subject, name, trigger_config={"rrule": "FREQ=DAILY;UNTIL=20200101"})
    assert document["next_run_at"] is None


@pytest.mark.rule("8.1/scanner-patch", "3.4/delete-actions")
def test_an_action_moves_to_another_scanner(api: httpx.Client, made: dict[str, Any]) -> None:
    other = scanner(api, f"Other {uuid4()}")["id"]
    assert api.patch(f"actions/{made['id']}/", json={"scanner": other}).json()["scanner"] == other
    assert [row["id"] for row in api.get("actions/", params={"scanner": other}).json()["results"]] == [made["id"]]
    assert api.delete(f"scanners/{other}/").status_code == 204
    assert refusal(api.get(f"actions/{made['id']}/")) == (404, "invalid_request", "not_found", None)


@pytest.mark.rule("3.4/delete-actions")
def test_deleting_a_scanner_deletes_its_actions_and_frees_their_names(
    api: httpx.Client, subject: str, name: str
) -> None:
    doomed = scanner(api, f"Doomed {uuid4()}")["id"]
    bound = [action(api, doomed, f"{name} {number}") for number in range(3)]
    kept = action(api, subject, name)
    assert api.delete(f"scanners/{doomed}/").status_code == 204
    assert [api.get(f"actions/{one['id']}/").status_code for one in (*bound, kept)] == [404, 404, 404, 200]
    assert api.patch(f"actions/{bound[0]['id']}/", json={"enabled": False}).status_code == 404
    assert api.get("actions/", params={"scanner": doomed}).json()["count"] == 0
    for one in bound:
        action(api, subject, one["name"])


@pytest.mark.rule("8.1/delete")
def test_delete_ends_it(api: httpx.Client, subject: str, name: str) -> None:
    url = f"actions/{action(api, subject, name)['id']}/"
    response = api.delete(url)
    assert (response.status_code, response.content) == (204, b"")
    for again in (api.get(url), api.patch(url, json={}), api.delete(url)):
        assert refusal(again) == (404, "invalid_request", "not_found", None)


def test_if_match_guards_edits_and_deletes(api: httpx.Client, made: dict[str, Any]) -> None:
    url = f"actions/{made['id']}/"
    seen = api.get(url).headers["etag"]
    assert api.patch(url, json={"enabled": False}, headers={"If-Match": seen}).status_code == 200
    stale = api.patch(url, json={"enabled": True}, headers={"If-Match": seen})
    assert refusal(stale) == (412, "invalid_request", "precondition_failed", None)
    assert refusal(api.delete(url, headers={"If-Match": seen}))[0] == 412
    assert api.get(url).json()["enabled"] is False


@pytest.mark.rule("8.2/pages", "8.2/scanner", "8.2/scanner-malformed", "8.2/no-other", "trap/76")
def test_the_list_is_by_name_and_of_one_scanner(site: Site, subject: str) -> None:
    """Contract 8.2."""
    api = site.client(environment=site.sibling_id)
    first, second = (scanner(api, f"{uuid4()}")["id"] for _ in range(2))
    for name, owner in (("b", first), ("C", second), ("a", second), ("é", first)):
        action(api, owner, f"List {name}", trigger_config=RULE)

    def names(**params: Any) -> list[str]:
        rows = api.get("actions/", params=params).json()["results"]
        return [row["name"].removeprefix("List ") for row in rows if row["name"].startswith("List ")]

    everything = names()
    assert sorted(everything) == sorted(["b", "C", "a", "é"])
    assert names(scanner=second) == [name for name in everything if name in ("C", "a")]
    assert names(scanner="") == everything
    assert names(search="a", order_by="nope") == everything
    assert api.get("actions/", params={"scanner": "7"}).json() == {
        "count": 0, "next": None, "previous": None, "results": [],
    }  # fmt: skip
    assert names(scanner=str(uuid4())) == []
    page = api.get("actions/", params={"limit": 1, "offset": 1, "scanner": first}).json()
    assert (page["count"], len(page["results"])) == (2, 1)
    assert page["previous"].endswith(f"/vision/actions/?limit=1&scanner={first}")


def test_scopes(site: Site, subject: str) -> None:
    """Contract 1: what each operation needs."""
    body = {"name": "x", "scanner": subject}
    nobody = f"actions/{uuid4()}/"
    for method, path, needed in (
        ("GET", "actions/", ["vision_action:read"]),
        ("POST", "actions/", ["vision_action:write", "session_recording:read"]),
        ("GET", nobody, ["vision_action:read"]),
        ("PATCH", nobody, ["vision_action:write", "session_recording:read"]),
        ("DELETE", nobody, ["vision_action:write"]),
    ):
        for number, missing in enumerate(needed):
            held = needed[:number] or ["replay_scanner:write"]
            api = site.client(site.key(*held))
            response = api.request(method, path, json=body)
            assert refusal(response) == (403, "authentication_error", "permission_denied", None)
            assert response.json()["detail"] == f"API key missing required scope '{missing}'"


@pytest.mark.rule("1/prefixes-actions")
def test_both_prefixes_and_history(site: Site, api: httpx.Client, made: dict[str, Any]) -> None:
    assert site.client().get(f"actions/{made['id']}").json() == made
    site.standing()
    entries = api.get(f"actions/{made['id']}/history/").json()["results"]
    assert [entry["type"] for entry in entries] == ["ActionCreated"]
    assert entries[0]["stream"] == {"type": "action", "id": made["id"]}
    assert refusal(api.get(f"scanners/{made['id']}/history/"))[0] == 404
    assert refusal(api.get(f"actions/{made['scanner']}/history/"))[0] == 404
