"""The main job, as an operator and a browser meet it: recordings in, observations out, in real processes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.job import CONFIGS, ENDED, create, ended, send
from tests.live import RECORDINGS, Live, request, wait_until

pytestmark = pytest.mark.timeout(240)


def test_a_recorded_session_is_scanned_by_every_enabled_scanner_without_a_manual_step(live: Live) -> None:
    scanners = [create(live, f"scheduled {kind}", kind) for kind in CONFIGS]
    disabled = create(live, "disabled", "monitor", enabled=False)
    paused = create(live, "paused", "monitor", sampling_rate=0)
    session_id = send(live, RECORDINGS[0])

    for scanner in scanners:
        observation = wait_until(
            lambda scanner=scanner: ended(live, scanner["id"], session_id),
            60,
            f"{scanner['name']} has no observation",
        )
        assert observation["status"] == "succeeded", observation["error_reason"]
        assert observation["triggered_by"] == "schedule"
        output = observation["scanner_result"]["model_output"]
        assert output["scanner_type"] == scanner["scanner_type"]
        segments = output.get("reasoning_segments") or output["summary_segments"]
        assert any(segment["kind"] == "chip" for segment in segments)
    assert live.observations(disabled["id"]) == []
    assert live.observations(paused["id"]) == []


def test_a_session_is_observed_on_demand_once(live: Live) -> None:
    scanner = create(live, "on demand", "summarizer", enabled=False)
    session_id = send(live, RECORDINGS[1])
    wait_until(lambda: observed_session(live, scanner, session_id), 30, "not observed")
    again = live.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": session_id})
    assert again.status == 200
    assert len(live.observations(scanner["id"])) == 1


def observed_session(live: Live, scanner: dict[str, Any], session_id: str) -> dict[str, Any] | None:
    answer = live.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": session_id})
    assert answer.status in (200, 202), answer.body
    ended = [o for o in live.observations(scanner["id"]) if o["status"] == "succeeded"]
    return ended[0] if ended else None


def test_a_session_without_recording_ends_ineligible_and_costs_nothing(live: Live) -> None:
    scanner = create(live, "nothing there", "monitor", enabled=False)
    before = live.call("GET", "quota/").body["usage_this_month"]
    answer = live.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": "no-such-session"})
    assert answer.status == 202
    observation = wait_until(
        lambda: next((o for o in live.observations(scanner["id"]) if o["status"] in ENDED), None), 30, "no ending"
    )
    assert (observation["status"], observation["error_reason"].split(":")[0]) == ("ineligible", "no_recording")
    assert live.call("GET", "quota/").body["usage_this_month"] == before


def test_a_deleted_session_is_erased_and_stays_away(live: Live) -> None:
    scanner = create(live, "of a deleted session", "monitor", enabled=False)
    session_id = send(live, RECORDINGS[5])
    path = f"{live.address}/api/projects/@current/session_recordings/{session_id}/"
    key = {"Authorization": f"Bearer {live.credentials['api_key']}"}
    wait_until(lambda: request("GET", path, None, key).status == 200, 30, "not recorded")
    assert request("DELETE", path, None, key).status == 204
    assert request("GET", path, None, key).status == 404
    send(live, RECORDINGS[5])
    folder = live.home / "blobs" / "1" / sha256(session_id.encode()).hexdigest()
    wait_until(lambda: not folder.exists(), 30, "its blobs are still there")
    assert request("GET", path, None, key).status == 404
    assert live.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": session_id}).status == 202
    observation = wait_until(
        lambda: next((o for o in live.observations(scanner["id"]) if o["status"] in ENDED), None), 30, "no ending"
    )
    assert (observation["status"], observation["error_reason"].split(":")[0]) == ("ineligible", "no_recording")


def test_a_body_that_is_no_recording_is_refused_and_stops_nobody(live: Live) -> None:
    scanner = create(live, "after rubbish", "monitor", enabled=False)
    for rubbish in (b"", b"\x1f\x8bbroken", b"\xff\xfe\x00", b"[" * 100_000):
        assert 400 <= live.post_recording(rubbish).status < 500
    assert request("GET", f"{live.address}/readyz", None, {}).status == 200
    session_id = send(live, RECORDINGS[2])
    assert wait_until(lambda: observed_session(live, scanner, session_id), 30, "not observed")


def test_metrics_and_readiness_tell_how_the_work_goes(live: Live) -> None:
    wait_until(lambda: request("GET", f"{live.address}/readyz", None, {}).body["ready"], 30, "not ready")
    text = request("GET", f"{live.address}/metrics", None, {}).body
    for name in ("up 1.0", "projection_lag_positions{", "relay_lag_positions ", "scan_jobs{", "transport_lag_records{"):
        assert f"replay_vision_{name}" in text, name


def test_a_second_start_keeps_everything(live: Live) -> None:
    scanner = create(live, "kept", "monitor", enabled=False)
    assert live.stop() == 0
    live.start()
    assert live.call("GET", f"scanners/{scanner['id']}/").body["name"] == "kept"
