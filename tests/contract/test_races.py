"""Many callers at once, over HTTP (contract 3.4, 5, 7, 10 row 24; architecture 6).

Beside the races of single rules in the files of their sections: what everybody sees while it happens, and what is left.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from commands.context import Context
from commands.observations import ObservationLimits, Observations
from tests.contract.crowd import CROWD, IN_A_ROW, STALE, at_once, statuses, watched_rush
from tests.contract.site import MONITOR, Site, observe, refusal, scanner, served

LARGE_CROWD = 50


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture
def target(api: httpx.Client) -> str:
    identifier: str = scanner(api, str(uuid4()))["id"]
    return identifier


def used(api: httpx.Client) -> int:
    number: int = api.get("quota/").json()["usage_this_month"]
    return number


def test_5_everyone_who_is_told_of_an_observation_can_read_it_at_once(api: httpx.Client, target: str) -> None:
    """50 callers ask for one pair: one observation, one charge, and no caller is told of a row that is not there."""
    before = used(api)

    def ask(_: int) -> httpx.Response:
        answer = api.post(f"scanners/{target}/observe/", json={"session_id": "contended"})
        made = answer.json()["observation_id"]
        assert STALE not in answer.headers
        assert api.get(f"scanners/{target}/observations/{made}/").status_code == 200
        assert api.get("observations/?session_id=contended").json()["count"] == 1
        return answer

    answers = at_once(LARGE_CROWD, ask)
    assert statuses(answers) == [202] * LARGE_CROWD
    assert len({answer.json()["observation_id"] for answer in answers}) == 1
    assert used(api) == before + 1


def test_5_crowds_of_bulk_requests_charge_each_pair_once(api: httpx.Client, target: str) -> None:
    before = used(api)
    sessions = [f"shared {number}" for number in range(30)]

    def ask(number: int) -> httpx.Response:
        answer = api.post(f"scanners/{target}/bulk_observe/", json={"session_ids": sessions[number % 10 :]})
        assert api.get(f"scanners/{target}/observations/").json()["count"] >= len(answer.json()["results"])
        return answer

    answers = at_once(CROWD, ask)
    assert statuses(answers) == [202] * CROWD
    assert sum(answer.json()["started"] for answer in answers) == len(sessions)
    assert used(api) == before + len(sessions)


def test_3_4_a_name_that_many_want_goes_to_one(api: httpx.Client) -> None:
    """By creating and by renaming; the others are told on `name`, and nothing is left of what they sent."""
    others = [scanner(api, str(uuid4())) for _ in range(CROWD // 2)]

    def ask(number: int) -> httpx.Response:
        if number < len(others):
            return api.patch(f"scanners/{others[number]['id']}/", json={"name": "Wanted", "sampling_rate": 0.5})
        return api.post("scanners/", json={**MONITOR, "name": "Wanted"})

    answers = at_once(CROWD, ask)
    winners = [answer for answer in answers if answer.status_code in (200, 201)]
    assert len(winners) == 1
    for answer in answers:
        if answer not in winners:
            assert refusal(answer) == (400, "validation_error", "invalid_input", "name")
    found = api.get("scanners/?search=Wanted").json()["results"]
    assert [row["id"] for row in found] == [winners[0].json()["id"]]
    losers = [other for other in others if other["id"] != winners[0].json()["id"]]
    assert [api.get(f"scanners/{other['id']}/").json() for other in losers] == losers


def test_7_a_quota_of_3_never_shows_more_than_3(api: httpx.Client, target: str, quota_of: Any) -> None:
    before = used(api)
    quota_of(before + 3)

    def ask(_: int) -> httpx.Response:
        return api.post(f"scanners/{target}/observe/", json={"session_id": str(uuid4())})

    answers, seen = watched_rush(ask, lambda: api.get("quota/").json())
    assert statuses(answers) == [202] * 3 + [402] * (len(answers) - 3)
    uses = [quota["usage_this_month"] - before for quota in seen]
    assert uses == sorted(uses)
    assert uses[-1] == max(uses) == 3
    for quota in seen:
        assert quota["remaining"] == before + 3 - quota["usage_this_month"]
        assert quota["exhausted"] is (quota["remaining"] == 0)
    assert api.get(f"scanners/{target}/observations/").json()["count"] == 3


def test_7_endings_amid_a_rush_make_room_but_never_too_much(
    site: Site, api: httpx.Client, target: str, quota_of: Any
) -> None:
    before = used(api)
    quota_of(before + 5)
    running = {number: observe(api, target, f"first {number}") for number in range(5)}

    def step(number: int) -> httpx.Response:
        if number in running:
            site.fail(running.pop(number))
        return api.post(f"scanners/{target}/observe/", json={"session_id": str(uuid4())})

    answers, seen = watched_rush(step, lambda: used(api) - before)
    assert max(seen) <= 5
    started = statuses(answers).count(202)
    assert 1 <= started <= 5
    assert seen[-1] == started
    assert set(statuses(answers)) <= {202, 402}


def test_architecture_6_every_write_is_in_the_very_next_read(api: httpx.Client) -> None:
    for number in range(IN_A_ROW):
        name = f"row {number:03} {uuid4().hex[:8]}"
        made = api.post("scanners/", json={**MONITOR, "name": name})
        assert STALE not in made.headers
        document = made.json()
        assert api.get(f"scanners/{document['id']}/").json() == document
        assert api.get("scanners/", params={"search": name}).json()["results"] == [document]
        answer = api.post(f"scanners/{document['id']}/observe/", json={"session_id": name})
        assert STALE not in answer.headers
        (row,) = api.get(f"scanners/{document['id']}/observations/").json()["results"]
        assert row["id"] == answer.json()["observation_id"]
        assert api.get("observations/", params={"session_id": name}).json()["results"] == [row]
        assert api.get(f"scanners/{document['id']}/observations/stats/").json()["status_counts"]["in_flight"] == 1
        assert api.delete(f"scanners/{document['id']}/").status_code == 204
        assert api.get("observations/", params={"session_id": name}).json()["count"] == 0


def test_3_4_20_edits_at_once_all_count(api: httpx.Client, target: str) -> None:
    """Each is answered with the document as it left it, under the tag of just that version."""

    def ask(number: int) -> httpx.Response:
        rate = (number + 1) / 100
        answer = api.patch(f"scanners/{target}/", json={"sampling_rate": rate})
        assert answer.json()["sampling_rate"] == rate
        shown = api.get(f"scanners/{target}/").json()
        assert shown["scanner_version"] >= answer.json()["scanner_version"] >= 2
        assert shown["updated_at"] >= answer.json()["updated_at"]
        return answer

    answers = at_once(CROWD, ask)
    assert statuses(answers) == [200] * CROWD
    final = api.get(f"scanners/{target}/").json()
    assert final["scanner_version"] == 1 + CROWD
    assert len({answer.headers["etag"] for answer in answers}) == CROWD
    assert sorted(answer.json()["scanner_version"] for answer in answers) == list(range(2, CROWD + 2))


def test_3_4_the_same_edit_by_many_counts_once_and_is_shown_to_all(api: httpx.Client, target: str) -> None:
    """Who changes nothing, because another was faster, is shown no older document than the one who was."""

    def ask(_: int) -> httpx.Response:
        answer = api.patch(f"scanners/{target}/", json={"sampling_rate": 0.25, "description": "same"})
        assert (answer.json()["sampling_rate"], answer.json()["description"]) == (0.25, "same")
        return answer

    assert statuses(at_once(CROWD, ask)) == [200] * CROWD
    assert api.get(f"scanners/{target}/").json()["scanner_version"] == 2


def test_architecture_6_what_another_process_has_just_written_is_shown_to_who_repeats_it(
    site: Site, api: httpx.Client, target: str
) -> None:
    """A repeat writes nothing, and is answered when the read side shows what it repeats."""

    def elsewhere() -> Context:
        return replace(site.system, now=site.services.clock(), tenant=site.tenant)

    for number in range(IN_A_ROW // 4):
        session_id = f"repeated {number}"
        site.services.observations.request(elsewhere(), UUID(target), [session_id], "on_demand")
        if number % 2:
            answer = api.post(f"scanners/{target}/observe/", json={"session_id": session_id}).json()
        else:
            body = api.post(f"scanners/{target}/bulk_observe/", json={"session_ids": [session_id]}).json()
            assert body["started"] == 0
            (answer,) = body["results"]
        assert api.get(f"scanners/{target}/observations/{answer['observation_id']}/").status_code == 200
        changes = {"description": session_id, "sampling_rate": (number + 1) / 100}
        site.services.scanners.edit(elsewhere(), UUID(target), changes)
        edited = api.patch(f"scanners/{target}/", json=changes)
        assert {name: edited.json()[name] for name in changes} == changes
        assert api.get(f"scanners/{target}/").headers["etag"] == edited.headers["etag"]


def test_3_4_deleting_amid_observes_and_retries_leaves_no_orphan(site: Site, api: httpx.Client) -> None:
    before = used(api)
    for _ in range(5):
        doomed = scanner(api, str(uuid4()))["id"]
        failed = [observe(api, doomed, f"failed {number}") for number in range(5)]
        for one in failed:
            site.fail(one)

        def step(number: int, doomed: str = doomed, failed: Sequence[str] = failed) -> httpx.Response:
            if number == CROWD // 2:
                return api.delete(f"scanners/{doomed}/")
            if number % 3 == 0:
                return api.post(f"scanners/{doomed}/observations/{failed[number % 5]}/retry/")
            if number % 3 == 1:
                return api.post(f"scanners/{doomed}/bulk_observe/", json={"session_ids": [f"b {number}", "shared"]})
            return api.post(f"scanners/{doomed}/observe/", json={"session_id": f"o {number}"})

        answers = at_once(CROWD, step)
        assert set(statuses(answers)) <= {202, 204, 404, 409}
        assert statuses(answers).count(204) == 1
        site.standing()
        assert used(api) == before, "what was in flight has gone back, once"
        assert api.get(f"scanners/{doomed}/observations/").status_code == 404
        for one in (*failed, *_told_of(answers)):
            assert api.get(f"observations/{one}/").status_code == 404
            assert refusal(api.post(f"scanners/{doomed}/observations/{one}/retry/"))[0] == 404


def _told_of(answers: Sequence[httpx.Response]) -> list[str]:
    bodies = [answer.json() for answer in answers if answer.status_code == 202]
    return [one["observation_id"] for body in bodies for one in body.get("results", [body])]


def test_3_4_one_of_many_deletes_succeeds(api: httpx.Client, target: str) -> None:
    answers = at_once(CROWD, lambda _: api.delete(f"scanners/{target}/"))
    assert statuses(answers) == [204] + [404] * (CROWD - 1)


def test_ext_one_of_many_retries_opens_a_run_while_its_worker_reports(
    site: Site, api: httpx.Client, target: str
) -> None:
    """Beside the plain race in test_ext_observing.py: the ending of the run comes in between."""
    made = observe(api, target, "contended")
    before = used(api)

    def step(number: int) -> httpx.Response:
        if number == 0:
            site.fail(made)
        return api.post(f"scanners/{target}/observations/{made}/retry/")

    answers = at_once(CROWD, step)
    assert statuses(answers) == [202] + [409] * (CROWD - 1)
    row = api.get(f"scanners/{target}/observations/{made}/").json()
    assert (row["status"], used(api)) == ("pending", before)


def test_5_the_cap_on_work_in_flight_holds_in_a_rush(site: Site, api: httpx.Client) -> None:
    limits = ObservationLimits(per_scanner=3, per_environment=100_000)
    store = site.services.observations._store  # noqa: SLF001 - the same store under other limits
    services = replace(site.services, observations=Observations(store, limits), limits=limits)
    made = scanner(api, str(uuid4()))["id"]
    before = used(api)
    path = f"/api/environments/{site.environment_id}/vision/scanners/{made}/observe/"
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        answers = at_once(CROWD, lambda number: client.post(path, json={"session_id": f"rush {number}"}))
    assert statuses(answers) == [202] * 3 + [429] * (CROWD - 3)
    for answer in answers:
        if answer.status_code == 429:
            assert refusal(answer) == (429, "throttled_error", "throttled", None)
    assert (api.get(f"scanners/{made}/observations/").json()["count"], used(api)) == (3, before + 3)
