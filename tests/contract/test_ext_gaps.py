"""Extensions "Observing": gaps in a scanner's schedule, and their redrive, from the skip to the scan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from commands.store.event_log import EventLog
from consumers.relay import outgoing
from consumers.selection.sweep import Sweep, SweepRules
from consumers.selection.watermarks import WatermarkKeeper
from consumers.transports.port import Record
from domain.eligibility import EligibilityLimits
from tests.contract.recorded import Place, new_place
from tests.contract.site import Site, refusal, scanner, served


@pytest.fixture
def place(site: Site) -> Place:
    return new_place(site, str(uuid4()))


def skip(place: Place, scanner_id: str, first: int, last: int, reason: str = "quota_exhausted") -> None:
    """What the schedule records when it passes over sessions."""
    context = replace(place.site.system, now=place.site.services.clock(), tenant=place.tenant)
    place.site.services.scanners.skip_gap(context, UUID(scanner_id), first, last, reason)
    place.site.standing()


def listed(place: Place, scanner_id: str, **parameters: Any) -> dict[str, Any]:
    response = place.api.get(f"scanners/{scanner_id}/gaps/", params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def redrive(api: httpx.Client, scanner_id: str, gap: str) -> dict[str, Any]:
    response = api.post(f"scanners/{scanner_id}/gaps/{gap}/redrive/")
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


class Schedule:
    """The schedule's consumer, which hears what was recorded since and sweeps."""

    def __init__(self, site: Site, on_exhausted: Any) -> None:
        self._site = site
        services = site.services
        rules = SweepRules(EligibilityLimits(), services.settle, on_exhausted)
        self._sweep = Sweep(services.pool, services.scanners, services.observations, rules, services.clock)  # type: ignore[arg-type]
        self._heard = 0

    def run(self) -> None:
        keeper = WatermarkKeeper(self._site.services.settle)
        with self._site.services.pool.connection() as conn:
            while rows := EventLog().read_raw(conn, self._heard):
                for row in rows:
                    made = outgoing(row)
                    at = self._site.services.clock()
                    record = Record("events", 0, row.position, made.key, made.value, made.all_headers(), at)
                    keeper.handle(conn, [record])
                    self._heard = row.position
        self._sweep.run()
        self._site.standing()


@pytest.mark.rule("10/3")
def test_from_the_skip_over_a_grant_to_the_scan(site: Site, place: Place, quota_of: Any) -> None:
    """`on_exhausted=skip` makes a gap; a redrive after a grant scans the sessions, by the schedule's own rules."""
    schedule = Schedule(site, "skip")
    made = scanner(place.api, "unpaid")["id"]
    schedule.run()
    for name in "abc":
        place.recorded(name, settled=True)
    place.recorded("short", duration=3, settled=True)
    quota_of(place.api.get("quota/").json()["usage_this_month"] + 1)
    schedule.run()
    observed = f"scanners/{made}/observations/"
    assert [row["session_id"] for row in place.api.get(observed).json()["results"]] == ["a"]
    (gap,) = listed(place, made)["results"]
    assert (gap["reason"], gap["sessions"], gap["redriven_at"]) == ("quota_exhausted", 2, None)

    organization = site.organization_id
    now = site.services.clock()
    site.accounts.grant_quota(replace(site.system, now=now), organization, 10, now + timedelta(days=1))
    site.standing()
    schedule.run()
    assert place.api.get(observed).json()["count"] == 1, "what was skipped stays so until somebody asks"
    assert redrive(place.api, made, gap["id"])["id"] == gap["id"]
    schedule.run()
    rows = place.api.get(observed).json()["results"]
    assert {row["session_id"] for row in rows} == {"a", "b", "c"}
    assert {row["triggered_by"] for row in rows} == {"schedule"}


def test_the_document_and_the_order(place: Place) -> None:
    made = scanner(place.api, "gaps")["id"]
    assert listed(place, made) == {"count": 0, "next": None, "previous": None, "results": []}
    now = place.site.services.clock()
    began = [now - timedelta(minutes=number) for number in range(5, 0, -1)]
    numbers = [place.recorded(f"s{n}", settled=True, now=at) or 0 for n, at in enumerate(began)]
    skip(place, made, numbers[0], numbers[1])
    skip(place, made, numbers[2], numbers[4])
    both = listed(place, made)
    later, sooner = both["results"]
    assert both["count"] == 2
    assert list(sooner) == ["id", "from", "to", "reason", "sessions", "redriven_at"]
    times = [at.isoformat().replace("+00:00", "Z") for at in began]
    assert (sooner["from"], sooner["to"], sooner["sessions"]) == (times[0], times[1], 2)
    assert (later["from"], later["to"], later["sessions"]) == (times[2], times[4], 3)
    one = listed(place, made, limit=1, offset=1)
    assert (one["results"], one["next"], one["count"]) == ([sooner], None, 2)
    assert "limit=1" in one["previous"]


def test_sessions_are_those_that_the_present_query_matches(site: Site, place: Place) -> None:
    made = scanner(place.api, "gaps", sampling_rate=0)["id"]
    first = place.recorded("a", settled=True) or 0
    place.recorded("short", duration=2, settled=True)
    new_place(site, str(uuid4())).recorded("elsewhere", settled=True)
    last = place.recorded("b", settled=True) or 0
    skip(place, made, first, last)
    assert listed(place, made)["results"][0]["sessions"] == 2, "before sampling"
    place.api.patch(f"scanners/{made}/", json={"query": {"session_ids": ["b"]}})
    assert listed(place, made)["results"][0]["sessions"] == 1
    place.api.patch(f"scanners/{made}/", json={"query": {"events": [{"id": "x"}]}})
    assert listed(place, made)["results"][0]["sessions"] == 0


def test_asking_again_records_nothing_new(place: Place) -> None:
    made = scanner(place.api, "gaps")["id"]
    number = place.recorded("a", settled=True) or 0
    skip(place, made, number, number)
    gap = listed(place, made)["results"][0]["id"]
    before = place.api.get(f"scanners/{made}/")
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: redrive(place.api, made, gap), range(10)))
    assert len({answer["redriven_at"] for answer in answers}) == 1
    assert listed(place, made)["results"][0]["redriven_at"] == answers[0]["redriven_at"]
    entries = place.api.get(f"scanners/{made}/history/").json()["results"]
    told = [entry["changes"] for entry in entries if entry["type"] == "SweepGapRedriven"]
    redriven = {"id": gap, "from": number, "to": number}
    assert told == [[{"field": "gap_redriven", "before": None, "after": redriven}]]
    assert place.api.get(f"scanners/{made}/").json() == before.json(), "it is no edit of the scanner"


def test_unknown_ones_and_others(site: Site, place: Place) -> None:
    made, other = scanner(place.api, "gaps")["id"], scanner(place.api, "other")["id"]
    number = place.recorded("a", settled=True) or 0
    skip(place, made, number, number)
    gap = listed(place, made)["results"][0]["id"]
    elsewhere = site.client(environment=site.sibling_id)
    for client, scanner_id, gap_id in (
        (place.api, made, uuid4()),
        (place.api, made, "nonsense"),
        (place.api, other, gap),
        (place.api, uuid4(), gap),
        (elsewhere, made, gap),
    ):
        response = client.post(f"scanners/{scanner_id}/gaps/{gap_id}/redrive/")
        assert refusal(response) == (404, "invalid_request", "not_found", None)
    for client, scanner_id in ((place.api, uuid4()), (place.api, "x"), (elsewhere, made)):
        assert refusal(client.get(f"scanners/{scanner_id}/gaps/"))[0] == 404
    assert place.api.delete(f"scanners/{made}/").status_code == 204
    assert refusal(place.api.get(f"scanners/{made}/gaps/"))[0] == 404
    assert refusal(place.api.post(f"scanners/{made}/gaps/{gap}/redrive/"))[0] == 404
    with site.services.pool.connection() as conn:
        assert conn.execute("SELECT count(*) FROM read_scanners.gap WHERE scanner_id = %s", (made,)).fetchone() == (0,)


@pytest.mark.parametrize("scope", ["replay_scanner:write", "session_recording:read"])
def test_scopes(site: Site, place: Place, scope: str) -> None:
    made = scanner(place.api, "gaps")["id"]
    client = site.client(site.key(scope), environment=place.environment_id)
    assert refusal(client.post(f"scanners/{made}/gaps/{uuid4()}/redrive/"))[0] == 403
    reader = site.client(site.key("replay_scanner:read"), environment=place.environment_id)
    assert reader.get(f"scanners/{made}/gaps/").status_code == 200
    assert refusal(site.client(site.key("session_recording:read")).get(f"scanners/{made}/gaps/"))[0] == 403


def test_a_count_that_is_too_slow_is_503(site: Site, place: Place) -> None:
    made = scanner(place.api, "gaps")["id"]
    number = place.recorded("a", settled=True) or 0
    skip(place, made, number, number)
    services = replace(site.services, estimates=replace(site.services.estimates, seconds=0.2))
    path = f"/api/projects/{place.environment_id}/vision/scanners/{made}/gaps/"
    with served(services, Authorization=f"Bearer {site.key()}") as client, site.services.pool.connection() as holding:
        with holding.transaction():
            holding.execute("LOCK TABLE capture.session IN ACCESS EXCLUSIVE MODE")
            slow = client.get(path)
        assert refusal(slow) == (503, "server_error", "error", None)
        assert int(slow.headers["retry-after"]) > 0
        assert client.get(path).json()["count"] == 1


def test_a_session_that_took_too_long_is_listed_without_looking_at_it_again(place: Place) -> None:
    made = scanner(place.api, "gaps", query={"events": [{"id": "never"}]})["id"]
    number = place.recorded("heavy", settled=True) or 0
    skip(place, made, number, number, "session_too_slow")
    (gap,) = place.api.get(f"scanners/{made}/gaps/").json()["results"]
    assert (gap["reason"], gap["sessions"]) == ("session_too_slow", 1)
