"""Extensions "Sessions": deleting a session, as its owner sees it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.ids import recording_stream
from projections.queries import history
from projections.queries.history import HistoryFilters
from tests.contract.recorded import Place
from tests.contract.site import Site, observe, record, refusal, scanner

NOT_FOUND = (404, "invalid_request", "not_found", None)
_EVENT = """
INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, properties, received_at, arrived_at)
VALUES (%s, %s, %s, 'clicked', 1, '{}', %s, %s)
"""


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    """At `/api/environments/{id}/`."""
    client = site.client()
    client.base_url = httpx.URL(f"{site.url}/api/environments/{site.environment_id}/")
    return client


def gone(api: httpx.Client, session_id: str) -> None:
    """Every read says so."""
    for path in (f"session_recordings/{session_id}/", f"session_recordings/{session_id}/timeline/"):
        assert refusal(api.get(path)) == NOT_FOUND
    listed = api.get("session_recordings/", params={"session_ids": session_id}).json()
    assert (listed["count"], listed["results"]) == (0, [])


@pytest.mark.rule("sessions/delete", "sessions/delete-event")
def test_a_deleted_session_is_gone_at_once_and_its_deletion_is_history(site: Site, api: httpx.Client) -> None:
    session_id = record(site, str(uuid4()))
    other = record(site, str(uuid4()))
    assert api.get(f"session_recordings/{session_id}/").status_code == 200
    response = api.delete(f"session_recordings/{session_id}/")
    assert (response.status_code, response.content) == (204, b"")
    assert "replay-vision-stale" not in response.headers
    gone(api, session_id)
    assert refusal(api.delete(f"session_recordings/{session_id}")) == NOT_FOUND
    assert api.get(f"session_recordings/{other}/").status_code == 200
    record(site, session_id)
    gone(api, session_id)
    with site.services.pool.connection() as conn:
        stream = str(recording_stream(site.environment_id, session_id))
        (entry,) = history.page(conn, site.tenant, HistoryFilters(stream=stream)).entries
    assert entry["type"] == "SessionDeleted"
    assert entry["stream"]["type"] == "recording"
    assert (entry["actor"]["type"], entry["actor"]["user"]["email"]) == ("key", site.email)
    changes = {change["field"]: change["after"] for change in entry["changes"]}
    assert changes == {"session_id": session_id, "deleted": True}


@pytest.mark.rule("sessions/delete")
def test_the_session_of_the_same_id_elsewhere_stays(site: Site, api: httpx.Client) -> None:
    session_id = record(site, str(uuid4()))
    record(site, session_id, environment_id=site.sibling_id)
    assert api.delete(f"session_recordings/{session_id}/").status_code == 204
    elsewhere = f"/api/environments/{site.sibling_id}/session_recordings/{session_id}/"
    assert api.get(site.url + elsewhere).status_code == 200


@pytest.mark.rule("sessions/delete", "sessions/delete-erases")
def test_a_session_of_which_only_analytics_events_came_can_be_deleted(site: Site, api: httpx.Client) -> None:
    mine, elsewhere, expired = (str(uuid4()) for _ in range(3))
    now = site.services.clock()
    with site.services.pool.connection() as conn:
        for environment_id, session_id, at in (
            (site.environment_id, mine, now - timedelta(days=29)),
            (site.sibling_id, elsewhere, now),
            (site.environment_id, expired, now - timedelta(days=31)),
        ):
            conn.execute(_EVENT, (environment_id, session_id, uuid4(), at, at))
    gone(api, mine)
    assert api.delete(f"session_recordings/{mine}/").status_code == 204
    for session_id in (mine, elsewhere, expired):
        assert refusal(api.delete(f"session_recordings/{session_id}/")) == NOT_FOUND


@pytest.mark.rule("sessions/delete")
def test_of_many_deletions_one_is_done(site: Site, api: httpx.Client) -> None:
    session_id = record(site, str(uuid4()))
    path = f"session_recordings/{session_id}/"
    with ThreadPoolExecutor(8) as threads:
        statuses = [answer.status_code for answer in threads.map(lambda _: api.delete(path), range(16))]
    assert sorted(statuses) == [204] + [404] * 15


def test_a_deletion_that_is_sent_again_is_answered_as_the_first(site: Site, api: httpx.Client) -> None:
    """Also where only the letters of the ids differ: those of sessions are told apart by case."""
    mark = uuid4().hex
    first, second = record(site, f"a-{mark}"), record(site, f"A-{mark}")
    headers = {"Idempotency-Key": mark}
    answers = [api.delete(f"session_recordings/{one}/", headers=headers) for one in (first, first, second)]
    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", None]
    gone(api, first)
    gone(api, second)


@pytest.mark.rule("sessions/delete-observations", "sessions/delete")
def test_estimates_and_lists_of_schedules_lose_it_and_observations_stay(site: Site, api: httpx.Client) -> None:
    session_id = str(uuid4())
    vision = site.client()
    Place(site, vision, site.environment_id).recorded(session_id)
    made = scanner(vision, str(uuid4()))["id"]
    observed = observe(vision, made, session_id)
    query: dict[str, Any] = {"query": {"session_ids": [session_id]}}
    assert vision.post("scanners/estimate/", json=query).json()["matched_sessions_in_window"] == 1
    assert api.delete(f"session_recordings/{session_id}/").status_code == 204
    assert vision.post("scanners/estimate/", json=query).json()["matched_sessions_in_window"] == 0
    assert vision.get(f"observations/{observed}/").json()["session_id"] == session_id
