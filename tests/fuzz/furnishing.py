"""What generated requests need to find on the server, and cannot make by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from api.cli.opening import opened, settings_for
from domain.ids import gap_id
from domain.tenant import Tenant
from tests.live import Live, wait_until

QUESTIONS: dict[str, dict[str, Any]] = {
    "monitor": {"prompt": "Did the visitor give up?"},
    "classifier": {"prompt": "What was the visit about?", "tags": ["payment", "search"]},
    "scorer": {"prompt": "How smooth was it?", "scale": {"min": 0, "max": 10}},
    "summarizer": {"prompt": "What happened?", "length": "short"},
}


def furnish(live: Live) -> dict[str, Any]:
    """One scanner of each type, one of which has a gap and an observation, and an integration; their ids.

    The gap and the integration come from the services: no request makes either.
    """
    scanners = [_scanner(live, kind, config) for kind, config in QUESTIONS.items()]
    with_gap = UUID(scanners[0])
    organization = UUID(live.credentials["organization_id"])
    with opened(settings_for(live.home)) as running:
        context = running.context("fuzz")
        integration, _ = running.integrations.create(context, 1, "slack", "xoxb-not-one")
        owned = replace(context, tenant=Tenant(1, organization))
        running.scanners.skip_gap(owned, with_gap, 1, 1, "quota_exhausted")
    observed = live.call("POST", f"scanners/{with_gap}/observe/", {"session_id": "kept"})
    assert observed.status == 202, observed
    wait_until(lambda: live.call("GET", f"scanners/{with_gap}/gaps/").body["count"], 30, "no gap")
    return {
        "scanners": scanners,
        "integrations": [integration],
        "gap_scanner": str(with_gap),
        "gap": str(gap_id(with_gap, 1)),
    }


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
