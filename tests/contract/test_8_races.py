"""Many callers at once who write actions, over HTTP (contract 8; extensions "ETag"; architecture 6)."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.crowd import CROWD, IN_A_ROW, STALE, at_once, statuses
from tests.contract.site import Site, refusal, scanner

SEVERAL_TIMES = pytest.mark.parametrize("turn", range(5))


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture
def subject(api: httpx.Client) -> Iterator[str]:
    """A scanner that no other test's actions are bound to."""
    identifier: str = scanner(api, str(uuid4()))["id"]
    yield identifier
    api.delete(f"scanners/{identifier}/")


def create(api: httpx.Client, subject: str, name: str) -> httpx.Response:
    return api.post("actions/", json={"name": name, "scanner": subject})


def made(api: httpx.Client, subject: str, name: str) -> dict[str, Any]:
    response = create(api, subject, name)
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def listed(api: httpx.Client, **parameters: str) -> list[dict[str, Any]]:
    answer = api.get("actions/", params=parameters).json()
    rows: list[dict[str, Any]] = answer["results"]
    assert answer["count"] == len(rows)
    return rows


def test_a_name_that_many_create_goes_to_one(api: httpx.Client, subject: str) -> None:
    answers = at_once(CROWD, lambda _: create(api, subject, "Wanted"))
    assert statuses(answers) == [201] + [400] * (CROWD - 1)
    (winner,) = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer is not winner:
            assert refusal(answer) == (400, "validation_error", "invalid_input", "name")
    assert listed(api, scanner=subject) == [winner.json()]


def test_a_name_that_some_create_and_others_take_over_goes_to_one(api: httpx.Client, subject: str) -> None:
    others = [made(api, subject, f"Other {number}") for number in range(CROWD // 2)]

    def ask(number: int) -> httpx.Response:
        if number < len(others):
            return api.patch(f"actions/{others[number]['id']}/", json={"name": "Coveted", "enabled": False})
        return create(api, subject, "Coveted")

    answers = at_once(CROWD, ask)
    winners = [answer.json() for answer in answers if answer.status_code in (200, 201)]
    assert len(winners) == 1
    for answer in answers:
        if answer.status_code not in (200, 201):
            assert refusal(answer) == (400, "validation_error", "invalid_input", "name")
    untouched = [other for other in others if other["id"] != winners[0]["id"]]
    assert listed(api, scanner=subject) == [*winners, *untouched]


def test_20_edits_at_once_all_count(api: httpx.Client, subject: str) -> None:
    """Half of them rename it, and half change the selection: each is one version and one entry of the history."""
    url = f"actions/{made(api, subject, 'Contended')['id']}/"
    bodies = [
        {"selection": {"window_days": number + 2}} if number % 2 else {"name": f"Contended {number}"}
        for number in range(CROWD)
    ]

    def ask(number: int) -> httpx.Response:
        answer = api.patch(url, json=bodies[number])
        assert STALE not in answer.headers
        shown = api.get(url)
        assert version(shown) >= version(answer)
        assert shown.json()["updated_at"] >= answer.json()["updated_at"]
        return answer

    answers = at_once(CROWD, ask)
    assert statuses(answers) == [200] * CROWD
    assert sorted(version(answer) for answer in answers) == [*range(2, CROWD + 2)]
    final = api.get(url)
    assert version(final) == 1 + CROWD
    last = {number % 2: number for number in sorted(range(CROWD), key=lambda number: version(answers[number]))}
    assert {"name": final.json()["name"]} == bodies[last[0]]
    assert {"selection": final.json()["selection"]} == bodies[last[1]]


def version(answer: httpx.Response) -> int:
    return int(answer.headers["etag"].strip('"'))


def test_the_same_edit_by_many_counts_once_and_is_shown_to_all(api: httpx.Client, subject: str) -> None:
    url = f"actions/{made(api, subject, 'Agreed')['id']}/"
    answers = at_once(CROWD, lambda _: api.patch(url, json={"enabled": False}))
    assert [(answer.status_code, version(answer), answer.json()["enabled"]) for answer in answers] == [
        (200, 2, False)
    ] * CROWD


def test_one_of_many_deletes_succeeds(api: httpx.Client, subject: str) -> None:
    url = f"actions/{made(api, subject, 'Doomed')['id']}/"
    assert statuses(at_once(CROWD, lambda _: api.delete(url))) == [204] + [404] * (CROWD - 1)
    made(api, subject, "Doomed")


@SEVERAL_TIMES
def test_creating_and_moving_amid_the_deletion_of_the_scanner_leaves_no_orphan(
    site: Site, api: httpx.Client, subject: str, turn: int
) -> None:
    """Who came before the deletion goes with the scanner, who comes later is told that there is none."""
    doomed = scanner(api, str(uuid4()))["id"]
    leaving = [made(api, doomed, f"Rescued {number}")["id"] for number in range(2)]
    coming = [made(api, subject, f"Moved {number}")["id"] for number in range(CROWD // 2)]

    def step(number: int) -> httpx.Response:
        if number == CROWD // 2:
            return api.delete(f"scanners/{doomed}/")
        if number < len(leaving):
            return api.patch(f"actions/{leaving[number]}/", json={"scanner": subject})
        if number % 2:
            return api.patch(f"actions/{coming[number // 2]}/", json={"scanner": doomed})
        return create(api, doomed, f"New {number}")

    answers = at_once(CROWD, step)
    rescues, rush, deletion = answers[:2], answers[2:], answers[CROWD // 2]
    assert deletion.status_code == 204
    assert set(statuses(rescues)) <= {200, 404}
    refused = [answer for answer in rush if answer.status_code == 400]
    assert {refusal(answer)[2:] for answer in refused} <= {("does_not_exist", "scanner")}
    came = [answer.json() for answer in rush if answer.status_code in (200, 201)]
    assert len(came) + len(refused) + 1 == len(rush)

    site.standing()
    assert listed(api, scanner=doomed) == []
    gone = {one["id"] for one in came}
    rescued = {answer.json()["id"] for answer in rescues if answer.status_code == 200}
    assert {row["id"] for row in listed(api)} == {*coming, *rescued} - gone
    for one in came:
        assert api.get(f"actions/{one['id']}/").status_code == 404
        assert api.patch(f"actions/{one['id']}/", json={"scanner": subject}).status_code == 404
        made(api, subject, one["name"])


@SEVERAL_TIMES
def test_renames_amid_the_deletion_of_the_action_hold_no_name(api: httpx.Client, subject: str, turn: int) -> None:
    url = f"actions/{made(api, subject, 'Brief')['id']}/"

    def step(number: int) -> httpx.Response:
        return api.delete(url) if number == CROWD // 2 else api.patch(url, json={"name": f"Brief {number}"})

    answers = at_once(CROWD, step)
    assert answers[CROWD // 2].status_code == 204
    assert set(statuses(answers)) <= {200, 204, 404}
    assert api.get(url).status_code == 404
    for name in ("Brief", *(f"Brief {number}" for number in range(CROWD))):
        made(api, subject, name)


def test_architecture_6_every_write_is_in_the_very_next_read(api: httpx.Client, subject: str) -> None:
    for number in range(IN_A_ROW):
        answer = create(api, subject, f"row {number:03}")
        assert STALE not in answer.headers
        document = answer.json()
        assert api.get(f"actions/{document['id']}/").json() == document
        page = api.get("actions/", params={"scanner": subject, "offset": str(number)}).json()
        assert (page["count"], page["results"]) == (number + 1, [document])
