"""`Idempotency-Key` on every write (architecture 4): the same request again is answered as the first, and done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from api.http.services import Services
from commands.store.once import KEPT_FOR, forget
from tests.contract.site import MONITOR, Site, observe, refusal, scanner, served

REPLAYED = "idempotency-replayed"
OTHER_BODY = (409, "invalid_request", "idempotency_conflict", None)
NO_KEY = (400, "validation_error", "invalid_input", None)
CROWD = 50

_COUNT = "SELECT count(*) FROM store.events WHERE topic LIKE 'Scanner%' OR topic LIKE 'Observation%'"

Request = Callable[[httpx.Client, str], httpx.Response]


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def fresh() -> str:
    return str(uuid4())


def appended(site: Site) -> int:
    """How many events of scanners and observations there are."""
    with site.services.pool.connection() as conn:
        (count,) = conn.execute(_COUNT).fetchone()
    return int(count)


def creating(site: Site, api: httpx.Client) -> Request:
    body = {**MONITOR, "name": fresh()}
    return lambda client, key: client.post("scanners/", json=body, headers=keyed(key))


def editing(site: Site, api: httpx.Client) -> Request:
    path, changes = f"scanners/{scanner(api, fresh())['id']}/", {"sampling_rate": 0.5, "name": fresh()}
    return lambda client, key: client.patch(path, json=changes, headers=keyed(key))


def editing_what_was_seen(site: Site, api: httpx.Client) -> Request:
    path = f"scanners/{scanner(api, fresh())['id']}/"
    seen = api.get(path).headers["etag"]
    return lambda client, key: client.patch(path, json={"sampling_rate": 0.5}, headers={**keyed(key), "If-Match": seen})


def editing_nothing(site: Site, api: httpx.Client) -> Request:
    path = f"scanners/{scanner(api, fresh())['id']}/"
    return lambda client, key: client.patch(path, json={"sampling_rate": 1}, headers=keyed(key))


def deleting(site: Site, api: httpx.Client) -> Request:
    path = f"scanners/{scanner(api, fresh())['id']}/"
    return lambda client, key: client.delete(path, headers=keyed(key))


def observing(site: Site, api: httpx.Client) -> Request:
    path = f"scanners/{scanner(api, fresh())['id']}/observe/"
    return lambda client, key: client.post(path, json={"session_id": "s"}, headers=keyed(key))


def observing_again(site: Site, api: httpx.Client) -> Request:
    made = scanner(api, fresh())["id"]
    site.fail(observe(api, made, "s"))
    return lambda client, key: client.post(f"scanners/{made}/observe/", json={"session_id": "s"}, headers=keyed(key))


def observing_many(site: Site, api: httpx.Client) -> Request:
    made = scanner(api, fresh())["id"]
    site.fail(observe(api, made, "s1"))
    observe(api, made, "s2")
    body = {"session_ids": ["s3", "s1", "s4", "s2", "s3"]}
    return lambda client, key: client.post(f"scanners/{made}/bulk_observe/", json=body, headers=keyed(key))


def retrying(site: Site, api: httpx.Client) -> Request:
    made = scanner(api, fresh())["id"]
    observed = observe(api, made, "s")
    site.fail(observed)
    return lambda client, key: client.post(f"scanners/{made}/observations/{observed}/retry/", headers=keyed(key))


WRITES: dict[str, tuple[Callable[[Site, httpx.Client], Request], int, int]] = {
    "create": (creating, 201, 1),
    "patch": (editing, 200, 2),
    "patch what was seen": (editing_what_was_seen, 200, 1),
    "patch of nothing": (editing_nothing, 200, 0),
    "delete": (deleting, 204, 1),
    "observe": (observing, 202, 1),
    "observe what has ended": (observing_again, 200, 0),
    "bulk_observe": (observing_many, 202, 2),
    "retry": (retrying, 202, 1),
}
"""How to prepare each kind of write, its status, and how many events it appends."""

EVERY_WRITE = pytest.mark.parametrize(("prepare", "status", "events"), WRITES.values(), ids=WRITES.keys())


def same(one: httpx.Response, other: httpx.Response) -> bool:
    return (one.status_code, one.content, one.headers.get("etag")) == (
        other.status_code,
        other.content,
        other.headers.get("etag"),
    )


@EVERY_WRITE
def test_the_same_request_again_is_answered_the_same_and_does_nothing(
    site: Site, api: httpx.Client, prepare: Callable[[Site, httpx.Client], Request], status: int, events: int
) -> None:
    send, key = prepare(site, api), fresh()
    before = appended(site)
    first = send(api, key)
    assert (first.status_code, REPLAYED in first.headers) == (status, False), first.text
    assert appended(site) - before == events
    for client in (api, site.client(environment="@current", prefix="projects"), site.client(site.key())):
        again = send(client, key)
        assert same(first, again), again.text
        assert again.headers[REPLAYED] == "true"
    assert appended(site) - before == events


@EVERY_WRITE
def test_50_at_once_are_one(
    site: Site, api: httpx.Client, prepare: Callable[[Site, httpx.Client], Request], status: int, events: int
) -> None:
    send, key = prepare(site, api), fresh()
    before = appended(site)
    with ThreadPoolExecutor(CROWD) as threads:
        answers = list(threads.map(lambda _: send(api, key), range(CROWD)))
    assert [answer.status_code for answer in answers] == [status] * CROWD
    assert all(same(answers[0], answer) for answer in answers)
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert appended(site) - before == events


@EVERY_WRITE
def test_a_process_that_dies_between_its_append_and_its_answer(
    site: Site, api: httpx.Client, prepare: Callable[[Site, httpx.Client], Request], status: int, events: int
) -> None:
    """What a crash leaves is the row of the append without an answer. Without an append there is no row."""
    send, key = prepare(site, api), fresh()
    before = appended(site)
    lost = send(api, key)
    forget_answer(site, key, and_row=events == 0)
    again = send(api, key)
    assert (again.status_code, again.content) == (status, lost.content)
    assert again.headers.get("etag") == lost.headers.get("etag")
    assert (REPLAYED in again.headers) == (events > 0)
    assert same(send(api, key), again)
    assert appended(site) - before == events


def forget_answer(site: Site, key: str, *, and_row: bool = False) -> None:
    statement = (
        "DELETE FROM store.idempotency WHERE key = %s"
        if and_row
        else "UPDATE store.idempotency SET status = NULL, headers = NULL, body = NULL WHERE key = %s"
    )
    with site.services.pool.connection() as conn:
        assert conn.execute(statement, (key,)).rowcount == 1


def test_a_create_whose_answer_was_lost_and_whose_scanner_is_gone(site: Site, api: httpx.Client) -> None:
    """It answers what was made, as it was made."""
    send, key = creating(site, api), fresh()
    made = send(api, key).json()
    forget_answer(site, key)
    api.patch(f"scanners/{made['id']}/", json={"description": "later"})
    api.delete(f"scanners/{made['id']}/")
    again = send(api, key)
    assert again.status_code == 201
    assert {name: again.json()[name] for name in ("id", "name", "description", "created_at")} == {
        name: made[name] for name in ("id", "name", "description", "created_at")
    }


def test_a_kept_answer_outlives_what_comes_later(site: Site, api: httpx.Client) -> None:
    """Else a client that repeats what it has done before would undo what others did since."""
    path = f"scanners/{scanner(api, fresh())['id']}/"
    key = fresh()
    for _ in range(2):
        answer = api.patch(path, json={"enabled": True}, headers=keyed(key))
        assert answer.json()["enabled"] is True
        api.patch(path, json={"enabled": False})
    assert api.get(path).json()["enabled"] is False


@pytest.mark.parametrize("body", [{"sampling_rate": 0.25}, {"sampling_rate": 0.5, "name": "x"}, [], {}])
def test_another_body_under_the_same_key(site: Site, api: httpx.Client, body: Any) -> None:
    path, key = f"scanners/{scanner(api, fresh())['id']}/", fresh()
    assert api.patch(path, json={"sampling_rate": 0.5}, headers=keyed(key)).status_code == 200
    other = api.patch(path, json=body, headers=keyed(key))
    assert refusal(other) == OTHER_BODY
    assert key not in other.text
    assert api.get(path).json()["sampling_rate"] == 0.5


def test_the_same_body_in_other_words(site: Site, api: httpx.Client) -> None:
    body, key = {**MONITOR, "name": f"ü {fresh()}"}, fresh()
    first = api.post("scanners/", json=body, headers=keyed(key))
    spaced = json.dumps(dict(reversed(body.items())), indent=4).encode()
    again = api.post("scanners/", content=spaced, headers={**keyed(key), "Content-Type": "application/json"})
    assert same(first, again)
    with_key = {**body, "personal_api_key": site.key()}
    assert same(first, api.post("scanners/", json=with_key, headers=keyed(key)))


def test_a_key_is_about_one_operation_on_one_object(site: Site, api: httpx.Client) -> None:
    key = fresh()
    first, second = (scanner(api, fresh())["id"] for _ in range(2))
    assert api.post("scanners/", json={**MONITOR, "name": fresh()}, headers=keyed(key)).status_code == 201
    for made in (first, second):
        edited = api.patch(f"scanners/{made}/", json={"description": "x"}, headers=keyed(key))
        assert (edited.status_code, edited.json()["id"]) == (200, made)
        upper = api.patch(f"scanners/{made.upper()}/", json={"description": "x"}, headers=keyed(key))
        assert same(edited, upper)
    assert api.post(f"scanners/{first}/observe/", json={"session_id": "s"}, headers=keyed(key)).status_code == 202
    assert api.delete(f"scanners/{first}/", headers=keyed(key)).status_code == 204
    assert REPLAYED not in api.get("scanners/", headers=keyed(key)).headers


def test_another_user_or_environment_has_keys_of_its_own(site: Site, api: httpx.Client) -> None:
    site.caught_up(site.accounts.create_user(site.system, site.organization_id, "kim@example.org", "Kim").position)
    body, key = {**MONITOR, "name": fresh()}, fresh()
    assert api.post("scanners/", json=body, headers=keyed(key)).status_code == 201
    kim = site.client(site.key(email="kim@example.org"))
    assert refusal(kim.post("scanners/", json=body, headers=keyed(key)))[3] == "name"
    assert kim.post("scanners/", json={**body, "name": fresh()}, headers=keyed(key)).status_code == 201
    sibling = site.client(environment=site.sibling_id).post("scanners/", json=body, headers=keyed(key))
    assert (sibling.status_code, REPLAYED in sibling.headers) == (201, False)


def test_errors_are_not_kept(site: Site, api: httpx.Client, quota_of: Callable[[int], None]) -> None:
    made = scanner(api, fresh())["id"]
    path, key = f"scanners/{made}/observe/", fresh()
    quota_of(0)
    assert api.post(path, json={"session_id": "s"}, headers=keyed(key)).status_code == 402
    bulk = api.post(f"scanners/{made}/bulk_observe/", json={"session_ids": ["s"]}, headers=keyed(key))
    assert (bulk.status_code, bulk.json()["started"]) == (202, 0)
    quota_of(100_000)
    assert refusal(api.post(path, json={"session_id": ""}, headers=keyed(key)))[0] == 400
    started = api.post(path, json={"session_id": "s"}, headers=keyed(key))
    assert (started.status_code, REPLAYED in started.headers) == (202, False)
    taken = scanner(api, fresh())["name"]
    create = {**MONITOR, "name": taken}
    assert refusal(api.post("scanners/", json=create, headers=keyed(key)))[3] == "name"
    assert api.post("scanners/", json={**create, "name": fresh()}, headers=keyed(key)).status_code == 201


def test_a_repeat_that_comes_while_the_first_is_still_at_it(site: Site, api: httpx.Client) -> None:
    """It does not wait for the first: it answers for both."""
    send, key = creating(site, api), fresh()
    appending, go_on = Event(), Event()

    def slow(position: int, projections: Sequence[str]) -> bool:
        appending.set()
        return go_on.wait(30) and site.services.wait(position, projections)

    before = appended(site)
    with at(site, replace(site.services, wait=slow)) as late, ThreadPoolExecutor(1) as thread:
        first = thread.submit(send, late, key)
        assert appending.wait(30)
        again = send(api, key)
        assert (again.status_code, again.headers[REPLAYED]) == (201, "true")
        go_on.set()
        assert same(first.result(30), again)
        assert REPLAYED not in first.result().headers
    assert same(send(api, key), again)
    assert appended(site) - before == 1


@contextmanager
def at(site: Site, services: Services) -> Iterator[httpx.Client]:
    """A client of a copy of the server over other services, in the site's environment."""
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        client.base_url = httpx.URL(
            f"{str(client.base_url).rstrip('/')}/api/environments/{site.environment_id}/vision/"
        )
        yield client


def test_an_outage_before_the_append_and_one_after_it(site: Site, api: httpx.Client) -> None:
    (outage, *_) = site.services.outages

    def away(*_: object, **__: object) -> Any:
        raise outage("away")

    send, key = creating(site, api), fresh()
    before = appended(site)
    with at(site, replace(site.services, scanners=cast("Any", _Away(away)))) as late:
        assert refusal(send(late, key))[0] == 503
    with at(site, replace(site.services, wait=away)) as late:
        made = send(late, key)
        assert made.status_code == 201
    assert same(send(api, key), made)
    assert appended(site) - before == 1


class _Away:
    """Commands whose database does not answer."""

    def __init__(self, away: Callable[..., Any]) -> None:
        self.create = away


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", "🙂"])
def test_what_is_no_key(api: httpx.Client, key: str) -> None:
    answer = api.post(
        "scanners/", json={**MONITOR, "name": fresh()}, headers=[(b"Idempotency-Key", key.encode("utf-8"))]
    )
    assert refusal(answer) == NO_KEY
    assert "Idempotency-Key" in answer.json()["detail"]


def test_two_keys_are_none(api: httpx.Client) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert refusal(api.post("scanners/", json={**MONITOR, "name": fresh()}, headers=headers)) == NO_KEY


@pytest.mark.parametrize("key", ["x", "!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b"])
def test_what_is_a_key(api: httpx.Client, key: str) -> None:
    body = {**MONITOR, "name": fresh()}
    first, again = (api.post("scanners/", json=body, headers=keyed(key)) for _ in range(2))
    assert first.status_code == 201
    assert same(first, again)


def test_a_key_is_looked_at_after_the_caller(site: Site) -> None:
    bad = {"Idempotency-Key": ""}
    assert site.client("nobody").post("scanners/", headers=bad).status_code == 401
    assert site.client(site.key("replay_scanner:read")).post("scanners/", headers=bad).status_code == 403


@pytest.fixture
def tomorrow(site: Site) -> Iterator[httpx.Client]:
    """The same site a day later."""
    clock = site.services.clock
    with at(site, replace(site.services, clock=lambda: clock() + KEPT_FOR)) as client:
        yield client


@pytest.mark.parametrize("events", [1, 0])
def test_after_a_day_a_key_is_new(site: Site, api: httpx.Client, tomorrow: httpx.Client, events: int) -> None:
    path, key = f"scanners/{scanner(api, fresh())['id']}/", fresh()
    assert api.patch(path, json={"sampling_rate": 0.5 if events else 1}, headers=keyed(key)).status_code == 200
    later = tomorrow.patch(path, json={"sampling_rate": 0.25}, headers=keyed(key))
    assert (later.status_code, later.json()["sampling_rate"], REPLAYED in later.headers) == (200, 0.25, False)
    assert same(tomorrow.patch(path, json={"sampling_rate": 0.25}, headers=keyed(key)), later)
    nothing = tomorrow.patch(path, json={"sampling_rate": 0.25}, headers=keyed(fresh()))
    assert nothing.status_code == 200


def test_what_is_over_is_swept_and_what_is_not_stays(site: Site, api: httpx.Client) -> None:
    key = fresh()
    creating(site, api)(api, key)
    with site.services.pool.connection() as conn:
        now = site.services.clock()
        forget(conn, now)
        assert kept(conn, key) == 1
        forget(conn, now + KEPT_FOR - timedelta(minutes=1))
        assert kept(conn, key) == 1
        while forget(conn, now + KEPT_FOR + timedelta(seconds=1)):
            pass
        assert kept(conn, key) == 0


def kept(conn: Any, key: str) -> int:
    return int(conn.execute("SELECT count(*) FROM store.idempotency WHERE key = %s", (key,)).fetchone()[0])
