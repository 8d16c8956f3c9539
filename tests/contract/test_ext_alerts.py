"""Extensions "Mode alert": what may be saved, what is answered, and what changes with an edit."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import Site, refusal, scanner

COUNT: dict[str, Any] = {"metric": "count", "threshold": 5}
DEFAULTS = {"direction": "above", "window_days": 1, "frequency": "on_breach", "cooldown_minutes": 0}
SCALE = {"prompt": "How angry?", "scale": {"min": 0, "max": 10}}


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client(prefix="projects")


@pytest.fixture(scope="module")
def subject(api: httpx.Client) -> str:
    identifier: str = scanner(api, f"Watched {uuid4()}")["id"]
    return identifier


def made(api: httpx.Client, subject: str, alert_config: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"name": f"{uuid4()}", "scanner": subject, "mode": "alert", "alert_config": alert_config, **fields}
    response = api.post("actions/", json=body)
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def test_an_alert_is_answered_whole_and_clear(api: httpx.Client, subject: str) -> None:
    document = made(api, subject, {**COUNT, "tag": "dropped", "unknown": 1})
    assert (document["mode"], document["alert_config"]) == ("alert", {**COUNT, **DEFAULTS})
    assert document["alert_state"] == {"state": "clear", "since": document["created_at"], "last_value": None}
    assert api.get(f"actions/{document['id']}/").json() == document
    rows = api.get("actions/", params={"scanner": subject}).json()["results"]
    assert document in rows


@pytest.mark.parametrize(
    "alert_config",
    [
        {**COUNT, **DEFAULTS, "direction": "below", "window_days": 30, "cooldown_minutes": 10_080},
        {"metric": "verdict_share", "verdict": "no", "threshold": 0.5, **DEFAULTS, "frequency": "every_match"},
    ],
)
def test_what_was_sent_is_what_is_saved(api: httpx.Client, subject: str, alert_config: dict[str, Any]) -> None:
    assert made(api, subject, alert_config)["alert_config"] == alert_config


def test_numbers_may_be_words(api: httpx.Client, subject: str) -> None:
    sent = {"metric": "count", "threshold": "5", "window_days": "7", "cooldown_minutes": 60.0}
    saved = {**COUNT, **DEFAULTS, "window_days": 7, "cooldown_minutes": 60}
    assert made(api, subject, sent)["alert_config"] == saved


def test_the_state_is_for_reading(api: httpx.Client, subject: str) -> None:
    forged = {"state": "firing", "since": "2020-01-01T00:00:00Z", "last_value": 9}
    document = made(api, subject, COUNT, alert_state=forged)
    assert document["alert_state"]["state"] == "clear"
    assert api.patch(f"actions/{document['id']}/", json={"alert_state": forged}).json() == document


def test_a_config_is_replaced_whole_and_the_alert_is_clear_anew(api: httpx.Client, subject: str) -> None:
    document = made(api, subject, {**COUNT, "window_days": 30, "cooldown_minutes": 60})
    url = f"actions/{document['id']}/"
    same = api.patch(url, json={"alert_config": document["alert_config"]}).json()
    assert same == document
    edited = api.patch(url, json={"alert_config": {**COUNT, "threshold": 7}}).json()
    assert edited["alert_config"] == {**COUNT, "threshold": 7, **DEFAULTS}
    assert edited["alert_state"]["since"] == edited["updated_at"] > document["updated_at"]
    renamed = api.patch(url, json={"name": f"{uuid4()}"}).json()
    assert renamed["alert_state"] == edited["alert_state"]


def test_the_mode_is_switched_and_back_and_the_config_stays(api: httpx.Client, subject: str) -> None:
    document = made(api, subject, COUNT)
    url = f"actions/{document['id']}/"
    digest = api.patch(url, json={"mode": "group_summary"}).json()
    assert (digest["alert_config"], digest["alert_state"]) == (document["alert_config"], None)
    again = api.patch(url, json={"mode": "alert"}).json()
    assert (again["alert_config"], again["alert_state"]["state"]) == (document["alert_config"], "clear")
    assert refusal(api.patch(url, json={"alert_config": {}}))[2:] == ("required", "alert_config")


def test_a_digest_may_have_the_config_of_an_alert_and_lose_it(api: httpx.Client, subject: str) -> None:
    document = made(api, subject, COUNT, mode="group_summary")
    assert document["alert_state"] is None
    url = f"actions/{document['id']}/"
    assert api.patch(url, json={"alert_config": {}}).json()["alert_config"] == {}
    assert refusal(api.patch(url, json={"mode": "alert"}))[2:] == ("required", "alert_config")


def test_a_metric_is_for_scanners_that_answer_with_it(api: httpx.Client, subject: str) -> None:
    """Checked on the action as it would stand; over other scanners it is taken, for what they will be is not known."""
    scorer = scanner(api, f"{uuid4()}", scanner_type="scorer", scanner_config=SCALE)["id"]
    average = {"metric": "avg_score", "threshold": 7.5}
    document = made(api, scorer, average)
    expected = ("invalid_input", "alert_config__metric")
    body = {"name": f"{uuid4()}", "scanner": subject, "mode": "alert", "alert_config": average}
    assert refusal(api.post("actions/", json=body))[2:] == expected
    url = f"actions/{document['id']}/"
    assert refusal(api.patch(url, json={"scanner": subject}))[2:] == expected
    share = {"metric": "verdict_share", "verdict": "yes", "threshold": 1}
    assert refusal(api.patch(url, json={"alert_config": share}))[2:] == expected
    assert api.get(url).json() == document
    moved = api.patch(url, json={"scanner": subject, "alert_config": share})
    assert moved.status_code == 200
    assert made(api, subject, average, selection={"scanner_ids": [scorer]})["mode"] == "alert"


def test_the_history_tells_of_the_config(site: Site, api: httpx.Client, subject: str) -> None:
    document = made(api, subject, COUNT)
    api.patch(f"actions/{document['id']}/", json={"alert_config": {**COUNT, "threshold": 9}})
    site.standing()
    created, edited = api.get(f"actions/{document['id']}/history/").json()["results"]
    assert {"field": "alert_config", "before": None, "after": {**COUNT, **DEFAULTS}} in created["changes"]
    (change,) = edited["changes"]
    assert (change["before"]["threshold"], change["after"]["threshold"]) == (5, 9)
