"""Extensions "Sessions": recorded sessions over HTTP, from real recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from consumers.scanning.timelines import AT_ONCE
from tests.capture.traffic import EXPECTED, recorded
from tests.contract.recorded import Place, new_place
from tests.contract.site import Site, handled, record, refusal, served

NAMES = ("two_tabs_one_session", "sdk_1_257_checkout", "sdk_1_160_abandon", "uncompressed_sdk", "plain_rrweb2")
SAMPLES = [f"tests/recordings/{name}.jsonl.gz" for name in NAMES]
FIELDS = {
    "id", "distinct_id", "start_time", "end_time", "recording_duration", "active_seconds", "inactive_seconds",
    "click_count", "keypress_count", "mouse_activity_count", "console_log_count", "console_warn_count",
    "console_error_count", "start_url", "urls", "windows", "event_count", "size", "snapshot_source",
    "snapshot_library", "activity_score", "ongoing", "settled_at",
}  # fmt: skip
COUNTS = ("click_count", "keypress_count", "mouse_activity_count", "console_log_count", "console_warn_count",
          "console_error_count", "event_count", "size")  # fmt: skip
NOT_FOUND = (404, "invalid_request", "not_found", None)


@pytest.fixture(scope="module")
def place(site: Site) -> Place:
    """An environment with the recordings of SAMPLES in it."""
    place = new_place(site, "recorded")
    for name in SAMPLES:
        handled(site, recorded(name, place.environment_id))
    return place


@pytest.fixture(scope="module")
def api(site: Site, place: Place) -> Iterator[httpx.Client]:
    """At `/api/projects/{id}/`."""
    with httpx.Client(base_url=f"{site.url}/api/projects/{place.environment_id}/", headers=key(place)) as client:
        yield client


def key(place: Place) -> dict[str, str]:
    scopes = ("session_recording:write", "replay_scanner:write", "activity_log:read")
    return {"Authorization": f"Bearer {place.site.key(*scopes)}"}


def listed(api: httpx.Client, **parameters: Any) -> list[str]:
    """Ids of a list that fits one page."""
    response = api.get("session_recordings/", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"count", "next", "previous", "results"}
    assert answer["count"] == len(answer["results"])
    return [one["id"] for one in answer["results"]]


def moment(milliseconds: int) -> str:
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return at.replace(tzinfo=None).isoformat() + "Z"


@pytest.mark.rule("sessions/fields", "sessions/retrieve")
@pytest.mark.parametrize("name", SAMPLES, ids=NAMES)
def test_the_facts_are_the_ground_truth(api: httpx.Client, name: str) -> None:
    expected = EXPECTED[name]
    found = api.get(f"session_recordings/{expected['session_id']}/").json()
    assert set(found) == FIELDS
    # For plain rrweb the recording tool counted the bytes of its own, spaced JSON.
    counts = [field for field in COUNTS if field != "size" or "plain_rrweb" not in name]
    assert {field: found[field] for field in counts} == {field: expected[field] for field in counts}
    assert found["start_time"] == moment(expected["min_first_timestamp"])
    assert found["end_time"] == moment(expected["max_last_timestamp"])
    assert found["recording_duration"] == expected["duration_ms"] / 1000
    assert found["active_seconds"] == expected["active_milliseconds"] / 1000
    idle = max(0, expected["duration_ms"] - expected["active_milliseconds"]) / 1000
    assert found["inactive_seconds"] == idle
    assert sorted(found["urls"]) == sorted(expected["urls"])
    assert found["start_url"] == expected["first_url"]
    assert len(found["windows"]) == expected["windows"]
    assert found["distinct_id"] in expected["distinct_ids"]
    assert found["settled_at"] is None
    assert api.get("session_recordings/", params={"session_ids": found["id"]}).json()["results"] == [found]


@pytest.mark.rule("sessions/list")
@pytest.mark.parametrize("prefix", ["environments", "projects"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_is_paged_and_newest_first_under_both_prefixes(
    site: Site, place: Place, prefix: str, slash: str
) -> None:
    base = f"{site.url}/api/{prefix}/{place.environment_id}/session_recordings{slash}"
    pages: list[dict[str, Any]] = []
    following: str | None = f"{base}?limit=2"
    while following is not None:
        pages.append(httpx.get(following.replace("https://replay.example.org", site.url), headers=key(place)).json())
        following = pages[-1]["next"]
        assert following is None or following.startswith("https://replay.example.org/api/" + prefix)
    assert [len(one["results"]) for one in pages] == [2, 2, 1]
    assert {one["count"] for one in pages} == {5}
    assert (pages[0]["previous"], pages[1]["previous"]) != (None, None)
    rows = [row for one in pages for row in one["results"]]
    assert [row["start_time"] for row in rows] == sorted((row["start_time"] for row in rows), reverse=True)
    past = httpx.get(f"{base}?offset=9", headers=key(place)).json()
    assert (past["count"], past["results"], past["next"]) == (5, [], None)


@pytest.mark.rule("sessions/order")
@pytest.mark.parametrize(
    "order",
    ["start_time", "duration", "recording_duration", "active_seconds", "inactive_seconds", "console_error_count",
     "click_count", "keypress_count", "mouse_activity_count", "activity_score"],
)  # fmt: skip
def test_orders(api: httpx.Client, order: str) -> None:
    field = "recording_duration" if order == "duration" else order
    rows = api.get("session_recordings/").json()["results"]
    by_id = sorted(rows, key=lambda row: row["id"])
    for direction, reverse in (("ASC", False), ("DESC", True)):
        expected = [row["id"] for row in sorted(by_id, key=lambda row: row[field], reverse=reverse)]
        assert listed(api, order=order, order_direction=direction) == expected
    assert listed(api, order=order) == listed(api, order=order, order_direction="DESC")


@pytest.mark.rule("sessions/filters")
def test_filters(api: httpx.Client) -> None:
    rows = api.get("session_recordings/", params={"order_direction": "ASC"}).json()["results"]
    ids, starts = [row["id"] for row in rows], [row["start_time"] for row in rows]
    second = rows[1]
    assert listed(api, date_from=starts[1], order_direction="ASC") == ids[1:], "the start is in the range"
    assert listed(api, date_to=starts[1], order_direction="ASC") == ids[:1], "the end is not"
    day = starts[1][:10]
    assert set(listed(api, date_from=day, date_to=day)) == {row["id"] for row in rows if row["start_time"][:10] == day}
    assert listed(api, session_ids=f"{ids[0]},unknown,{ids[2]}", order_direction="ASC") == [ids[0], ids[2]]
    assert listed(api, session_ids=json.dumps([ids[0]])) == [ids[0]]
    assert listed(api, session_ids="[]") == []
    assert listed(api, distinct_id=second["distinct_id"]) == listed(api, distinct_ids=second["distinct_id"])
    assert second["id"] in listed(api, distinct_id=second["distinct_id"])
    assert listed(api, distinct_id="nobody") == []
    assert listed(api, distinct_id="nobody", distinct_ids=second["distinct_id"]) == []
    assert len(listed(api, settled="false")) == 5
    assert listed(api, settled="true") == []
    assert len(listed(api, ongoing="maybe", colour="red")) == 5, "no filter, and no parameter"


@pytest.mark.rule("sessions/filters")
def test_a_visitor_is_who_the_events_name_too(site: Site, place: Place) -> None:
    here = new_place(site, "visitors")
    here.recorded("before the login", distinct_ids=("anon",))
    here.recorded("other", distinct_ids=("bob",))
    with site.services.pool.connection() as conn:
        conn.execute(
            "INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, distinct_id, properties,"
            " received_at, arrived_at) VALUES (%s, %s, gen_random_uuid(), 'bought', 0, 'ann', '{}', now(), now())",
            (here.environment_id, "before the login"),
        )
    with httpx.Client(base_url=f"{site.url}/api/projects/{here.environment_id}/", headers=key(place)) as api:
        assert listed(api, distinct_ids="ann") == listed(api, distinct_id="ann") == ["before the login"]
        assert listed(api, distinct_id="anon", person_uuid=str(uuid4())) == ["before the login"], "they win"
        assert listed(api, distinct_ids='["\\ud800"]') == listed(api, session_ids='["\\ud800"]') == []


@pytest.mark.rule("sessions/filters")
def test_relative_dates_are_so_long_before_now(site: Site, place: Place) -> None:
    here = new_place(site, "relative")
    client = httpx.Client(base_url=f"{site.url}/api/environments/{here.environment_id}/", headers=key(place))
    for hours in (1, 30, 24 * 8):
        here.recorded(f"{hours} hours ago", timedelta(hours=hours))
    with client as api:
        assert listed(api, date_from="-2h") == ["1 hours ago"]
        assert listed(api, date_from="-7d") == ["1 hours ago", "30 hours ago"]
        assert listed(api, date_to="-1d") == ["30 hours ago", "192 hours ago"]
        assert listed(api, date_from="-1w", date_to="-1d") == ["30 hours ago"]
        assert listed(api, date_from="-1yStart", date_to="dEnd") == listed(api, date_from="all")


@pytest.mark.rule("sessions/filters")
def test_conditions_are_those_of_a_scanners_query(api: httpx.Client) -> None:
    rows = api.get("session_recordings/").json()["results"]
    longer = [{"key": "duration", "type": "recording", "operator": "gt", "value": 10}]
    expected = {row["id"] for row in rows if row["recording_duration"] > 10}
    assert 0 < len(expected) < len(rows)
    assert set(listed(api, having_predicates=json.dumps(longer))) == expected

    def visited(*words: str) -> dict[str, str]:
        found = [{"key": "visited_page", "type": "recording", "operator": "icontains", "value": word} for word in words]
        return {"properties": json.dumps(found)}

    def on(word: str) -> set[str]:
        return {row["id"] for row in rows if any(word in url for url in row["urls"])}

    assert set(listed(api, **visited("cart", "product"))) == on("cart") & on("product")
    assert set(listed(api, **visited("cart", "product"), operand="OR")) == on("cart") | on("product")
    assert set(listed(api, **visited("cart"), having_predicates=json.dumps(longer))) == on("cart") & expected
    assert len({len(on("cart")), len(on("cart") | on("product")), len(rows)}) > 1
    assert listed(api, events=json.dumps([{"id": "never_sent", "type": "events"}])) == []


@pytest.mark.rule("sessions/unanswered")
def test_a_condition_without_an_answer_is_named(api: httpx.Client) -> None:
    cohort = json.dumps([{"key": "id", "type": "cohort", "value": 7}])
    response = api.get("session_recordings/", params={"properties": cohort})
    assert refusal(response) == (400, "validation_error", "invalid_input", "properties")
    assert "cohort" in response.json()["detail"]


@pytest.mark.rule("sessions/unanswered")
def test_too_many_conditions_together_are_no_empty_list(api: httpx.Client) -> None:
    one = {"key": "duration", "type": "recording", "operator": "gte", "value": 0}
    asked = {"events": json.dumps([{"id": "x"}] * 101), "having_predicates": json.dumps([one] * 100)}
    response = api.get("session_recordings/", params=asked)
    assert refusal(response) == (400, "validation_error", "invalid_input", "having_predicates")
    assert "200" in response.json()["detail"]
    assert len(listed(api, having_predicates=json.dumps([one] * 200))) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date_from", "yesterday"), ("date_from", "2026-13-01"), ("date_to", "-7"), ("date_to", "-99999y"),
        ("session_ids", "[1]"), ("session_ids", '["a"'), ("distinct_ids", ",".join(map(str, range(1_001)))),
        ("events", "{}"), ("events", "[1]"), ("properties", '[{"key": 1}]'), ("having_predicates", "[" * 200),
        ("console_log_filters", '[{"key": "level", "type": "event"}]'), ("actions", "null,"), ("operand", "XOR"),
        ("order", "size"), ("order", "-start_time"), ("order_direction", "UP"), ("person_uuid", "x" * 201),
        ("distinct_id", "a\x00b"),
    ],
)  # fmt: skip
def test_bad_values_name_their_parameter(api: httpx.Client, name: str, value: str) -> None:
    response = api.get("session_recordings/", params={name: value})
    assert refusal(response) == (400, "validation_error", "invalid_input", name)


# --- timeline -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("sessions/timeline")
def test_the_timeline_is_text_or_json_lines(api: httpx.Client) -> None:
    path = f"session_recordings/{EXPECTED[SAMPLES[1]]['session_id']}/timeline/"
    text = api.get(path)
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    lines = text.text.splitlines()
    assert len(lines) > 5
    assert all(line[0] == "[" and line[4:6] == "s]" and line[1:4].strip().isdigit() for line in lines)
    for asked in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
        answer = api.get(path, headers={"Accept": asked})
        assert answer.headers["content-type"].partition(";")[0] == asked
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert all(set(row) == {"t_s", "kind", "text"} for row in rows)
        assert [row["text"][:700] for row in rows] == [line[7:] for line in lines]
        assert [row["t_s"] for row in rows] == sorted(row["t_s"] for row in rows)
    assert api.get(path, headers={"Accept": "application/json"}).text == answer.text
    assert api.get(path, headers={"Accept": "application/json, text/plain, */*"}).text == text.text
    assert refusal(api.get(path, headers={"Accept": "image/png"}))[0] == 406
    assert api.head(path).status_code == 200


@pytest.mark.rule("sessions/retrieve")
@pytest.mark.parametrize("session_id", ["unknown", "x" * 128, "x" * 129, "%00", "a%2Fb", "stats", "é", "a b"])
def test_what_is_no_session_is_404(api: httpx.Client, session_id: str) -> None:
    for path in (f"session_recordings/{session_id}/", f"session_recordings/{session_id}/timeline/"):
        assert refusal(api.get(path)) == NOT_FOUND
    assert refusal(api.delete(f"session_recordings/{session_id}/")) == NOT_FOUND


@pytest.mark.rule("sessions/timeline-unavailable")
def test_a_timeline_whose_blob_is_gone_is_not_now(site: Site, api: httpx.Client, place: Place) -> None:
    session_id = record(site, str(uuid4()), environment_id=place.environment_id)
    for blob in list(site.blobs.list(place.environment_id, session_id)):
        site.blobs.delete(blob)
    response = api.get(f"session_recordings/{session_id}/timeline/")
    assert refusal(response) == (503, "server_error", "error", None)
    assert api.delete(f"session_recordings/{session_id}/").status_code == 204


@pytest.mark.rule("sessions/timeline-unavailable")
def test_few_recordings_are_read_at_a_time(site: Site, place: Place) -> None:
    session_id = EXPECTED[SAMPLES[4]]["session_id"]
    path = f"/api/projects/{place.environment_id}/session_recordings/{session_id}/timeline/"
    with served(site.services, **key(place)) as client:
        with ExitStack() as held:
            for _ in range(AT_ONCE):
                held.enter_context(site.services.timelines.turn())
            assert refusal(client.get(path)) == (503, "server_error", "error", None)
        assert client.get(path).status_code == 200


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "", "session_recording:read"),
        ("GET", "{id}/", "session_recording:read"),
        ("GET", "{id}/timeline/", "session_recording:read"),
        ("DELETE", "{id}/", "session_recording:write"),
    ],
)
def test_scopes(site: Site, place: Place, method: str, path: str, scope: str) -> None:
    """The scope named, or `write` in place of `read`; whoever may do all else may not do this."""
    address = f"/api/projects/{place.environment_id}/session_recordings/" + path.format(id="unknown")
    others = ["replay_scanner:write", "vision_action:write", "activity_log:read"]
    others += ["session_recording:read"] if scope == "session_recording:write" else []
    with served(site.services) as client:
        refused = client.request(method, address, headers={"Authorization": f"Bearer {site.key(*others)}"})
        assert refusal(refused) == (403, "authentication_error", "permission_denied", None)
        assert refused.json()["detail"] == f"API key missing required scope '{scope}'"
        for enough in {scope, "session_recording:write"}:
            granted = client.request(method, address, headers={"Authorization": f"Bearer {site.key(enough)}"})
            assert granted.status_code == (404 if path else 200)
        assert client.request(method, address).status_code == 401
