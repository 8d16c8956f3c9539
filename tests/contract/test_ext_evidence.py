"""The evidence of an old observation over HTTP, and what the history says of answers that were taken over."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from threading import Event
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from commands.sealing import Seal
from commands.store.event_log import EventLog
from consumers.relay import outgoing
from consumers.scanning import jobs
from consumers.scanning.answers import Answers
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, Provider
from consumers.scanning.requests import JobMaker
from consumers.scanning.scan import Scanning
from consumers.transports.port import Record
from domain.eligibility import EligibilityLimits
from tests.capture.traffic import EXPECTED, recorded
from tests.contract.site import Site, handled, observe, record, refusal, scanner
from tests.scanning.answering import Answering

READ, RECORDINGS = "replay_scanner:read", "session_recording:read"
NOT_FOUND = (404, "invalid_request", "not_found", None)
RECORDING = "tests/recordings/sdk_1_160_abandon.jsonl.gz"
MODEL = {"provider": "google", "model": "gemini-3-flash-preview"}
SAID = {"reasoning": "The visitor clicked once (t 20).", "verdict": "no", "confidence": 0.8}


@dataclass
class Workers:
    """What the scanning role does with what was asked for, in one thread."""

    site: Site
    providers: dict[str, Provider] = field(default_factory=lambda: {"builtin": BuiltinProvider()})
    heard: int = 0

    def work(self) -> None:
        pool = cast("Any", self.site.services.pool)
        clock = self.site.services.clock
        with pool.connection() as conn, conn.transaction():
            for row in EventLog().read_raw(conn, self.heard):
                made = outgoing(row)
                JobMaker().handle(conn, [Record("events", 0, 0, made.key, made.value, made.all_headers(), clock())])
                self.heard = row.position
        answers = Answers(pool, Seal(b"of this test"), clock)
        limits = EligibilityLimits(0, 0, 3600)
        args = (pool, self.site.services.observations, self.site.blobs, self.providers, limits, clock)
        scanning = Scanning(*args, answers=answers)
        while True:
            with pool.connection() as conn:
                job = jobs.lease(conn, "test")
            if job is None:
                break
            assert scanning.scan(job, Event()) is None
            with pool.connection() as conn:
                assert jobs.finish(conn, job)
        self.site.standing()


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture(scope="module")
def workers(site: Site) -> Workers:
    return Workers(site)


@dataclass(frozen=True)
class Judged:
    scanner_id: str
    session_id: str
    observation_id: str

    @property
    def path(self) -> str:
        return f"scanners/{self.scanner_id}/observations/{self.observation_id}/evidence/"


def judged(site: Site, api: httpx.Client, workers: Workers, session_id: str = "", **fields: Any) -> Judged:
    """A session that was recorded and scanned."""
    session_id = session_id or record(site, str(uuid4()))
    made = scanner(api, str(uuid4()), **fields)
    found = Judged(made["id"], session_id, observe(api, made["id"], session_id))
    workers.work()
    assert api.get(f"observations/{found.observation_id}/").json()["status"] == "succeeded"
    return found


@pytest.fixture
def known(site: Site, api: httpx.Client, workers: Workers) -> Judged:
    return judged(site, api, workers)


def audited(site: Site, observation_id: str) -> dict[str, Any]:
    """What the history says of an observation's ending, field by field."""
    with site.services.pool.connection() as conn:
        statement = "SELECT changes FROM read_history.entry WHERE stream_id = %s AND type = 'ObservationSucceeded'"
        ((changes,),) = conn.execute(statement, (observation_id,)).fetchall()
    return {change["field"]: change["after"] for change in changes}


def test_the_text_is_what_was_judged_byte_for_byte(site: Site, api: httpx.Client, known: Judged) -> None:
    answer = api.get(known.path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert sha256(answer.content).hexdigest() == audited(site, known.observation_id)["evidence_digest"]
    assert "shop.example/cart" in answer.text
    assert api.head(known.path).headers["content-length"] == str(len(answer.content))
    assert api.get(known.path, headers={"Accept": "application/json, text/plain, */*"}).content == answer.content


def test_json_has_its_lines_and_signals_too(site: Site, api: httpx.Client, workers: Workers) -> None:
    handled(site, recorded(RECORDING, site.environment_id))
    known = judged(site, api, workers, EXPECTED[RECORDING]["session_id"])
    text = api.get(known.path)
    answer = api.get(known.path, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert set(found) == {"digest", "text", "lines", "signals"}
    assert found["text"] == text.text
    assert found["digest"] == sha256(text.content).hexdigest()
    assert found["lines"]
    assert all(set(line) == {"t_s", "kind", "text"} for line in found["lines"])
    assert found["signals"]
    assert all(set(signal) == {"kind", "t_s", "end_s", "text", "count"} for signal in found["signals"])
    assert refusal(api.get(known.path, headers={"Accept": "image/png"}))[0] == 406


def test_later_batches_change_nothing_about_it(site: Site, api: httpx.Client, known: Judged) -> None:
    before = api.get(known.path).content
    record(site, known.session_id, "https://shop.example/later", ago=30)
    assert api.get(known.path).content == before


def test_it_is_there_as_long_as_the_recording_is(
    site: Site, api: httpx.Client, workers: Workers, known: Judged
) -> None:
    assert api.delete(
        f"{site.url}/api/projects/{site.environment_id}/session_recordings/{known.session_id}/"
    ).is_success
    assert refusal(api.get(known.path)) == NOT_FOUND
    assert api.get(f"observations/{known.observation_id}/").status_code == 200, "the answer stays"
    other = judged(site, api, workers)
    with site.services.pool.connection() as conn:
        values = (site.services.clock() - timedelta(days=31), other.session_id)
        conn.execute("UPDATE capture.session SET last_received_at = %s WHERE session_id = %s", values)
    assert refusal(api.get(other.path)) == NOT_FOUND


def test_what_has_none_is_404(site: Site, api: httpx.Client, workers: Workers, known: Judged) -> None:
    other = scanner(api, str(uuid4()))["id"]
    nobody = str(UUID(int=1))
    pending = Judged(other, known.session_id, observe(api, other, known.session_id))
    assert refusal(api.get(pending.path)) == NOT_FOUND
    unrecorded = Judged(other, "nobody", observe(api, other, "nobody"))
    workers.work()
    assert refusal(api.get(unrecorded.path)) == NOT_FOUND
    for scanner_id, observation_id in (
        (other, known.observation_id),
        (nobody, known.observation_id),
        (known.scanner_id, nobody),
        ("x", known.observation_id),
        (known.scanner_id, "x"),
    ):
        assert refusal(api.get(f"scanners/{scanner_id}/observations/{observation_id}/evidence/")) == NOT_FOUND
    assert api.delete(f"scanners/{known.scanner_id}/").status_code == 204
    assert refusal(api.get(known.path)) == NOT_FOUND


def test_it_is_its_own_environments(site: Site, known: Judged) -> None:
    for environment in (site.sibling_id, site.foreign_id):
        assert site.client(environment=environment).get(known.path).status_code in (403, 404)
    assert refusal(site.client(environment=site.sibling_id).get(known.path)) == NOT_FOUND
    confined = site.client(site.key(environments=[site.sibling_id]))
    assert confined.get(known.path).status_code in (403, 404)


@pytest.mark.parametrize("missing", [READ, RECORDINGS])
def test_scopes(site: Site, known: Judged, missing: str) -> None:
    (held,) = {READ, RECORDINGS} - {missing}
    refused = site.client(site.key(held, "vision_action:write")).get(known.path)
    assert refusal(refused) == (403, "authentication_error", "permission_denied", None)
    assert refused.json()["detail"] == f"API key missing required scope '{missing}'"
    assert site.client(site.key(READ, RECORDINGS)).get(known.path).status_code == 200
    assert site.bare().get(f"/api/projects/{site.environment_id}/vision/{known.path}").status_code == 401


def test_an_answer_that_was_taken_over_says_so_in_the_history(site: Site, api: httpx.Client, workers: Workers) -> None:
    model = Answering([Answer(SAID, MODEL["provider"], MODEL["model"], 900, 40, Decimal("0.002"))])
    workers.providers = {**workers.providers, "google": model}
    first = judged(site, api, workers, **MODEL)
    second = judged(site, api, workers, first.session_id, **MODEL)
    assert model.asked == 1
    paid, reused = audited(site, first.observation_id), audited(site, second.observation_id)
    assert "reused_from" not in paid
    assert (paid["cost_usd"], paid["input_tokens"], paid["output_tokens"]) == ("0.002", 900, 40)
    assert reused["reused_from"] == first.observation_id
    assert (reused["cost_usd"], reused["input_tokens"], reused["output_tokens"]) == ("0", 0, 0)
    assert reused["model"] == MODEL["model"]
    shown = [api.get(f"observations/{one.observation_id}/").json() for one in (first, second)]
    assert shown[0]["scanner_result"] == shown[1]["scanner_result"]
    assert shown[0].keys() == shown[1].keys()
    assert api.get(second.path).content == api.get(first.path).content
