"""Extensions "Observing": health. A scanner never looks healthy while it produces nothing (contract 10 row 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.recorded import Place, estimate, new_place
from tests.contract.site import Site, observe, refusal, scanner, served

KEYS = ["status", "reasons", "settled_behind", "pending", "running", "last_day", "unsupported_conditions"]


@pytest.fixture
def place(site: Site) -> Place:
    return new_place(site, str(uuid4()))


def health(place: Place, scanner_id: str) -> dict[str, Any]:
    response = place.api.get(f"scanners/{scanner_id}/health/")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def judged(place: Place, scanner_id: str) -> tuple[str, list[str]]:
    found = health(place, scanner_id)
    assert all(reason["detail"] for reason in found["reasons"])
    assert all(datetime.fromisoformat(reason["since"]) for reason in found["reasons"])
    return found["status"], [reason["code"] for reason in found["reasons"]]


def edit(place: Place, scanner_id: str, **changes: Any) -> dict[str, Any]:
    response = place.api.patch(f"scanners/{scanner_id}/", json=changes)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def heard(place: Place, scanner_id: str, settle_number: int, waiting_for: str | None = None) -> None:
    """What the schedule writes down."""
    with place.site.services.pool.connection() as conn:
        conn.execute(
            "INSERT INTO selection.watermark (scanner_id, environment_id, organization_id, enabled, settle_number,"
            " swept_at, waiting_for, waiting_since, as_of) VALUES (%s, %s, %s, true, %s, now(), %s, %s, 0)"
            " ON CONFLICT (scanner_id) DO UPDATE SET settle_number = excluded.settle_number,"
            " waiting_for = excluded.waiting_for, waiting_since = excluded.waiting_since",
            (
                scanner_id,
                place.environment_id,
                place.site.organization_id,
                settle_number,
                waiting_for,
                None if waiting_for is None else "2026-06-18T09:30:00Z",
            ),
        )


def test_a_new_scanner_is_well(place: Place) -> None:
    found = health(place, scanner(place.api, "new")["id"])
    assert list(found) == KEYS
    assert found == {
        "status": "ok",
        "reasons": [],
        "settled_behind": 0,
        "pending": 0,
        "running": 0,
        "last_day": {"succeeded": 0, "failed": 0, "ineligible": 0},
        "unsupported_conditions": [],
    }


def test_the_counts(site: Site, place: Place) -> None:
    made = scanner(place.api, "busy")["id"]
    sited = replace(site, environment_id=place.environment_id)
    ids = [observe(place.api, made, f"s{number}") for number in range(6)]
    observe(place.api, scanner(place.api, "another")["id"], "s0")
    sited.start(ids[0])
    sited.succeed(ids[1], "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 0.5})
    sited.fail(ids[2])
    sited.judge_ineligible(ids[3])
    found = health(place, made)
    assert (found["pending"], found["running"]) == (2, 1)
    assert found["last_day"] == {"succeeded": 1, "failed": 1, "ineligible": 1}
    services = replace(site.services, clock=lambda: site.services.clock() + timedelta(hours=25))
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        later = client.get(f"/api/projects/{place.environment_id}/vision/scanners/{made}/health/").json()
    assert later["last_day"] == {"succeeded": 0, "failed": 0, "ineligible": 0}
    assert (later["pending"], later["running"]) == (2, 1)


@pytest.mark.rule("10/3")
@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"enabled": False}, ("disabled", ["disabled"])),
        ({"sampling_rate": 0}, ("blocked", ["sampling_zero"])),
        ({"query": {"actions": [{"id": 5}], "operand": "AND"}}, ("blocked", ["unsupported_condition"])),
        ({"provider": "google", "model": "gemini-3-flash-preview"}, ("blocked", ["provider_not_configured"])),
        (
            {"enabled": False, "sampling_rate": 0, "query": {"comment_text": {"key": "k", "type": "recording"}},
             "provider": "google", "model": "gemini-3-flash-preview"},
            ("disabled", ["disabled", "sampling_zero", "unsupported_condition", "provider_not_configured"]),
        ),
        ({"sampling_rate": 0.0001, "query": {"session_ids": ["a"]}}, ("ok", [])),
    ],
)  # fmt: skip
def test_settings_that_keep_a_scanner_from_producing(place: Place, fields: Any, verdict: Any) -> None:
    """From the first moment, and when an edit brings them; `since` is the time of the edit."""
    assert judged(place, scanner(place.api, "made so", **fields)["id"]) == verdict
    edited = scanner(place.api, "edited")["id"]
    changed = edit(place, edited, **fields)
    assert judged(place, edited) == verdict
    assert {reason["since"] for reason in health(place, edited)["reasons"]} <= {changed["updated_at"]}
    edit(place, edited, name="later")
    assert {reason["since"] for reason in health(place, edited)["reasons"]} <= {changed["updated_at"]}
    mended = {"enabled": True, "sampling_rate": 1, "query": {}, "provider": "builtin", "model": "builtin"}
    edit(place, edited, **mended)
    assert judged(place, edited) == ("ok", [])


@pytest.mark.rule("3.3/evaluated", "6/unsupported")
def test_conditions_that_cannot_be_evaluated_are_named(place: Place) -> None:
    query = {
        "properties": [
            {"key": "id", "type": "cohort", "value": 12},
            {"key": "k", "type": "event", "operator": "is_set"},
        ],
        "events": [],
        "comment_text": {},
        "person_uuid": "p",
    }
    named = ["person_uuid (no UUID)", "properties: cohort 12"]
    made = scanner(place.api, "picky", query=query)["id"]
    assert health(place, made)["unsupported_conditions"] == named
    assert estimate(place, query=query)["unsupported_conditions"] == named


@pytest.mark.rule("10/3")
@pytest.mark.parametrize("code", ["quota_exhausted", "in_flight_cap"])
def test_a_schedule_that_waits(place: Place, code: str) -> None:
    made = scanner(place.api, "waits")["id"]
    heard(place, made, 0, code)
    assert judged(place, made) == ("waiting", [code])
    assert health(place, made)["reasons"][0]["since"] == "2026-06-18T09:30:00Z"


@pytest.mark.rule("10/3", "arch/scheduled-per-day")
@pytest.mark.parametrize(
    ("reason", "verdict", "words"),
    [
        ("day_full", ("waiting", ["quota_exhausted"]), "scans of the day"),
        ("too_slow", ("blocked", ["unsupported_condition"]), "takes too long"),
    ],
)
def test_a_schedule_that_waits_for_something_without_a_code_of_its_own(
    place: Place, reason: str, verdict: Any, words: str
) -> None:
    made = scanner(place.api, "waits")["id"]
    heard(place, made, 0, reason)
    assert judged(place, made) == verdict
    (told,) = health(place, made)["reasons"]
    assert told["since"] == "2026-06-18T09:30:00Z"
    assert words in told["detail"]


@pytest.mark.rule("10/3")
def test_an_exhausted_quota_is_told_before_any_session_waits_for_it(place: Place, quota_of: Any) -> None:
    """Also under `on_exhausted=skip`, where the schedule never stands still."""
    made = scanner(place.api, "unpaid")
    quota_of(0)
    assert judged(place, made["id"]) == ("waiting", ["quota_exhausted"])
    (reason,) = health(place, made["id"])["reasons"]
    assert reason["since"] == made["created_at"]
    assert "0 observations" in reason["detail"]


def test_sessions_that_the_schedule_has_not_looked_at(site: Site, place: Place) -> None:
    place.recorded("before it was there", settled=True)
    made, off = scanner(place.api, "slow")["id"], scanner(place.api, "off", enabled=False)["id"]
    new_place(site, str(uuid4())).recorded("elsewhere", settled=True)
    first = place.recorded("first", settled=True)
    place.recorded("second", settled=True)
    place.recorded("not over yet")
    assert health(place, made)["settled_behind"] == 2, "counted from where it will begin"
    assert health(place, off)["settled_behind"] == 0, "it will never look at them"
    assert first is not None
    heard(place, made, first)
    assert health(place, made)["settled_behind"] == 1
    assert judged(place, made) == ("ok", []), "the next sweep comes in a moment"
    services = replace(site.services, clock=lambda: site.services.clock() + timedelta(hours=1))
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        later = client.get(f"/api/projects/{place.environment_id}/vision/scanners/{made}/health/").json()
    assert (later["status"], later["reasons"]) == ("waiting", []), "nobody sweeps"


def test_a_provider_that_keeps_failing(site: Site, place: Place) -> None:
    made = scanner(place.api, "fails")["id"]
    sited = replace(site, environment_id=place.environment_id)
    ids = [observe(place.api, made, f"s{number}") for number in range(7)]
    sited.fail(ids[0], "provider_transient")
    sited.fail(ids[1], "provider_rejected", "secret words")
    sited.judge_ineligible(ids[2])
    sited.fail(ids[3], "validation_failed")
    assert judged(place, made) == ("ok", [])
    sited.fail(ids[4], "provider_transient")
    assert judged(place, made) == ("blocked", ["provider_failing"])
    (reason,) = health(place, made)["reasons"]
    assert reason["since"] == place.api.get(f"scanners/{made}/observations/{ids[0]}/").json()["completed_at"]
    assert "secret" not in reason["detail"], "what observations say needs another scope"
    sited.succeed(ids[5], "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 0.5})
    assert judged(place, made) == ("ok", [])
    sited.fail(ids[6], "provider_transient")
    assert judged(place, made) == ("ok", []), "an answer came in between"


@pytest.mark.rule("10/3")
def test_what_a_provider_lacks_is_named(site: Site, place: Place) -> None:
    """A key, the provider itself, or the model, once an operator's file no longer lists it."""
    made = scanner(place.api, "of a vendor", provider="google", model="gemini-3-flash-preview")["id"]
    lists = {"google": ["gemini-3-flash-preview"]}
    told = {
        "as REPLAY_VISION_GOOGLE_API_KEY is not set": ({"google": "REPLAY_VISION_GOOGLE_API_KEY"}, lists),
        'This installation has no provider "google"': ({"builtin": None}, lists),
        'no longer lists the model "gemini-3-flash-preview" of google': ({"google": None}, {"google": ["another"]}),
    }
    for words, (providers, catalogue) in told.items():
        services = replace(site.services, providers=providers, catalogue=catalogue)
        with served(services, Authorization=f"Bearer {site.key()}") as client:
            found = client.get(f"/api/projects/{place.environment_id}/vision/scanners/{made}/health/").json()
        assert (found["status"], [reason["code"] for reason in found["reasons"]]) == (
            "blocked",
            ["provider_not_configured"],
        )
        assert words in found["reasons"][0]["detail"]
    with served(
        replace(site.services, providers={"google": None}, catalogue=lists), Authorization=f"Bearer {site.key()}"
    ) as client:
        found = client.get(f"/api/projects/{place.environment_id}/vision/scanners/{made}/health/").json()
    assert found["status"] == "ok"


def test_another_provider_is_not_blamed_for_the_failures_of_the_last(site: Site, place: Place) -> None:
    made = scanner(place.api, "moved", provider="google", model="gemini-3-flash-preview")["id"]
    sited = replace(site, environment_id=place.environment_id)
    for number in range(3):
        sited.fail(observe(place.api, made, f"s{number}"), "provider_rejected")
    assert judged(place, made) == ("blocked", ["provider_not_configured"])
    edit(place, made, provider="builtin", model="builtin")
    assert judged(place, made) == ("ok", [])


def test_others_and_scopes(site: Site, place: Place) -> None:
    made = scanner(place.api, "mine")["id"]
    elsewhere = site.client(environment=site.sibling_id)
    for client, path in ((elsewhere, made), (place.api, uuid4()), (place.api, "nonsense")):
        assert refusal(client.get(f"scanners/{path}/health/")) == (404, "invalid_request", "not_found", None)
    reader = site.client(site.key("replay_scanner:read"), environment=place.environment_id)
    assert reader.get(f"scanners/{made}/health/").status_code == 200
    writer: httpx.Client = site.client(site.key("session_recording:read"), environment=place.environment_id)
    assert refusal(writer.get(f"scanners/{made}/health/"))[0] == 403
    assert place.api.delete(f"scanners/{made}/").status_code == 204
    assert place.api.get(f"scanners/{made}/health/").status_code == 404
