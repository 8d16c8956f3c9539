"""An unmodified SDK in a real browser, pointed at the server with a project token and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.demo_site import LEAN, WHOLE, Sdk, shop
from tests.browser.driver import Chromium, Done, visiting
from tests.e2e.job import create, ended
from tests.live import Answered, Live, request, wait_until

pytestmark = pytest.mark.timeout(240)

BUYERS = {
    "events": [{"id": "order_placed", "type": "events", "properties": [
        {"key": "total", "type": "event", "operator": "gte", "value": 39}]}],
    "properties": [{"key": "email", "type": "person", "operator": "icontains", "value": "@example.org"}],
}  # fmt: skip
NOBODY = {"events": [{"id": "order_cancelled", "type": "events"}]}


def session(live: Live, path: str) -> Answered:
    headers = {"Authorization": f"Bearer {live.credentials['api_key']}", "Accept": "*/*"}
    return request("GET", f"{live.address}/api/environments/1/session_recordings/{path}", None, headers)


def facts(live: Live, done: Done) -> dict[str, Any]:
    """What the server knows of the session once all of its clicks have arrived, which is the last that does."""

    def known() -> dict[str, Any] | None:
        answer = session(live, f"{done.session_id}/")
        whole = answer.status == 200 and answer.body["click_count"] >= done.clicks
        return answer.body if whole else None

    return wait_until(known, 30, f"{done} has not arrived: {session(live, f'{done.session_id}/')}")


def check_facts(found: dict[str, Any], done: Done, sdk: Sdk) -> None:
    assert found["click_count"] == done.clicks
    assert found["keypress_count"] == done.inputs
    assert found["mouse_activity_count"] > done.clicks
    assert found["console_error_count"] >= 2, "what the page logged, and what nobody caught"
    assert found["start_url"] == done.urls[0]
    assert set(done.urls) <= set(found["urls"])
    assert found["snapshot_source"] == "web"
    assert len(found["windows"]) == 1
    assert found["active_seconds"] > 3
    assert found["distinct_id"]


def check_timeline(text: str) -> None:
    """What mattered on the visit, in its order; nothing that names the visitor."""
    wanted = [
        'opens page "http://shop.test',
        'click "Like this shop" button',
        'opens page "/product.html"',
        'click "Add to cart" button',
        'opens page "/checkout.html"',
        'types into "Name" field: 8 characters',
        'types into "E-mail" field: 20 characters',
        'click "Pay 39 euros" button',
        'request "/api/pay" failed: 500',
        'console error "payment failed 500"',
        'click "Pay 39 euros" button',
        "Thank you for your order!",
        'click "Help" button',
        "nobody is there to help",
        'opens page "/account.html"',
        'moves to "/account.html/orders"',
        'moves to "/account.html/settings"',
    ]
    at = 0
    for words in wanted:
        found = text.find(words, at)
        assert found >= 0, f"{words!r} is not there, or too early:\n{text}"
        at = found
    assert "ada.park" not in text


def test_two_generations_of_the_sdk_record_a_visit_from_page_to_finding(
    live: Live, chromium: Chromium, tmp_path: Path
) -> None:
    """Facts, timeline, and a finding of the scanner that asks for an event, its property and the visitor's e-mail."""
    buyers = create(live, "buyers", "summarizer", query=BUYERS)
    nobody = create(live, "nobody", "summarizer", query=NOBODY)
    token = live.credentials["project_token"]
    with shop(LEAN, live.port, token) as lean, shop(WHOLE, live.port, token) as whole:
        with visiting(chromium, tmp_path / "visit.log", "purchase", lean, whole) as visit:
            visits = {done.address: done for done in (visit.ended(), visit.ended())}
        for address, sdk in ((lean, LEAN), (whole, WHOLE)):
            done = visits[address]
            assert done.refused == []
            check_facts(facts(live, done), done, sdk)
            check_timeline(session(live, f"{done.session_id}/timeline/").body)
    for done in visits.values():
        found = wait_until(lambda done=done: ended(live, buyers["id"], done.session_id), 40, "no observation")
        assert found["status"] == "succeeded", found["error_reason"]
        assert found["triggered_by"] == "schedule"
    assert live.observations(nobody["id"]) == []


def test_what_is_recorded_while_the_server_is_away_arrives_when_it_is_back(
    live: Live, chromium: Chromium, tmp_path: Path
) -> None:
    with (
        shop(LEAN, live.port, live.credentials["project_token"], compressing=False) as address,
        visiting(chromium, tmp_path / "visit.log", "outage", address) as visit,
    ):
        visit.said("recorded")
        live.stop()
        visit.go_on()
        visit.said("refused")
        live.start()
        visit.go_on()
        done = visit.ended()
        found = facts(live, done)
    assert (found["click_count"], found["keypress_count"]) == (done.clicks, done.inputs)
    assert "application/json" in done.kinds, "which a page of another origin may only send after a preflight"
