"""What generated requests need to find on the server, and cannot make by themselves."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any
from uuid import UUID

from api.cli.opening import opened, settings_for
from consumers.capture.importing.importer import import_files
from domain.ids import gap_id
from domain.tenant import Tenant
from tests.live import RECORDINGS, Live, request, wait_until

QUESTIONS: dict[str, dict[str, Any]] = {
    "monitor": {"prompt": "Did the visitor give up?"},
    "classifier": {"prompt": "What was the visit about?", "tags": ["payment", "search"]},
    "scorer": {"prompt": "How smooth was it?", "scale": {"min": 0, "max": 10}},
    "summarizer": {"prompt": "What happened?", "length": "short"},
}


SESSIONS = 5
DOOMED = 100
"""Recorded sessions that stay, and such that may be deleted."""


def furnish(live: Live) -> dict[str, Any]:
    """One scanner of each type, one of which has a gap, observations and a report, an integration, and sessions; ids.

    The gap and the integration come from the services: no request makes either.
    """
    scanners = [_scanner(live, kind, config) for kind, config in QUESTIONS.items()]
    with_gap = UUID(scanners[0])
    organization = UUID(live.credentials["organization_id"])
    with opened(settings_for(live.home)) as running:
        context = running.context("fuzz")
        integration, _ = running.integrations.create(context, 1, "slack", "xoxb-not-one")
        doomed_integration, _ = running.integrations.create(context, 1, "slack", "xoxb-nor-this-one")
        owned = replace(context, tenant=Tenant(1, organization))
        running.scanners.skip_gap(owned, with_gap, 1, 1, "quota_exhausted")
        (imported,) = import_files(RECORDINGS[:1], running.sender, 1, running.clock(), ending=running.clock())
    observed = live.call("POST", f"scanners/{with_gap}/observe/", {"session_id": "kept"})
    assert observed.status == 202, observed
    wait_until(lambda: live.call("GET", f"scanners/{with_gap}/gaps/").body["count"], 30, "no gap")
    kept, doomed = ([f"{kind}-{n}" for n in range(most)] for kind, most in (("kept", SESSIONS), ("doomed", DOOMED)))
    _record(live, [*kept, *doomed])
    judged = _judged(live, str(with_gap), imported.sessions[0].session_id)
    return {
        **_reported(live, str(with_gap), doomed_integration),
        "sessions": kept,
        "doomed": doomed,
        "scanners": scanners,
        "integrations": [integration],
        "judged": judged,
        "gap_scanner": str(with_gap),
        "gap": str(gap_id(with_gap, 1)),
    }


def _record(live: Live, sessions: list[str]) -> None:
    """A click in each session. Returns when the last of them is there."""
    at = round(time.time() * 1000) - 60_000
    click = {"type": 3, "timestamp": at, "data": {"source": 2, "type": 2, "id": 1, "x": 1, "y": 1}}
    common = {"token": live.credentials["project_token"], "$window_id": "w", "$snapshot_data": [click]}
    batch = [
        {"event": "$snapshot", "properties": {**common, "$session_id": one, "distinct_id": "kept"}} for one in sessions
    ]
    posted = live.post_recording(json.dumps(batch).encode())
    assert posted.status == 200, posted
    key = {"Authorization": f"Bearer {live.credentials['api_key']}"}
    address = f"{live.address}/api/environments/1/session_recordings/?distinct_id=kept"
    wait_until(lambda: request("GET", address, None, key).body["count"] == len(sessions), 30, "not recorded")


def _judged(live: Live, scanner_id: str, session_id: str) -> str:
    """The id of an observation that rests on evidence: of a whole recording, which was imported just now."""
    key = {"Authorization": f"Bearer {live.credentials['api_key']}"}
    address = f"{live.address}/api/environments/1/session_recordings/{session_id}/"
    wait_until(lambda: request("GET", address, None, key).status == 200, 30, "not imported")
    observed = live.call("POST", f"scanners/{scanner_id}/observe/", {"session_id": session_id})
    assert observed.status == 202, observed
    observation_id: str = observed.body["observation_id"]
    ended = f"scanners/{scanner_id}/observations/{observation_id}/"
    wait_until(lambda: live.call("GET", ended).body["status"] == "succeeded", 60, "not judged")
    return observation_id


def _reported(live: Live, scanner_id: str, integration: int) -> dict[str, str]:
    """An action with a run whose delivery has ended, and ends at once whenever it is tried again."""
    target = {"type": "slack", "integration_id": integration, "channel": "#kept"}
    made = live.call("POST", "actions/", {"name": "Kept", "scanner": scanner_id, "delivery_config": [target]})
    assert made.status == 201, made
    action: str = made.body["id"]
    with opened(settings_for(live.home)) as running:
        running.integrations.delete(running.context("fuzz"), integration)
    asked = live.call("POST", f"actions/{action}/run/", {})
    assert asked.status == 202, asked
    run: str = asked.body["run_id"]

    def delivery() -> dict[str, Any] | None:
        deliveries = live.call("GET", f"actions/{action}/runs/{run}/").body["deliveries"]
        return next((one for one in deliveries if one["status"] == "abandoned"), None)

    wait_until(lambda: delivery() is not None, 60, "no report was delivered, or failed to be")
    found = delivery()
    assert found is not None
    return {"action": action, "run": run, "delivery": found["id"]}


def _scanner(live: Live, kind: str, config: dict[str, Any]) -> str:
    body = {
        "name": f"Kept {kind}",
        "scanner_type": kind,
        "scanner_config": config,
        "provider": "builtin",
        "model": "builtin",
    }
    made = live.call("POST", "scanners/", body)
    assert made.status == 201, made
    return made.body["id"]
